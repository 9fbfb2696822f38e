"""What the engine tells whoever listens: the log, the demo's story, metrics. Values; nobody's answer is waited for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from controller.model import (
    CommitId,
    FieldChange,
    GroupRef,
    ObjectKey,
    Outcome,
    PlacementRef,
    PlacementReport,
    Problem,
    RepositoryName,
)


@dataclass(frozen=True, slots=True)
class RevisionFound:
    """A followed branch or tag moved."""

    repository: RepositoryName
    revision: str
    commit: CommitId
    subject: str


@dataclass(frozen=True, slots=True)
class SourceFailed:
    """A repository, or a revision of it, can't be read now; what is known of it stays in force."""

    repository: RepositoryName
    revision: str  # "" speaks of the repository as a whole
    reason: str


@dataclass(frozen=True, slots=True)
class PlatformAccepted:
    commit: CommitId
    placements: int


@dataclass(frozen=True, slots=True)
class PlatformRejected:
    """The newest platform commit does not validate; `in_force` stays."""

    commit: CommitId | None  # None: nothing was ever in force
    in_force: CommitId | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class DriftProposed:
    """What drifted is offered to git, on a branch."""

    placement: PlacementRef
    branch: str
    commit: CommitId


@dataclass(frozen=True, slots=True)
class ProposalFailed:
    placement: PlacementRef
    branch: str
    reason: str


@dataclass(frozen=True, slots=True)
class DriftFound:
    placement: PlacementRef
    key: ObjectKey
    changes: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class ObjectApplied:
    placement: PlacementRef
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class PlacementReconciled:
    """One run of one placement ended. `is_transition` is False where the report equals the one before."""

    report: PlacementReport
    seconds: float
    is_transition: bool


@dataclass(frozen=True, slots=True)
class PlacementCrashed:
    """A bug of ours, fenced in: the other placements go on."""

    placement: PlacementRef
    error: Exception


@dataclass(frozen=True, slots=True)
class RecordsPushed:
    commit: CommitId
    groups: tuple[GroupRef, ...]


@dataclass(frozen=True, slots=True)
class RecordsFailed:
    reason: str


@dataclass(frozen=True, slots=True)
class Exported:
    """So many instances are with another system, or on its branch."""

    export: str
    instances: int


@dataclass(frozen=True, slots=True)
class ExportFailed:
    export: str
    reason: str


Event: TypeAlias = (
    RevisionFound
    | SourceFailed
    | PlatformAccepted
    | PlatformRejected
    | DriftFound
    | DriftProposed
    | ProposalFailed
    | ObjectApplied
    | PlacementReconciled
    | PlacementCrashed
    | RecordsPushed
    | RecordsFailed
    | Exported
    | ExportFailed
)
Tell: TypeAlias = Callable[[Event], None]
