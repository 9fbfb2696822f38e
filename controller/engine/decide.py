"""The pure decisions of a run: whether there is anything to do, and what its outcome amounts to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.git import CommitInfo
from controller.model import (
    Action,
    Applied,
    Cause,
    Desired,
    FieldChange,
    GroupRef,
    Health,
    LiveObject,
    Manifest,
    ObjectKey,
    ObjectPlan,
    ObjectReport,
    Observation,
    Outcome,
    Permitted,
    PlacementReport,
    Plan,
    Result,
    SyncStatus,
    Transient,
    Wait,
    Waiting,
    Warrant,
    headline_health,
    headline_sync,
)


def is_settled(desired: Desired, observation: Observation) -> bool:
    """Tell whether the target holds exactly what git says, by digests alone: no request, no plan."""
    if observation.applied_digest != desired.digest:
        return False
    wanted = {one.key: one.digest for one in desired.manifests}
    live = {one.key: one.digest for one in observation.objects if one.part_of is None}
    is_clean = not observation.has_loose_ends and not any(
        one.is_suspect or one.health is Health.TERMINATING for one in observation.objects
    )
    return wanted == live and is_clean


def unmet_dependencies(
    depends_on: tuple[GroupRef, ...], reports: Mapping[GroupRef, tuple[PlacementReport, ...]]
) -> tuple[str, ...]:
    """Name the groups that are not Synced and Healthy yet, each with its state."""
    return tuple(
        f"{group} ({_state_of(reports.get(group, ()))})"
        for group in depends_on
        if not _is_ready(reports.get(group, ()))
    )


def _is_ready(reports: tuple[PlacementReport, ...]) -> bool:
    return bool(reports) and all(
        one.sync is SyncStatus.SYNCED and one.health in (Health.HEALTHY, Health.SUSPENDED) for one in reports
    )


def _state_of(reports: tuple[PlacementReport, ...]) -> str:
    if not reports:
        return "not seen yet"
    sync = headline_sync(one.sync for one in reports)
    return f"{sync}, {headline_health(one.health for one in reports)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a run found out, as far as it came."""

    desired: Desired | None = None
    observation: Observation | None = None
    plan: Permitted | None = None  # as the gate let it through
    announced: Plan | None = None  # as the target made it
    applied: Applied | None = None
    awaits_approval: bool = False
    is_refused: bool = False
    reasons: tuple[str, ...] = ()
    waits: tuple[Wait, ...] = ()
    info: CommitInfo | None = None  # of the application commit that the desired state comes from
    is_suspended: bool = False
    warrant: Warrant | None = None  # what let the plan through, where it takes an approval


def object_reports(facts: Facts) -> tuple[ObjectReport, ...]:
    """One report per object that git names or the target holds, in key order."""
    manifests = {one.key: one for one in facts.desired.manifests} if facts.desired else {}
    live = {one.key: one for one in facts.observation.objects} if facts.observation else {}
    announced = {one.key: one for one in facts.announced.objects} if facts.announced else {}
    outcomes = {one.key: one for one in facts.applied.outcomes} if facts.applied else {}
    gate = {one.key: one.objection for one in facts.plan.objects} if facts.plan else {}
    keys = sorted({*manifests, *live, *announced})
    return tuple(
        _object_report(key, manifests.get(key), live.get(key), announced.get(key), outcomes.get(key), gate.get(key, ""))
        for key in keys
        if not _is_gone(key, manifests, live, outcomes)
    )


def _is_gone(
    key: ObjectKey,
    manifests: Mapping[ObjectKey, Manifest],
    live: Mapping[ObjectKey, LiveObject],
    outcomes: Mapping[ObjectKey, Outcome],
) -> bool:
    outcome = outcomes.get(key)
    return key not in manifests and key not in live and (outcome is None or outcome.result is not Result.PRUNED)


def _object_report(
    key: ObjectKey,
    manifest: Manifest | None,
    live: LiveObject | None,
    planned: ObjectPlan | None,
    outcome: Outcome | None,
    objection: str,
) -> ObjectReport:
    health, why = _health_of(manifest, live)
    return ObjectReport(
        key=key,
        sync=_sync_of(manifest, live, planned, outcome),
        health=health,
        health_reason=why,
        diagnosis=live.diagnosis if live else "",
        manifest=manifest,
        result=outcome.result if outcome else None,
        reason=(outcome.reason if outcome and outcome.reason else objection),
        drift=_drift_of(planned),
        part_of=live.part_of if live else None,
        attributes=live.attributes if live else {},
        released=live.released if live is not None else {},
    )


def _health_of(manifest: Manifest | None, live: LiveObject | None) -> tuple[Health, str]:
    if live is not None:
        return live.health, live.health_reason
    return (Health.MISSING, "not on the target") if manifest is not None else (Health.HEALTHY, "")


def _sync_of(
    manifest: Manifest | None, live: LiveObject | None, planned: ObjectPlan | None, outcome: Outcome | None
) -> SyncStatus:
    if outcome is not None:
        match outcome.result:
            case Result.FAILED:
                return SyncStatus.FAILED
            case Result.CREATED | Result.CONFIGURED | Result.PRUNED:
                return SyncStatus.SYNCED
            case Result.UNCHANGED | Result.SKIPPED:
                pass
    if planned is not None and planned.action is not Action.NOTHING:
        return SyncStatus.DRIFTED if planned.is_drifted and not planned.is_pending else SyncStatus.PENDING
    if planned is None and manifest is not None and (live is None or live.digest != manifest.digest):
        return SyncStatus.PENDING
    return SyncStatus.SYNCED


def _drift_of(planned: ObjectPlan | None) -> tuple[FieldChange, ...]:
    if planned is None:
        return ()
    return tuple(change for change in planned.changes if change.cause is Cause.DRIFT)


def sync_of_run(facts: Facts) -> tuple[SyncStatus, str]:
    """Add a run's facts up to a headline and its reason."""
    if facts.applied is not None and facts.applied.failure is not None:
        return sync_of_error(facts.applied.failure), str(facts.applied.failure)
    if facts.is_suspended:
        return SyncStatus.SUSPENDED, "suspended in git"
    reason = "; ".join(facts.reasons)
    if facts.is_refused:
        return SyncStatus.FAILED, reason
    if facts.awaits_approval:
        return SyncStatus.AWAITING_APPROVAL, reason
    if facts.plan is None or facts.announced is None:
        return SyncStatus.SYNCED, ""
    held_back = _held_back(facts)
    if any(one.is_drifted for one in held_back):
        return SyncStatus.DRIFTED, reason
    if held_back:
        return SyncStatus.PENDING, reason
    return (SyncStatus.PENDING if _is_leaving(facts) else SyncStatus.SYNCED), ""


def _is_leaving(facts: Facts) -> bool:
    """Tell whether something that git dropped is still being deleted: its health says what holds it."""
    if facts.desired is None or facts.observation is None:
        return False
    wanted = {one.key for one in facts.desired.manifests}
    return any(
        one.health is Health.TERMINATING and one.part_of is None and one.key not in wanted
        for one in facts.observation.objects
    )


def _held_back(facts: Facts) -> tuple[ObjectPlan, ...]:
    """Give the announced changes that the gate did not let through, whole or in part."""
    if facts.plan is None or facts.announced is None:
        return ()
    permitted = {one.key: one for one in facts.plan.objects}
    return tuple(
        one
        for one in facts.announced.objects
        if one.action is not Action.NOTHING
        and (permitted[one.key].action is Action.NOTHING or permitted[one.key].held != one.held)
    )


def is_at_rest(report: PlacementReport | None) -> bool:
    """Tell whether a placement came to where it stays by itself; what waits for people is at rest too."""
    if report is None or report.sync in (SyncStatus.SYNCING, SyncStatus.UNKNOWN):
        return False
    return report.sync is not SyncStatus.SYNCED or report.health is not Health.PROGRESSING


def sync_of_error(error: Exception, *, is_observation: bool = False) -> SyncStatus:
    """Map an error to what people see, as the architecture's words say."""
    if isinstance(error, Waiting):
        return SyncStatus.PENDING
    if isinstance(error, Transient):
        return SyncStatus.UNKNOWN if is_observation else SyncStatus.SYNCING
    return SyncStatus.FAILED


def counts(facts: Facts) -> tuple[int, int]:
    """Count the objects that are pending and drifted after the run: what was applied counts no more."""
    if facts.announced is None:
        return 0, 0
    done = {
        one.key
        for one in (facts.applied.outcomes if facts.applied else ())
        if one.result in (Result.CREATED, Result.CONFIGURED, Result.PRUNED)
    }
    held = {one.key for one in _held_back(facts)}
    left = [one for one in facts.announced.objects if one.key not in done or one.key in held]
    return sum(one.is_pending for one in left), sum(one.is_drifted for one in left)
