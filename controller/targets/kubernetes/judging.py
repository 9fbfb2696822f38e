"""What a server's answer to a dry run says about one object: which fields would change, for whose sake. Pure.

pending: our side moved. drift: theirs did. An object whose manifest is the one applied last can only have drifted; with
a newer manifest a field has drifted that the last one named (its footprint is on the object) and that is ours no more.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from controller.model import (
    ABSENT,
    Action,
    Adopt,
    Cause,
    Desired,
    Digest,
    Editor,
    Element,
    FieldChange,
    FieldPath,
    FieldValue,
    Hidden,
    Manifest,
    ObjectKey,
    ObjectPlan,
    Secret,
    format_path,
)
from controller.targets.kubernetes.adopting import Migration, adoption_objection
from controller.targets.kubernetes.cache import Member
from controller.targets.kubernetes.conflict_fields import conflict_path, conflict_text
from controller.targets.kubernetes.diff import Difference, difference, shape_of
from controller.targets.kubernetes.holding import own_entries, value_at
from controller.targets.kubernetes.labels import (
    DIGEST_ANNOTATION,
    FIELDS_ANNOTATION,
    MANAGER,
    RELEASED_ANNOTATION,
    RELEASED_MANAGER,
)
from controller.targets.kubernetes.marking import Marks, is_ours, was_named
from controller.targets.kubernetes.ownership import editor, editor_of, holds, lost, owned
from controller.targets.kubernetes.status import Conflict

OURS: Final = ("converge/", "applyset.kubernetes.io/")  # labels and annotations of these prefixes are always ours
SECRET_FIELDS: Final = frozenset({"data", "stringData"})
MANAGED_FIELDS: Final[FieldPath] = ("metadata", "managedFields")
RELEASED: Final[FieldPath] = ("metadata", "annotations", RELEASED_ANNOTATION)

Hide = Callable[[FieldValue], FieldValue]


@dataclass(frozen=True, slots=True)
class Seen:
    """A live object as the judgement needs it."""

    live: Mapping[str, Any]
    managed: Sequence[Mapping[str, Any]]
    digest: Digest | None  # of the manifest that was applied last
    uid: str
    resource_version: str
    is_ours: bool  # it says that it is this placement's
    assumed: str = ""  # the footprint that stands in for one that somebody spoiled

    @property
    def was_cleared(self) -> bool:
        """Tell whether somebody took our name out of an object that is ours."""
        return self.is_ours and not any(one.get("manager") in {MANAGER, RELEASED_MANAGER} for one in self.managed)

    @property
    def released(self) -> str:
        """What is left to others, as its annotation says."""
        annotations = (self.live.get("metadata") or {}).get("annotations") or {}
        return str(annotations.get(RELEASED_ANNOTATION, "")) if self.is_ours else ""

    @property
    def footprint(self) -> str:
        annotations = (self.live.get("metadata") or {}).get("annotations") or {}
        return self.assumed or (str(annotations.get(FIELDS_ANNOTATION, "")) if self.is_ours else "")


def seen_member(member: Member) -> Seen:
    return Seen(member.live(), member.managed(), member.digest, member.uid, member.resource_version, is_ours=True)


def seen_body(body: bytes, key: ObjectKey, marks: Marks) -> Seen:
    """Read an object that the server gave when it was asked for it."""
    live = orjson.loads(body)
    metadata = live.get("metadata") or {}
    managed = metadata.pop("managedFields", None) or []
    ours = is_ours(marks, key, live)
    digest = (metadata.get("annotations") or {}).get(DIGEST_ANNOTATION) if ours else None
    return Seen(live, managed, digest, metadata["uid"], metadata["resourceVersion"], is_ours=ours)


def hider(key: Secret) -> Hide:
    """Make the stand-in for secret values: equal values have equal keyed hashes."""

    def hide(value: FieldValue) -> FieldValue:
        return value if value is ABSENT else Hidden(keyed_hash(key, value))

    return hide


def keyed_hash(key: Secret, value: object) -> str:
    data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hmac.new(key.reveal(), data, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server made of a dry run: forced, where `taken` says that others own fields."""

    sent: bytes
    live: Mapping[str, Any]  # the object as it would be
    managed: Sequence[Mapping[str, Any]]
    taken: Sequence[Conflict]
    adopted: Migration | None = None  # the object was there before us, and is taken over


def judge(manifest: Manifest, seen: Seen, answer: Answer, *, adopt: Adopt, marks: Marks, hide: Hide) -> ObjectPlan:
    """Say what applying a manifest would do to a live object."""
    is_same = seen.digest == manifest.digest and seen.is_ours
    managed = answer.managed
    found = difference(seen.live, answer.live, shape_of(seen.managed, managed))
    # What others did between our look and the server's is theirs: an apply moves what was ours, or will be.
    ours = [*own_entries(managed), *own_entries(seen.managed)]
    is_all_ours = answer.adopted is not None and bool(answer.adopted.managers)
    changes = tuple(
        _change(one, seen, is_same=is_same) for one in found if is_all_ours or editor_of(ours, one.path) is not None
    )
    if is_same and not changes and owned(seen.managed) != owned(managed):
        # Equal values that are no longer ours: the next edit of them would go unnoticed.
        changes = (FieldChange(MANAGED_FIELDS, ABSENT, MANAGER, Cause.DRIFT),)
    planned = ObjectPlan(
        key=manifest.key,
        action=Action.CHANGE if changes or not is_same else Action.NOTHING,
        changes=_hidden(changes, manifest.key, hide),
        manifest=manifest,
        uid=seen.uid,
        resource_version=seen.resource_version,
        adopts=answer.adopted.managers if answer.adopted else (),
        left_behind=() if is_same else _left_behind(seen, answer),
    )
    return _guarded(planned, seen, answer, adopt, marks, is_same=is_same)


def _left_behind(seen: Seen, answer: Answer) -> tuple[tuple[FieldPath, str], ...]:
    """Name the fields that were ours, that git dropped, and that stay because somebody else keeps them."""
    found = []
    for path in lost(owned(seen.managed), owned(answer.managed)):
        keeper = editor_of(answer.managed, path, exclude={MANAGER, RELEASED_MANAGER})
        if keeper is not None and value_at(answer.live, path) is not ABSENT:
            found.append((path, keeper.manager))
    return tuple(found)


def _guarded(
    planned: ObjectPlan, seen: Seen, answer: Answer, adopt: Adopt, marks: Marks, *, is_same: bool
) -> ObjectPlan:
    """Add what speaks against it, or that it takes fields back."""
    objection = "" if seen.is_ours else existing_objection(planned.key, seen, adopt, marks)
    if objection:
        return replace(planned, objection=objection)
    taken = answer.taken
    sent = orjson.loads(answer.sent) if taken else {}
    strangers = [one for one in taken if not is_same and not _was_ours(one, sent, seen, answer, adopt)]
    version = planned.manifest.api_version if planned.manifest else ""
    if strangers and not (_takes_back_alone(planned, seen) and _speak_otherwise(strangers, seen, version)):
        return replace(planned, objection=f"{conflict_text(strangers)}: fields that were never ours")
    # What is there and ours no more is somebody's, also where a version that we do not speak hides whose.
    takes_back = is_same and any(one.before is not ABSENT for one in planned.changes)
    seizes = any(_is_free(one) or _is_our_mark(one, sent, seen) for one in taken)
    seizes = seizes or (bool(taken) and answer.adopted is not None) or any(_is_shared(one, sent, seen) for one in taken)
    # Forced, as it is where nothing but drift is looked for, a dry run names no conflict: who holds a mark is nobody's.
    seizes = seizes or (takes_back and any(seen.is_ours and _is_mark(one.path) for one in planned.changes))
    return replace(planned, force=bool(taken) or takes_back, seize=seizes)


def existing_objection(key: ObjectKey, seen: Seen, adopt: Adopt, marks: Marks) -> str:
    """Say why an object that is not ours stays as it is; "" when it is taken over."""
    foreign = marks.foreign(key, seen.live)
    if foreign:
        return f"it belongs to {foreign}"
    return adoption_objection(adopt, marks.tool(seen.live, seen.managed))


def _is_free(taken: Conflict) -> bool:
    """Tell whether a field's holder let go of it: what we released, or a number somebody scaled to.

    Where an autoscaler is there, its number was left out before this is asked.
    """
    return taken.manager == RELEASED_MANAGER or taken.subresource == "scale"


def _was_ours(taken: Conflict, sent: Mapping[str, Any], seen: Seen, answer: Answer, adopt: Adopt) -> bool:
    """Tell whether a field was ours before, or its holder is one whom we take over from."""
    if _is_free(taken):
        return True
    if answer.adopted is not None and (taken.manager in answer.adopted.managers or adopt is Adopt.TAKE_OVER):
        return True
    is_named = seen.is_ours and was_named(seen.footprint, conflict_path(taken.field, sent))
    return is_named or _is_our_mark(taken, sent, seen)


def _is_shared(taken: Conflict, sent: Mapping[str, Any], seen: Seen) -> bool:
    """Tell whether a field is ours as much as its other holder's, who agreed with us so far: git's change goes."""
    return seen.is_ours and holds(seen.managed, conflict_path(taken.field, sent), {MANAGER})


def _speak_otherwise(taken: Iterable[Conflict], seen: Seen, api_version: str) -> bool:
    """Tell whether all these conflicts name fields of other versions than ours: `spec.cpu` for our `spec.size`."""
    elsewhere = {one.get("manager") for one in seen.managed if one.get("apiVersion") != api_version}
    here = {one.get("manager") for one in seen.managed if one.get("apiVersion") == api_version}
    return all(one.manager in elsewhere - here for one in taken)


def _takes_back_alone(planned: ObjectPlan, seen: Seen) -> bool:
    """Tell whether all that would change, and is there, was ours or still is."""
    ours = own_entries(seen.managed)
    return not any(
        one.cause is Cause.PENDING and one.before is not ABSENT and editor_of(ours, one.path) is None
        for one in planned.changes
    )


def _is_our_mark(taken: Conflict, sent: Mapping[str, Any], seen: Seen) -> bool:
    """Tell whether somebody wrote over a mark of ours; most of them are no change that a plan would name."""
    return seen.is_ours and _is_mark(conflict_path(taken.field, sent))


def _is_mark(path: FieldPath) -> bool:
    return len(path) > 2 and path[0] == "metadata" and str(path[2]).startswith(OURS)


def _change(found: Difference, seen: Seen, *, is_same: bool) -> FieldChange:
    cause = _cause(found, seen, is_same=is_same)
    who = None
    if cause is Cause.DRIFT and found.before is not ABSENT:
        who = editor_of(seen.managed, found.path, exclude={MANAGER}) or _only_editor_elsewhere(seen, found.path)
    return FieldChange(found.path, found.before, found.after, cause, who)


def _only_editor_elsewhere(seen: Seen, path: FieldPath) -> Editor | None:
    """Name who wrote in another version of the object, when that is one alone: its fields have other names than ours.

    Every value has a holder, and none that speaks our version has this one. Metadata is the same in all versions.
    """
    if path[0] == "metadata":
        return None
    ours = {one.get("apiVersion") for one in own_entries(seen.managed)}
    others = [
        one
        for one in seen.managed
        if ours and one.get("apiVersion") not in ours and f"f:{path[0]}" in (one.get("fieldsV1") or {})
    ]
    return editor(others[0]) if len(others) == 1 else None


def _cause(found: Difference, seen: Seen, *, is_same: bool) -> Cause:
    if found.path == RELEASED:
        return Cause.PENDING
    if is_same:
        return Cause.DRIFT
    is_named = was_named(seen.footprint, found.path)
    if found.before is ABSENT:
        # Inside a list a footprint can't tell a new element from one that somebody removed.
        is_in_list = any(isinstance(step, Element) for step in found.path)
        return Cause.DRIFT if is_named and not is_in_list else Cause.PENDING
    is_still_ours = holds(seen.managed, found.path, {MANAGER, RELEASED_MANAGER})
    # Our marks name themselves: a digest that somebody wrote over says nothing of what was applied.
    was_ours = is_named or (seen.is_ours and _is_mark(found.path))
    return Cause.DRIFT if was_ours and not is_still_ours else Cause.PENDING


def _hidden(changes: tuple[FieldChange, ...], key: ObjectKey, hide: Hide) -> tuple[FieldChange, ...]:
    if key.kind != "Secret" or key.group:
        return changes
    return tuple(
        replace(one, before=hide(one.before), after=hide(one.after)) if one.path[0] in SECRET_FIELDS else one
        for one in changes
    )


def plan_hash(desired: Desired, objects: Iterable[ObjectPlan], key: Secret) -> Digest:
    """Hash what a plan would do (rule 10): keyed, since it tells of secret values too; no commit, version or time."""
    content = {
        "placement": str(desired.placement),
        "inputs": desired.inputs,
        "desired": desired.digest,
        "objects": [
            _canonical(one)
            for one in sorted((one for one in objects if one.action is not _NOTHING), key=lambda one: str(one.key))
        ],
    }
    return Digest(f"sha256:{keyed_hash(key, content)}")


_NOTHING: Final = Action.NOTHING


def _canonical(one: ObjectPlan) -> object:
    return {
        "object": str(one.key),
        "action": one.action,
        "cause": one.cause,
        "digest": one.manifest.digest if one.manifest else "",
        "objection": one.objection,
        "force": one.force,
        "keeps": one.keeps,
        "adopts": list(one.adopts),
        "changes": [
            [format_path(change.path), change.cause, _spoken(change.before), _spoken(change.after)]
            for change in one.changes
        ],
    }


def _spoken(value: FieldValue) -> object:
    if value is ABSENT:
        return {}
    return {"hidden": value.keyed_hash} if isinstance(value, Hidden) else {"value": value}
