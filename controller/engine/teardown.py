"""What git no longer says: a placement that has objects on a target and no entry in any environment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from controller.documents import digest_of
from controller.engine.claims import Claims
from controller.engine.events import ObjectApplied, Tell
from controller.engine.gate import Situation, permit
from controller.engine.judging import Judged
from controller.engine.reconcile import Run, with_neighbours
from controller.model import (
    Application,
    ApplicationName,
    CommitId,
    ConvergeError,
    Desired,
    Health,
    ObjectReport,
    Observation,
    Origin,
    PlacementRef,
    PlacementReport,
    Plan,
    RepositoryName,
    Revision,
    State,
    SyncPolicy,
    SyncStatus,
    Wait,
    Warrant,
)
from controller.targets import Target

Judge: TypeAlias = Callable[[Revision | None], Awaitable[Judged]]  # of what is there


def nothing(placement: PlacementRef, revision: Revision) -> Desired:
    """Give the desired state of what shall not be: no object."""
    empty = digest_of(b"[]")
    return Desired(placement, revision, (), empty, empty)


async def tear_down(
    placement: PlacementRef,
    target: Target,
    application: Application,
    platform: CommitId,
    *,
    judge: Judge,
    tell: Tell,
    superseded: asyncio.Event,
    claims: Claims,
) -> Run | None:
    """Take a placement's objects away, as far as the guards allow. None: there was nothing of it left."""
    try:
        observation = await target.observe(placement)
    except ConvergeError as error:
        return Run(_report(placement, SyncStatus.UNKNOWN, str(error), None), error)
    revision = observation.applied or Revision(CommitId("0" * 40), platform)
    try:
        wanted = await with_neighbours(nothing(placement, revision), observation, claims)
        plan = await target.plan(wanted, application)
        judged = await judge(observation.applied)
        verdict = permit(plan, Situation(application=application, approved=judged.approved, judged=judged))
        applied = await target.apply(verdict.permitted, application, superseded=superseded)
        for outcome in applied.outcomes:
            tell(ObjectApplied(placement, outcome))
        left = await target.observe(placement)
    except ConvergeError as error:
        return Run(_report(placement, SyncStatus.FAILED, str(error), observation), error)
    removal = None if verdict.permitted.is_empty and left.objects else _warrant(plan, judged, platform)
    if applied.failure is not None:
        return Run(_report(placement, SyncStatus.SYNCING, str(applied.failure), left, removal), applied.failure)
    if left.objects:
        sync = SyncStatus.AWAITING_APPROVAL if verdict.reasons else SyncStatus.SYNCING
        return Run(_report(placement, sync, "; ".join(verdict.reasons), left, removal, waits=verdict.waits))
    return Run(_report(placement, SyncStatus.SYNCED, "", left, removal, is_retired=True))


def _warrant(plan: Plan, judged: Judged, platform: CommitId) -> Warrant:
    """Say by which platform commit it goes, and which plan's yes was found there."""
    return Warrant(plan.hash if plan.hash in judged.approved else None, platform)


def orphan(placement: PlacementRef, sync: SyncPolicy, origin: Origin) -> Application:
    """Give a placement that no entry names the policy it is taken away under."""
    return Application(
        name=ApplicationName(placement.application),
        repository=RepositoryName(""),
        path="",
        revision="",
        targets=(placement.target,),
        state=State.REMOVED,
        sync=sync,
        origin=origin,
    )


def _report(
    placement: PlacementRef,
    sync: SyncStatus,
    reason: str,
    observation: Observation | None,
    removal: Warrant | None = None,
    *,
    waits: tuple[Wait, ...] = (),
    is_retired: bool = False,
) -> PlacementReport:
    objects = observation.objects if observation else ()
    return PlacementReport(
        placement=placement,
        sync=sync,
        health=observation.health if observation else Health.UNKNOWN,
        reason=reason,
        applied=observation.applied if observation else None,
        pending=len(objects),
        objects=tuple(
            ObjectReport(key=one.key, sync=SyncStatus.PENDING, health=one.health, health_reason=one.health_reason)
            for one in objects
        ),
        retired=is_retired,
        waits=waits,
        removal=removal,
    )
