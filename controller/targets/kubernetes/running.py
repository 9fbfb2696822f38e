"""One apply as it goes: what was asked, what became of each object, what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from controller.model import (
    Action,
    Application,
    Cause,
    ConvergeError,
    Manifest,
    ObjectKey,
    ObjectPlan,
    Outcome,
    Plan,
    Result,
    Transient,
)
from controller.targets.kubernetes.cache import Cache, Member
from controller.targets.kubernetes.marking import Marks
from controller.targets.kubernetes.options import options_of
from controller.targets.kubernetes.planning import SHARED

WRITES: Final = frozenset({Action.CREATE, Action.CHANGE, Action.REPLACE})


@dataclass(slots=True)
class Run:
    """One apply, as it goes. Owned by the task that runs it."""

    plan: Plan
    application: Application
    marks: Marks
    superseded: asyncio.Event
    outcomes: list[Outcome] = field(default_factory=list)
    failures: list[ConvergeError] = field(default_factory=list)
    notes: dict[ObjectKey, str] = field(default_factory=dict)
    _released: frozenset[ObjectKey] | None = None

    # The gate turned what carries an objection into nothing; should one come through, it is not written all the same.

    @property
    def own_marks(self) -> Marks:
        """The marks by which nothing of a neighbour is taken for ours: what is deleted must be."""
        return replace(self.marks, neighbours=None)

    @property
    def writes(self) -> list[ObjectPlan]:
        return [one for one in self.plan.objects if one.action in WRITES and not one.objection]

    @property
    def deletions(self) -> list[ObjectPlan]:
        return [one for one in self.plan.objects if one.action is Action.DELETE and not one.objection]

    @property
    def manifests(self) -> list[Manifest]:
        """What shall be there, without what is nobody's member."""
        found = (one.manifest for one in self.plan.objects)
        return [one for one in found if one is not None and one.digest != SHARED]

    @property
    def present(self) -> list[Manifest]:
        """What is on the target when all goes well: without what the gate held back."""
        held_back = {one.key for one in self.plan.objects if one.objection}
        return [one for one in self.manifests if one.key not in held_back]

    @property
    def awaited(self) -> list[Manifest]:
        """Those of them whose health later waves and deletions wait for."""
        return [one for one in self.present if options_of(one).is_waited_for]

    def released(self, cache: Cache) -> frozenset[ObjectKey]:
        """Name the live objects of which something is left to others: looked up once in a run."""
        if self._released is None:
            found = (one.key for one in cache.members(self.plan.placement) if one.released)
            self._released = frozenset(found)
        return self._released

    def say(self, key: ObjectKey, result: Result, reason: str = "") -> None:
        self.outcomes.append(Outcome(key, result, reason or self.notes.get(key, "")))

    def note(self, key: ObjectKey, text: str) -> None:
        """Keep what is worth telling of a write that went well."""
        self.notes[key] = text

    def fail(self, key: ObjectKey, error: ConvergeError) -> None:
        self.say(key, Result.FAILED, str(error))
        self.failures.append(error)

    def settle(self, objects: Iterable[ObjectPlan], results: Iterable[Result | ConvergeError]) -> bool:
        """Take what became of objects that were dealt with together; True when all went well."""
        for one, result in zip(objects, results, strict=True):
            if isinstance(result, ConvergeError):
                self.fail(one.key, result)
            else:
                self.say(one.key, result)
        return not self.failures

    def is_superseded(self) -> bool:
        """Tell whether a newer commit is there, which ends this run."""
        if self.superseded.is_set():
            self.failures.append(Transient("a newer commit is there: the rest of this one is left to it"))
        return self.superseded.is_set()

    def member(self, cache: Cache, key: ObjectKey) -> Member | None:
        return next((one for one in cache.members(self.plan.placement) if one.key == key), None)


def manifest_of(one: ObjectPlan) -> Manifest:
    """Give the manifest of a write: only a deletion has none."""
    assert one.manifest is not None  # noqa: S101  # deletions go another way
    return one.manifest


def is_complete(plan: Plan) -> bool:
    """Tell whether everything that git says is on the target after this plan: what only drifted was applied before."""
    return all(one.manifest is None or not one.objection or _has_only_drifted(one) for one in plan.objects)


def _has_only_drifted(one: ObjectPlan) -> bool:
    return one.cause is Cause.DRIFT or (bool(one.changes) and all(each.cause is Cause.DRIFT for each in one.changes))


def account_for_the_rest(run: Run) -> None:
    """Give every object of the plan an outcome: what nobody came to was skipped, what was as planned is unchanged."""
    told = {one.key for one in run.outcomes}
    reason = "an earlier step failed" if run.failures else "not needed"
    for one in run.plan.objects:
        if one.key in told:
            continue
        if one.objection:
            run.say(one.key, Result.SKIPPED, one.objection)
        elif one.action is Action.NOTHING:
            run.say(one.key, Result.UNCHANGED)
        else:
            run.say(one.key, Result.SKIPPED, reason)
