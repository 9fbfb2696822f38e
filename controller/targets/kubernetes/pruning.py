"""What git no longer says, and why it may have to stay (rule 4). Pure.

Every reason is a small function of its own; the first that speaks is the object's objection. A generator's renamed
ConfigMap or Secret is no deletion: its previous version stays for a rollback, older ones go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from controller.model import Action, Application, ObjectKey, ObjectPlan, State
from controller.targets.deletions import ALWAYS_ALLOWED, GENERATED_KINDS, PRECIOUS
from controller.targets.kubernetes.cache import Member
from controller.targets.kubernetes.inventory import Inventory
from controller.targets.kubernetes.options import read_options

IRREPLACEABLE: Final = PRECIOUS | {"PersistentVolume", "StatefulSet.apps"}
# The suffix that kustomize gives what it generates (api/hasher: ten hex digits, five of them replaced by letters).
GENERATED_NAME: Final = re.compile(r"^(?P<base>.+)-[bcdfghkmt2456789]{10}$")


@dataclass(frozen=True, slots=True)
class Situation:
    """What the guards know besides the object."""

    application: Application
    is_empty: bool  # git says nothing at all of this placement
    members: int
    deletions: int  # of members, without renamed ones

    @property
    def has_yes(self) -> bool:
        """A yes that is a commit."""
        return self.application.state is State.ABSENT or self.application.approve_deletions


Objection = Callable[[ObjectKey, Situation], str]  # why it must stay; "" when it may go


def empty_render(_key: ObjectKey, situation: Situation) -> str:
    if not situation.is_empty or situation.application.state is not State.PRESENT:
        return ""
    return "nothing was rendered, and an empty result deletes nothing. Say `state: absent` to remove the application"


def precious(key: ObjectKey, situation: Situation) -> str:
    if key.group_kind not in PRECIOUS or situation.has_yes:
        return ""
    return f"deleting a {key.kind} deletes what is in it: it waits for `approveDeletions: true`"


def too_many(_key: ObjectKey, situation: Situation) -> str:
    percent = situation.application.sync.deletions_percent
    limit = max(ALWAYS_ALLOWED, situation.members * percent // 100)
    if situation.deletions <= limit or situation.has_yes:
        return ""
    how = (
        "bring its entry back with `state: absent`"
        if situation.application.state is State.REMOVED
        else "it waits for `approveDeletions: true`"
    )
    return (
        f"{situation.deletions} of {situation.members} objects would be deleted, more than {limit} ({percent} %): {how}"
    )


GUARDS: Final[tuple[Objection, ...]] = (empty_render, precious, too_many)


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What is live and not desired."""

    deletions: tuple[ObjectPlan, ...]
    kept: frozenset[str]  # previous versions of generated objects, as text


def leftovers(
    desired: Iterable[ObjectKey],
    members: Sequence[Member],
    application: Application,
    inventory: Inventory,
    spared: AbstractSet[ObjectKey] = frozenset(),
) -> Leftovers:
    """Say what to delete of a placement's live objects, each with what speaks against it.

    `spared` ones are let go of.
    """
    wanted = frozenset(desired)
    extra = [one for one in members if one.key not in wanted]
    if application.state is not State.ABSENT and not application.sync.prune:
        return Leftovers((), frozenset())
    versions = _renamed(extra, wanted)
    kept = frozenset(_previous(group, inventory) for group in versions.values())
    renamed = {one.key for group in versions.values() for one in group}
    here = [
        one for one in extra if not one.is_terminating and one.key not in kept and not _waits_for_all(one, application)
    ]
    staying = [one for one in here if one.key not in renamed and (one.key in spared or _stays(one))]
    going = [one for one in here if one not in staying]
    situation = Situation(
        application=application,
        is_empty=not (wanted or spared),
        members=len(members) - len(renamed),
        deletions=sum(one.key not in renamed for one in going),
    )
    guards = {True: (), False: GUARDS}  # a renamed one's successor is there
    plans = tuple(_deletion(one, guards[one.key in renamed], situation) for one in going)
    return Leftovers((*plans, *(_letting_go(one) for one in staying)), frozenset(str(key) for key in kept))


def _stays(member: Member) -> bool:
    options = read_options(member.live())
    return not options.is_pruned and not options.goes_with_application


def _waits_for_all(member: Member, application: Application) -> bool:
    """Tell whether an object stays ours until its whole application goes."""
    return application.state is State.PRESENT and read_options(member.live()).goes_with_application


def replacement_objection(key: ObjectKey, application: Application) -> str:
    """Say why an object whose annotation asks for it is not deleted and made anew by itself; "" when it is."""
    if key.group_kind not in IRREPLACEABLE or application.approve_deletions:
        return ""
    return f"making a {key.kind} anew deletes what hangs on it: it waits for `approveDeletions: true`"


def _letting_go(member: Member) -> ObjectPlan:
    return ObjectPlan(
        key=member.key,
        action=Action.DELETE,
        uid=member.uid,
        resource_version=member.resource_version,
        keeps=True,
    )


def _deletion(member: Member, guards: Iterable[Objection], situation: Situation) -> ObjectPlan:
    objection = next((why for guard in guards if (why := guard(member.key, situation))), "")
    return ObjectPlan(
        key=member.key,
        action=Action.DELETE,
        uid=member.uid,
        resource_version=member.resource_version,
        objection=objection,
    )


def generator_of(key: ObjectKey) -> ObjectKey | None:
    """Name what a generated object is a version of; None for what no generator named."""
    match = GENERATED_NAME.match(key.name) if key.group_kind in GENERATED_KINDS else None
    return ObjectKey(key.group, key.kind, key.namespace, match["base"]) if match else None


def _renamed(extra: Iterable[Member], wanted: Iterable[ObjectKey]) -> Mapping[ObjectKey, list[Member]]:
    """Group the live versions that a desired one of the same generator supersedes."""
    generators = {one for key in wanted if (one := generator_of(key))}
    found: dict[ObjectKey, list[Member]] = {}
    for member in extra:
        generator = generator_of(member.key)
        if generator in generators and generator is not None:
            found.setdefault(generator, []).append(member)
    return found


def _previous(versions: Sequence[Member], inventory: Inventory) -> ObjectKey:
    """Choose the version to keep: that of the revision applied last, else the one kept so far, else the newest."""

    def rank(one: Member) -> tuple[bool, bool, str]:
        created = str((one.live().get("metadata") or {}).get("creationTimestamp", "")) if len(versions) > 1 else ""
        return inventory.named(one.key), str(one.key) in inventory.kept, created

    return max(versions, key=rank).key
