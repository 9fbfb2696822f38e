"""What is known of one cluster's objects of ours, and what each piece of news does to it. No I/O.

A verdict on drift costs no request: after each of our applies an object's baseline (our field set, and a hash of the
live values under it) is what news is compared with. While an object is no suspect, its baseline is that of its live
state, and is taken when it is asked for. An object that was never judged, as all are after a restart, is suspect until
a planner has judged it, or one before the restart had judged this very state (`verdicts`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from controller.model import NO_RULES, Health, HealthRules, InstallationId, ObjectKey, PlacementRef
from controller.targets.kubernetes.health import health
from controller.targets.kubernetes.labels import (
    APPLYSET_GROUP_KINDS_ANNOTATION,
    APPLYSET_NAMESPACES_ANNOTATION,
    SYSTEM_NAMESPACE,
    applyset_id,
    parent_key,
)
from controller.targets.kubernetes.members import Member, Parent
from controller.targets.kubernetes.ownership import Baseline, baseline
from controller.targets.kubernetes.packing import pack
from controller.targets.kubernetes.seeing import Sight, is_newer
from controller.targets.kubernetes.verdicts import NO_VERDICTS, Judged, Verdicts

Placements = frozenset[PlacementRef]
NOBODY: Final[Placements] = frozenset()


@dataclass(frozen=True, slots=True)
class Record:
    """A member, and what it is compared with."""

    member: Member
    substance: bytes
    baseline: Baseline | None = None  # of a suspect that was none once

    def known(self) -> Baseline | None:
        """Give what news is compared with; None for what was never judged."""
        if self.member.is_suspect:
            return self.baseline
        return baseline(self.member.live(), self.member.managed())


class Store:
    """Owned by one `Cache`. What changes it gives back the placements that it matters to."""

    def __init__(
        self, installation: InstallationId, *, home: str = SYSTEM_NAMESPACE, verdicts: Verdicts = NO_VERDICTS
    ) -> None:
        self._installation = installation
        self._verdicts = verdicts  # of a process before this one
        self._home = home  # the namespace of parents
        self._rules = NO_RULES
        self._records: dict[ObjectKey, Record] = {}
        self._of: dict[PlacementRef, dict[ObjectKey, Record]] = {}
        self._parents: dict[PlacementRef, Parent] = {}
        self._sets: dict[str, PlacementRef] = {}  # by ApplySet id
        self._known: dict[PlacementRef, PlacementRef] = {}  # one value each, however many objects name it
        self.moves = 0  # of members: how often one came, changed or went
        self._deleted: dict[str, ObjectKey] = {}  # by uid: deleted by us, and late news of it may still come

    def judge_by(self, rules: HealthRules) -> Placements:
        """Judge health by these rules from now on, what is known already too."""
        before, self._rules = self._rules, rules
        changed = {kind for kind in before.keys() | rules.keys() if before.get(kind) != rules.get(kind)}
        woken: set[PlacementRef] = set()
        for key, record in [one for one in self._records.items() if one[0].group_kind in changed]:
            live = record.member.live()
            state, reason = health({"apiVersion": record.member.api_version, "kind": key.kind, **live}, rules)
            if (state, reason) != (record.member.health, record.member.health_reason):
                self._put(replace(record, member=replace(record.member, health=state, health_reason=reason)))
                woken.add(record.member.placement)
        return frozenset(woken)

    def judged(self) -> list[Judged]:
        """Give the states that are as we applied them: verdicts that hold for whoever comes next."""
        return [(one.member, one.substance) for one in self._records.values() if not one.member.is_suspect]

    def members(self, placement: PlacementRef) -> tuple[Member, ...]:
        found = self._of.get(placement, {})
        return tuple(found[key].member for key in sorted(found))

    def parent(self, placement: PlacementRef) -> Parent | None:
        return self._parents.get(placement)

    def parents(self) -> tuple[Parent, ...]:
        return tuple(self._parents[placement] for placement in sorted(self._parents))

    def placements(self) -> Placements:
        return frozenset(self._of) | frozenset(self._parents)

    def placements_with(self, group_kind: str) -> Placements:
        """Name the placements that may have objects of a kind."""
        named = {one.placement for one in self._parents.values() if group_kind in one.group_kinds}
        return frozenset(named | {one.member.placement for one in self._records.values() if _is(one, group_kind)})

    def known(self, group_kind: str, api_version: str, namespace: str = "") -> Iterator[tuple[ObjectKey, str]]:
        """Give key and uid of the members and parents that are followed as this kind and version, "": everywhere."""
        for key, record in self._records.items():
            is_it = key.group_kind == group_kind and record.member.api_version == api_version
            if is_it and namespace in {"", key.namespace}:
                yield key, record.member.uid
        if group_kind == "ConfigMap" and namespace in {"", self._home}:
            yield from ((parent.key, parent.uid) for parent in self._parents.values())

    def holds(self, key: ObjectKey, uid: str) -> bool:
        """Tell whether this very object is known as a member or a parent."""
        record = self._records.get(key)
        if record is not None:
            return record.member.uid == uid
        return any(one.key == key and one.uid == uid for one in self._parents.values())

    def take(self, sight: Sight) -> Placements:
        """Take what an event or a LIST shows. Old news, and objects of others, change nothing."""
        if sight.uid in self._deleted:
            return NOBODY
        if sight.parent_id:
            return self._take_parent(sight)
        record = self._records.get(sight.key)
        is_same = record is not None and record.member.uid == sight.uid
        if record is not None and not _is_news(sight, record.member):
            return NOBODY
        placement = self._placement(sight, record if is_same else None)
        if placement is None:
            return self.forget(sight.key, record.member.uid) if record is not None and not is_same else NOBODY
        if record is None or not is_same:
            is_suspect = not self._verdicts.holds(sight)
            new = _record(sight, placement, None, self._rules, is_suspect=is_suspect)
        elif record.substance == sight.substance:
            is_suspect = record.member.is_suspect
            new = _record(sight, placement, record.baseline, self._rules, is_suspect=is_suspect)
        else:
            new = _record(sight, placement, record.known(), self._rules, is_suspect=None)
        self._put(new)
        return _woken(record.member if record else None, new.member)

    def applied(self, sight: Sight) -> tuple[Member, Placements]:
        """Take the server's answer to our apply. Raises ValueError for an object without our owner annotation."""
        record = self._records.get(sight.key)
        placement = self._placement(sight, None)
        if placement is None:
            raise ValueError(f"{sight.key} does not carry the owner annotation of this installation")
        live, managed = _decoded(sight)
        if record is not None and record.member.uid == sight.uid:
            if _is_shown(sight, record.member):  # the watch was faster than the answer
                member = replace(record.member, is_suspect=False)
                self._put(Record(member, record.substance))
                return member, NOBODY
            if is_newer(record.member.resource_version, sight.resource_version):
                return self._overtaken(record, baseline(live, managed))
        new = Record(_member(sight, placement, live, managed, self._rules, is_suspect=False), sight.substance)
        self._put(new)
        has_moved = record is not None and record.member.placement != placement
        return new.member, frozenset({record.member.placement}) if record and has_moved else NOBODY

    def _overtaken(self, record: Record, ours: Baseline) -> tuple[Member, Placements]:
        """Judge what somebody wrote after us, and the watch told before the server's answer reached us."""
        is_suspect = baseline(record.member.live(), record.member.managed()) != ours
        member = replace(record.member, is_suspect=is_suspect)
        self._put(Record(member, record.substance, ours if is_suspect else None))
        return member, frozenset({member.placement}) if is_suspect else NOBODY

    def clean(self, member: Member, judged: Baseline) -> None:
        """Take this state of an object as the one that we applied, unless anything of ours moved since.

        The status of what rolls out moves all the time.
        """
        record = self._records.get(member.key)
        if record is None or record.member.uid != member.uid:
            return
        now = record.member
        if now.resource_version != member.resource_version and baseline(now.live(), now.managed()) != judged:
            return
        self._put(Record(replace(now, is_suspect=False), record.substance))

    def forget(self, key: ObjectKey, uid: str) -> Placements:
        """Drop an object that is gone for certain."""
        record = self._records.get(key)
        if record is not None and record.member.uid == uid:
            placement = record.member.placement
            self.moves += 1
            del self._records[key]
            del self._of[placement][key]
            if not self._of[placement]:
                del self._of[placement]
            return frozenset({placement})
        return frozenset({one.placement for one in self._drop_parents(key, uid)})

    def deleted(self, key: ObjectKey, uid: str) -> None:
        """Drop an object that we deleted, and expect late news of it."""
        self.forget(key, uid)
        self._deleted[uid] = key

    def is_mourned(self, uid: str) -> bool:
        """Tell whether this DELETED event is the last news of our own delete, and so needs no second look."""
        return self._deleted.pop(uid, None) is not None

    def end_mourning(self, group_kind: str, namespace: str = "") -> None:
        """After a complete LIST no late news of this kind can come, from this namespace ("": from any)."""
        self._deleted = {
            uid: key
            for uid, key in self._deleted.items()
            if key.group_kind != group_kind or namespace not in {"", key.namespace}
        }

    def _placement(self, sight: Sight, record: Record | None) -> PlacementRef | None:
        """Say whose an object is; None: not ours.

        A copy made by another controller carries its original's annotation, which names another object; and it was
        not applied by us. A spoiled annotation on an object that we know, or applied, does not make it less ours.
        """
        owner = sight.owner
        if owner is not None and owner.installation == self._installation and owner.key == sight.key:
            return self._known.setdefault(owner.placement, owner.placement)
        if record is not None:
            return record.member.placement
        return self._sets.get(sight.member_of) if owner is None and sight.applied_as else None

    def _put(self, record: Record) -> None:
        key, placement = record.member.key, record.member.placement
        old = self._records.get(key)
        if old is not None and old.member.placement != placement:
            self.forget(key, old.member.uid)
        self.moves += 1
        self._records[key] = record
        self._of.setdefault(placement, {})[key] = record

    def _take_parent(self, sight: Sight) -> Placements:
        owner = sight.owner
        if owner is None or owner.installation != self._installation or owner.key != sight.key:
            return NOBODY
        if sight.key != parent_key(self._installation, owner.placement, self._home):
            return NOBODY
        old = self._parents.get(owner.placement)
        if old and old.uid == sight.uid and not is_newer(sight.resource_version, old.resource_version):
            return NOBODY
        live, _ = _decoded(sight)
        annotations = live["metadata"].get("annotations") or {}
        self._parents[owner.placement] = Parent(
            placement=owner.placement,
            key=sight.key,
            uid=sight.uid,
            resource_version=sight.resource_version,
            group_kinds=_names(annotations.get(APPLYSET_GROUP_KINDS_ANNOTATION, "")),
            namespaces=(sight.key.namespace, *_names(annotations.get(APPLYSET_NAMESPACES_ANNOTATION, ""))),
            body=pack(live),
        )
        self._sets[applyset_id(sight.key)] = owner.placement
        # Our own writes wake nobody: who wrote knows.
        return frozenset({owner.placement}) if sight.is_touched else NOBODY

    def _drop_parents(self, key: ObjectKey, uid: str) -> list[Parent]:
        gone = [one for one in self._parents.values() if one.key == key and one.uid == uid]
        for one in gone:
            del self._parents[one.placement]
            self._sets.pop(applyset_id(one.key), None)
        return gone


def _names(text: str) -> tuple[str, ...]:
    return tuple(sys.intern(one) for one in text.split(",") if one)  # every parent names the same few


def _is_news(sight: Sight, known: Member) -> bool:
    if sight.api_version != known.api_version and sight.resource_version == known.resource_version:
        return True  # the same state in other terms: the caller prefers those in which we applied
    return is_newer(sight.resource_version, known.resource_version)


def _is_shown(sight: Sight, known: Member) -> bool:
    return (sight.resource_version, sight.api_version) == (known.resource_version, known.api_version)


def _is(record: Record, group_kind: str) -> bool:
    return record.member.key.group_kind == group_kind


def _decoded(sight: Sight) -> tuple[dict[str, Any], list[Any]]:
    """Decode an object whole, and its managedFields apart. Items of a LIST don't say what they are: it is added."""
    live: dict[str, Any] = {"apiVersion": sight.api_version, "kind": sight.key.kind, **orjson.loads(bytes(sight.raw))}
    return live, live["metadata"].pop("managedFields", None) or []


def _record(
    sight: Sight, placement: PlacementRef, known: Baseline | None, rules: HealthRules, *, is_suspect: bool | None
) -> Record:
    """Make a record; `is_suspect` None: to be judged against the baseline, without one it is."""
    live, managed = _decoded(sight)
    if is_suspect is None:
        is_suspect = known is None or baseline(live, managed) != known
    member = _member(sight, placement, live, managed, rules, is_suspect=is_suspect)
    return Record(member, sight.substance, known if is_suspect else None)


def _member(
    sight: Sight,
    placement: PlacementRef,
    live: dict[str, Any],
    managed: list[Any],
    rules: HealthRules,
    *,
    is_suspect: bool,
) -> Member:
    state, reason = health(live, rules)
    return Member(
        key=sight.key,
        api_version=sight.api_version,
        placement=placement,
        uid=sight.uid,
        resource_version=sight.resource_version,
        digest=sight.digest,
        health=state,
        health_reason=reason,
        is_suspect=is_suspect,
        is_terminating=sight.is_terminating,
        released=sight.released,
        body=pack(live),
        managers=pack(managed),
    )


def _woken(old: Member | None, new: Member) -> Placements:
    """Name the placements whose state moved: a status that only counts on wakes nobody."""
    if old is None:
        return frozenset({new.placement})
    is_same = (
        old.uid == new.uid
        and old.placement == new.placement
        and old.health == new.health
        and (old.health_reason == new.health_reason or new.health is Health.PROGRESSING)
        and old.is_suspect == new.is_suspect
        and old.is_terminating == new.is_terminating
        and old.digest == new.digest
    )
    return NOBODY if is_same else frozenset({old.placement, new.placement})
