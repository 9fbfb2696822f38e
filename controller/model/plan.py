"""What a sync would do, said before anything is written, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from controller.model.errors import ConvergeError
from controller.model.fields import Cause, FieldChange, FieldPath
from controller.model.ids import Digest, ObjectKey, PlacementRef, Revision
from controller.model.manifest import Manifest, Neighbours


class Action(StrEnum):
    CREATE = "create"
    CHANGE = "change"
    REPLACE = "replace"
    DELETE = "delete"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPlan:
    """What a sync would do to one object.

    `cause` says whose move it answers: a create because git added the object is pending, one because somebody
    deleted it is drift. `objection` is why a change or delete must not happen ("" when it may).
    """

    key: ObjectKey
    action: Action
    cause: Cause = Cause.PENDING
    changes: tuple[FieldChange, ...] = ()
    manifest: Manifest | None = None  # None for a delete
    uid: str = ""  # of the live object, "" where there is none
    resource_version: str = ""
    objection: str = ""
    waits: bool = False  # the objection ends by itself, and its event wakes us
    destroys: str = ""  # what it takes away for good, for people; "" where nothing. It needs an approval of its own
    held: tuple[FieldPath, ...] = ()  # fields that this apply leaves as they are: not sent
    force: bool = False  # the announced changes take fields from other managers
    seize: bool = False  # among them pending ones: of an object that is adopted, or of a field that was released
    keeps: bool = False  # a delete that only lets go: the live object stays, and is nobody's
    adopts: tuple[str, ...] = ()  # the field managers from which an object that was there before is taken over
    left_behind: tuple[tuple[FieldPath, str], ...] = ()  # git dropped these fields, and this manager keeps them

    @property
    def is_pending(self) -> bool:
        if self.action is Action.CHANGE:
            return not self.changes or any(change.cause is Cause.PENDING for change in self.changes)
        return self.action is not Action.NOTHING and self.cause is Cause.PENDING

    @property
    def is_drifted(self) -> bool:
        if self.action is Action.CHANGE:
            return any(change.cause is Cause.DRIFT for change in self.changes)
        return self.action is not Action.NOTHING and self.cause is Cause.DRIFT


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Per object, what a sync would do. `hash` binds an approval: never a commit, a serial or a time in it.

    A plan that `is_whole` is applied as it is or not at all, as Terraform's are. Its `correction` is then a plan of
    its own, whole as well, that takes back what has drifted and leaves what is pending as it is.
    """

    placement: PlacementRef
    revision: Revision
    desired: Digest  # the digest of the Desired it leads to
    objects: tuple[ObjectPlan, ...]
    hash: Digest
    neighbours: Neighbours | None = None  # of the Desired
    on_failure: tuple[Manifest, ...] = ()  # of the Desired
    before_delete: tuple[Manifest, ...] = ()  # of the Desired; of what is taken away, as they were applied last
    after_delete: tuple[Manifest, ...] = ()
    is_whole: bool = False
    correction: Plan | None = None

    @property
    def is_empty(self) -> bool:
        return all(one.action is Action.NOTHING for one in self.objects)

    @property
    def pending(self) -> int:
        return sum(one.is_pending for one in self.objects)

    @property
    def drifted(self) -> int:
        return sum(one.is_drifted for one in self.objects)


Permitted = NewType("Permitted", Plan)  # a Plan that passed the gate: only `engine/gate.py` makes one


class Result(StrEnum):
    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    PRUNED = "pruned"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one object. `reason` is one line, without secret values; needed for skipped and failed."""

    key: ObjectKey
    result: Result
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of applying a Plan: an outcome per object, in the order in which they ended."""

    outcomes: tuple[Outcome, ...]
    failure: ConvergeError | None = None  # what stopped it; None when every object is as planned

    @property
    def is_complete(self) -> bool:
        return self.failure is None
