"""Sync status and health: of an object, a placement, a group, an environment, the fleet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from controller.model.by_hand import ByHand
from controller.model.fields import FieldChange, JsonValue
from controller.model.ids import CommitId, Digest, GroupRef, ObjectKey, PlacementRef, Revision
from controller.model.manifest import Manifest, Origin
from controller.model.plan import Result
from controller.model.secret import Secret
from controller.model.telling import KindModels


class SyncStatus(StrEnum):
    """A headline; the first that holds, in this order."""

    FAILED = "Failed"
    UNKNOWN = "Unknown"
    SUSPENDED = "Suspended"
    AWAITING_APPROVAL = "AwaitingApproval"
    SYNCING = "Syncing"
    DRIFTED = "Drifted"
    PENDING = "Pending"
    SYNCED = "Synced"


class Health(StrEnum):
    """The first that holds of a placement's objects, in this order, is the placement's."""

    DEGRADED = "Degraded"
    UNKNOWN = "Unknown"
    MISSING = "Missing"
    TERMINATING = "Terminating"
    PROGRESSING = "Progressing"
    SUSPENDED = "Suspended"
    HEALTHY = "Healthy"


SYNC_ORDER = tuple(SyncStatus)
HEALTH_ORDER = tuple(Health)


def headline_sync(statuses: Iterable[SyncStatus]) -> SyncStatus:
    """Add states up: the first in the order of `SyncStatus`; nothing at all is Synced."""
    return min(statuses, key=SYNC_ORDER.index, default=SyncStatus.SYNCED)


def headline_health(healths: Iterable[Health]) -> Health:
    """Add healths up: the first in the order of `Health`; nothing at all is Healthy."""
    return min(healths, key=HEALTH_ORDER.index, default=Health.HEALTHY)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveObject:
    """One object of ours as the target shows it now. No value of it: a judgement."""

    key: ObjectKey
    uid: str
    digest: Digest | None  # of the Manifest that was applied last, from the object itself; None: unknown
    health: Health
    health_reason: str = ""  # one line; "" when healthy
    diagnosis: str = ""  # the part of it that says why it does not get well, as its pods and events tell
    released: Mapping[str, str] = field(default_factory=dict)  # fields of git that are left to others, and why
    is_suspect: bool = False  # ownership or values moved since our last apply: a dry run must look
    part_of: ObjectKey | None = None  # the object out of which the target made it; None: git names it itself
    attributes: Mapping[str, JsonValue] = field(default_factory=dict)  # facts for records, none of them secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a target holds of one placement, whole: a part that can't be seen raises Transient instead (rule 3)."""

    placement: PlacementRef
    applied: Revision | None  # the revision whose objects were last applied completely; None: never
    applied_digest: Digest | None  # the `Desired.digest` of that
    objects: tuple[LiveObject, ...]
    has_loose_ends: bool = False  # an earlier run died before it wrote down that what it deleted is gone
    outputs: Mapping[str, JsonValue | Secret] = field(default_factory=dict)  # what other placements may take in
    note: str = ""  # what a human should know of the target, though all of this is true

    @property
    def health(self) -> Health:
        return headline_health(one.health for one in self.objects)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectReport:
    """One object as records tell it. `manifest` is None for what git no longer says."""

    key: ObjectKey
    sync: SyncStatus
    health: Health
    health_reason: str = ""
    diagnosis: str = ""  # the part of it that does not tick while something rolls out
    manifest: Manifest | None = None
    result: Result | None = None  # of the last run that touched it
    reason: str = ""
    drift: tuple[FieldChange, ...] = ()  # found and not yet corrected, or corrected in this run
    part_of: ObjectKey | None = None
    attributes: Mapping[str, JsonValue] = field(default_factory=dict)  # that the target told, none of them secret
    released: Mapping[str, str] = field(default_factory=dict)  # fields of git that are left to others, and why


class WaitKind(StrEnum):
    ORDER = "order"  # another environment goes first
    APPROVAL = "approval"
    WINDOW = "window"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What pending changes wait for. `what` is stable while the wait is the same: no count-down."""

    kind: WaitKind
    what: str  # one line, for people
    whom: tuple[str, ...] = ()  # the groups, or the people
    until: datetime | None = None  # when it ends by itself, as far as is known now


@dataclass(frozen=True, slots=True)
class Warrant:
    """What let a change through where its policy asks for an approval: `plan` None, when there was nothing to approve.

    The plan's yes was found at `platform`, the commit of the platform repository that was in force.
    """

    plan: Digest | None
    platform: CommitId


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementReport:
    """One placement as records tell it: derived from a run's values, never kept as state of its own."""

    placement: PlacementRef
    sync: SyncStatus
    health: Health
    reason: str = ""  # why it is not Synced and Healthy: one line, or one line per problem
    revision: Revision | None = None  # what git says now
    applied: Revision | None = None  # what the target runs
    branch: str = ""  # the branch, tag or commit that the application follows
    repository_url: str = ""  # of the application, without credentials
    subject: str = ""  # first line of the application commit's message
    author: str = ""
    pending: int = 0
    drifted: int = 0
    objects: tuple[ObjectReport, ...] = ()
    origin: Origin | None = field(default=None, compare=False)  # the application's entry in its environment file
    models: KindModels = field(default_factory=dict, hash=False)  # of the platform's own, for the kinds of `objects`
    retired: bool = False  # gone from git and from its target
    waits: tuple[Wait, ...] = ()  # what its pending changes wait for
    inputs: Digest | None = field(default=None, compare=False)  # of the desired state that the run ended with
    warrant: Warrant | None = field(default=None, compare=False)  # for what the run applied
    removal: Warrant | None = field(default=None, compare=False)  # for what the run took away, of all there was
    by_hand: ByHand | None = field(default=None, hash=False)  # who applied it, where the controller did not


@dataclass(frozen=True, slots=True)
class Transition:
    """A placement's state at a moment, handed to the records room whenever it moved."""

    report: PlacementReport
    at: datetime

    @property
    def group(self) -> GroupRef:
        return self.report.placement.group
