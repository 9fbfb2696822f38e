"""Events as log lines: constant names, everything variable as keys."""

from __future__ import annotations

from typing import assert_never

import structlog

from controller.engine.events import (
    DriftFound,
    DriftProposed,
    Event,
    Exported,
    ExportFailed,
    ObjectApplied,
    PlacementCrashed,
    PlacementReconciled,
    PlatformAccepted,
    PlatformRejected,
    ProposalFailed,
    RecordsFailed,
    RecordsPushed,
    RevisionFound,
    SourceFailed,
)
from controller.model import Result, SyncStatus, format_path

log = structlog.get_logger()


def write(event: Event) -> None:
    """Log one event. Values of fields are left out: a name says enough here, and a record says the rest."""
    match event:
        case RevisionFound():
            log.info(
                "revision.found",
                repository=event.repository,
                revision=event.revision or "HEAD",
                commit=event.commit,
                subject=event.subject,
            )
        case SourceFailed():
            log.warning("source.failed", repository=event.repository, revision=event.revision, reason=event.reason)
        case PlatformAccepted():
            log.info("platform.accepted", commit=event.commit, placements=event.placements)
        case PlatformRejected():
            log.error(
                "platform.rejected",
                commit=event.commit,
                in_force=event.in_force,
                problems=[str(problem) for problem in event.problems],
            )
        case DriftFound() | DriftProposed() | ProposalFailed():
            _write_drift(event)
        case ObjectApplied():
            _write_object(event)
        case PlacementReconciled():
            _write_placement(event)
        case PlacementCrashed():
            log.error("placement.crashed", placement=str(event.placement), exc_info=event.error)
        case RecordsPushed() | RecordsFailed() | Exported() | ExportFailed():
            _write_records(event)
        case _:
            assert_never(event)


def _write_records(event: RecordsPushed | RecordsFailed | Exported | ExportFailed) -> None:
    match event:
        case RecordsPushed():
            log.info("records.pushed", commit=event.commit, groups=[str(group) for group in event.groups])
        case RecordsFailed():
            log.warning("records.failed", reason=event.reason)
        case Exported():
            log.info("instances.exported", export=event.export, instances=event.instances)
        case ExportFailed():
            log.warning("export.failed", export=event.export, reason=event.reason)


def _write_drift(event: DriftFound | DriftProposed | ProposalFailed) -> None:
    match event:
        case DriftFound():
            log.warning(
                "drift.found",
                placement=str(event.placement),
                object=str(event.key),
                fields=[format_path(change.path) for change in event.changes],
                managers=sorted({change.editor.manager for change in event.changes if change.editor}),
            )
        case DriftProposed():
            log.info("drift.proposed", placement=str(event.placement), branch=event.branch, commit=event.commit)
        case ProposalFailed():
            log.warning("proposal.failed", placement=str(event.placement), branch=event.branch, reason=event.reason)


def _write_object(event: ObjectApplied) -> None:
    outcome = event.outcome
    if outcome.result is Result.UNCHANGED:
        return
    say = log.error if outcome.result is Result.FAILED else log.info
    say("object.applied", object=str(outcome.key), result=str(outcome.result), reason=outcome.reason)


def _write_placement(event: PlacementReconciled) -> None:
    report = event.report
    if not event.is_transition:
        return
    say = log.error if report.sync is SyncStatus.FAILED else log.info
    say(
        "placement.failed" if report.sync is SyncStatus.FAILED else "placement.reconciled",
        placement=str(report.placement),
        sync=str(report.sync),
        health=str(report.health),
        reason=report.reason,
        objects=len(report.objects),
        pending=report.pending,
        drifted=report.drifted,
        seconds=round(event.seconds, 3),
    )
