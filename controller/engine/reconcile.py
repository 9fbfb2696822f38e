"""One run of one placement, from gate to record.

The plot: read what git says (render), what the target holds (observe, no request), and compare digests.
Nothing to do is the common case and ends there. Else the target plans (a server dry run per changed or
suspect object), the gate says what of it may be done now, the target applies exactly that, and what came
of it is looked at again. Every exit gives a PlacementReport; nothing of a run outlives it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from controller.engine.asking import NotGiven, Outputs
from controller.engine.claims import Claims
from controller.engine.decide import (
    Facts,
    counts,
    is_settled,
    object_reports,
    sync_of_error,
    sync_of_run,
    unmet_dependencies,
)
from controller.engine.events import DriftFound, ObjectApplied, Tell
from controller.engine.fleet import Entry
from controller.engine.gate import Situation, is_timed, permit
from controller.engine.judging import Judged
from controller.engine.render_requests import wires_of
from controller.engine.rendering import Renderer, as_applied
from controller.engine.sources import Checkout
from controller.git import CommitInfo
from controller.model import (
    NO_MODELS,
    Applied,
    Barrier,
    Behind,
    ByHand,
    Cause,
    CommitId,
    ConvergeError,
    Desired,
    Digest,
    GroupRef,
    Health,
    KindModels,
    ObjectKey,
    ObjectReport,
    Observation,
    OnPending,
    PlacementRef,
    PlacementReport,
    Plan,
    Platform,
    Revision,
    SyncStatus,
    TargetName,
    Unknown,
    Wait,
    Waiting,
    Warrant,
    headline_health,
)
from controller.render import Rendered, facts_of
from controller.targets import Target, is_shared, redigested, release


async def _nobody() -> tuple[Wait, ...]:
    return ()


class Check(Protocol):
    """A rule that a desired state must keep; raises Stalled."""

    def __call__(self, desired: Desired, platform: Platform) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a run starts from: all that git says of the placement at this moment."""

    placement: PlacementRef
    entry: Entry
    fleet: Platform
    application: Checkout
    platform: Checkout
    outputs: Outputs = field(default_factory=dict)  # of the group's other placements
    by_hand: ByHand | None = None  # who applies, where the controller does not

    def passes(self, barrier: Barrier) -> bool:
        """Tell whether somebody passes a barrier by hand."""
        return self.by_hand is not None and self.by_hand.passes(barrier)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a run works with."""

    renderer: Renderer
    target: Target
    claims: Claims
    checks: tuple[Check, ...]
    groups: Mapping[GroupRef, tuple[PlacementReport, ...]]
    damped: frozenset[str]  # objects, as text, whose correction pauses since somebody fights for them
    judge: Callable[[Revision | None], Awaitable[Judged]]  # which plans have their yes in git; takes what is applied
    now: datetime  # ignore rules end
    closed_window: Wait | None  # why no sync may start now
    describe: Callable[[CommitId], Awaitable[CommitInfo | None]]  # None: the host has collected it
    tell: Tell
    interim: Callable[[PlacementReport], None]  # a state worth a record that the run will leave again
    superseded: asyncio.Event
    saw_all: Callable[[], None] = lambda: None  # nothing is left to do of what the target told until now
    takes: Callable[[Collection[TargetName]], bool] = lambda _givers: True  # notes givers; are all of them looked at?
    seen: Callable[[Observation], None] = lambda _observation: None  # what a target gave out, for others to take in
    order: Callable[[], Awaitable[tuple[Wait, ...]]] = _nobody  # who goes first and is not ready
    unmet: Callable[[Behind], tuple[str, ...]] = lambda _behind: ()  # whom the application's own workflow puts first
    since: Callable[[Digest], Awaitable[datetime]] | None = None  # when a plan became what it is; None: now


@dataclass(frozen=True, slots=True)
class Run:
    """How a run ended: what to show, what stopped it, and which objects' drift it took back."""

    report: PlacementReport
    error: ConvergeError | None = None
    corrected: tuple[ObjectKey, ...] = ()


async def reconcile(inputs: Inputs, means: Means) -> Run | None:
    """Run one placement to its end. Every ConvergeError becomes part of the report; a bug rises.

    None where it takes in outputs of a target that nobody has looked at yet: who does looks at the placement too.
    """
    facts = Facts(is_suspended=inputs.entry.is_suspended)
    rendered: Rendered | None = None
    try:
        _await_inputs(inputs)
        rendered = await means.renderer.rendered_soon(
            inputs.placement, inputs.entry, inputs.application, inputs.platform, inputs.outputs, told_by(means.target)
        )
        means.takes({one.target for one in rendered.desired.takes})
        facts = replace(facts, desired=rendered.desired)
        for check in means.checks:
            check(rendered.desired, inputs.fleet)
        released = release(rendered.desired, inputs.entry.application.sync.ignore, now=means.now)
        rendered = replace(rendered, desired=released)
        facts = replace(facts, desired=rendered.desired)
        rendered = replace(rendered, desired=await _claimed(rendered.desired, means))
        facts = replace(facts, desired=rendered.desired)
    except ConvergeError as error:
        if isinstance(error, NotGiven) and not means.takes({one.target for one in error.needs}):
            return None
        return await _with_observation(inputs, means, facts, error)
    try:
        observation = await means.target.observe(inputs.placement, rendered.desired)
    except ConvergeError as error:
        return _failed(inputs, facts, error, is_observation=True)
    means.seen(observation)
    if observation.applied is not None and observation.applied_digest == rendered.desired.digest:
        rendered = as_applied(rendered, observation.applied)
    info = await means.describe(rendered.desired.revision.application)
    facts = replace(facts, desired=rendered.desired, observation=observation, info=info)
    try:
        facts = await _converge(inputs, means, facts, rendered.desired, observation)
    except ConvergeError as error:
        return _failed(inputs, facts, error)
    failure = facts.applied.failure if facts.applied else None
    return Run(report_of(inputs, facts), failure, corrections(facts))


async def _claimed(desired: Desired, means: Means) -> Desired:
    """Take what a placement asks for, but what it shares with another that has it already. Raises Stalled."""
    shared = frozenset(one.key for one in desired.manifests if is_shared(one))
    if not shared:
        means.claims.claim(desired)
        return desired
    observation = await means.target.observe(desired.placement, desired)
    left = means.claims.claim(desired, shared=shared, live=frozenset(one.key for one in observation.objects))
    return redigested(desired, tuple(one for one in desired.manifests if one.key not in left)) if left else desired


def told_by(target: Target) -> Callable[[], Awaitable[bytes]]:
    """Give what asks a target what it is, for charts that want to know."""

    async def facts() -> bytes:
        return facts_of(await target.capabilities())

    return facts


def _await_inputs(inputs: Inputs) -> None:
    """Raise Waiting while a value that the placement takes in is not known yet."""
    missing = [str(one.input) for one in wires_of(inputs.entry, inputs.outputs) if isinstance(one.value, Unknown)]
    if missing:
        raise Waiting(f"waits for the output {', '.join(missing)}")


async def _with_observation(inputs: Inputs, means: Means, facts: Facts, error: ConvergeError) -> Run:
    """Report a failure before the target was asked, with what the target holds: that stays as it is."""
    try:
        observation = await means.target.observe(inputs.placement, facts.desired)
    except ConvergeError:
        return _failed(inputs, facts, error)
    return _failed(inputs, replace(facts, observation=observation), error)


async def _converge(inputs: Inputs, means: Means, facts: Facts, desired: Desired, observation: Observation) -> Facts:
    if is_settled(desired, observation):
        return facts
    unmet = _unmet(inputs, means, desired)
    if unmet and observation.applied_digest != desired.digest:
        raise Waiting(f"waits for {', '.join(unmet)}")
    desired = await with_neighbours(desired, observation, means.claims)
    plan = await means.target.plan(desired, inputs.entry.application)
    order = await means.order() if plan.pending and not inputs.passes(Barrier.ORDER) else ()
    judged = await means.judge(observation.applied)
    since = await means.since(plan.hash) if means.since and is_timed(plan) else means.now
    verdict = permit(plan, _situation(inputs, means, since, order, judged))
    facts = replace(
        facts,
        announced=plan,
        plan=verdict.permitted,
        awaits_approval=verdict.awaits_approval,
        is_refused=verdict.is_refused,
        reasons=verdict.reasons,
        waits=verdict.waits,
        warrant=_warrant(inputs, plan, judged),
    )
    if _tell_drift(inputs.placement, plan, means.tell):
        means.interim(report_of(inputs, facts, sync=SyncStatus.DRIFTED))
    is_done = observation.applied_digest == desired.digest and not _ties_loose_ends(inputs, means, observation)
    if verdict.permitted.is_empty and (not plan.is_empty or is_done):
        return facts
    return await _apply(inputs, means, facts)


def _unmet(inputs: Inputs, means: Means, desired: Desired) -> tuple[str, ...]:
    """Name whom a placement has to wait for."""
    if inputs.passes(Barrier.ORDER):
        return ()
    depends_on = inputs.entry.application.depends_on
    return (*unmet_dependencies(depends_on, means.groups), *means.unmet(desired.behind))


async def with_neighbours(desired: Desired, observation: Observation, claims: Claims) -> Desired:
    """Say which objects move between placements, once all who may ask for what is dropped here have been asked."""
    wanted = {one.key for one in desired.manifests}
    dropped = [one.key for one in observation.objects if one.key not in wanted]
    if dropped:
        await claims.others_decided(desired.placement)
    return replace(desired, neighbours=claims.neighbours(desired.placement, dropped))


def _ties_loose_ends(inputs: Inputs, means: Means, observation: Observation) -> bool:
    """Tell whether an apply of nothing is to end what an earlier run began; it writes, so it asks what writes ask."""
    is_held = inputs.entry.is_suspended and not inputs.passes(Barrier.SUSPENSION)
    is_closed = means.closed_window is not None and not inputs.passes(Barrier.WINDOW)
    return observation.has_loose_ends and not is_held and not is_closed


def _situation(inputs: Inputs, means: Means, since: datetime, order: tuple[Wait, ...], judged: Judged) -> Situation:
    application = inputs.entry.application
    return Situation(
        application=replace(application, suspend=inputs.entry.is_suspended),
        approved=judged.approved,
        judged=judged,
        closed_window=means.closed_window,
        fights=means.damped,
        order=order,
        now=means.now,
        since=since,
        by_hand=inputs.by_hand,
    )


async def _apply(inputs: Inputs, means: Means, facts: Facts) -> Facts:
    assert facts.plan is not None  # noqa: S101  # the caller has just put it there
    try:
        applied = await means.target.apply(facts.plan, inputs.entry.application, superseded=means.superseded)
    except ConvergeError as error:
        applied = Applied((), error)
    for outcome in applied.outcomes:
        means.tell(ObjectApplied(inputs.placement, outcome))
    facts = replace(facts, applied=applied)
    try:
        observation = await means.target.observe(inputs.placement, facts.desired)
        means.seen(observation)
        if facts.desired is not None and is_settled(facts.desired, observation):
            means.saw_all()  # of our own writes the watch tells too, and mostly first
        return replace(facts, observation=observation)
    except ConvergeError:
        return facts  # what was written is known; the next event tells how it fares


def _warrant(inputs: Inputs, plan: Plan, judged: Judged) -> Warrant | None:
    """Say what lets a plan through: its yes, or that there is nothing to say yes to; None where nobody asks for one.

    Who goes without a yes names the plan all the same: that it has none is there for all to see.
    """
    asks = inputs.entry.application.sync.pending is OnPending.APPROVE
    if plan.hash in judged.approved or (asks and plan.pending and inputs.passes(Barrier.APPROVAL)):
        return Warrant(plan.hash, inputs.platform.commit)
    return Warrant(None, inputs.platform.commit) if asks and not plan.pending else None


def _tell_drift(placement: PlacementRef, plan: Plan, tell: Tell) -> bool:
    drifted = [one for one in plan.objects if one.is_drifted]
    for one in drifted:
        tell(DriftFound(placement, one.key, tuple(c for c in one.changes if c.cause is Cause.DRIFT)))
    return bool(drifted)


def corrections(facts: Facts) -> tuple[ObjectKey, ...]:
    """Name the objects whose drift was taken back."""
    if facts.plan is None or facts.applied is None:
        return ()
    return tuple(one.key for one in facts.plan.objects if one.is_drifted and not one.held)


def _failed(inputs: Inputs, facts: Facts, error: ConvergeError, *, is_observation: bool = False) -> Run:
    sync = sync_of_error(error, is_observation=is_observation)
    return Run(report_of(inputs, facts, sync=sync, reason=str(error)), error)


def report_without_checkout(placement: PlacementRef, entry: Entry, error: ConvergeError) -> PlacementReport:
    """Tell of a placement whose application can't be read: what runs of it stays as it is."""
    return PlacementReport(
        placement=placement,
        sync=sync_of_error(error, is_observation=True),
        health=Health.UNKNOWN,
        reason=str(error),
        branch=entry.application.revision,
        repository_url=entry.repository.url,
        origin=entry.application.origin,
    )


def report_of(inputs: Inputs, facts: Facts, *, sync: SyncStatus | None = None, reason: str = "") -> PlacementReport:
    """Write down what a run knows, in the one form that records, pages and dependants read."""
    objects = object_reports(facts)
    pending, drifted = counts(facts)
    if sync is None:
        sync, reason = sync_of_run(facts)
    observation = facts.observation
    info = facts.info or inputs.application.info
    return PlacementReport(
        placement=inputs.placement,
        sync=sync,
        health=headline_health(one.health for one in objects) if observation else Health.UNKNOWN,
        reason="; ".join(filter(None, (reason or _health_reason(facts), observation.note if observation else ""))),
        revision=facts.desired.revision
        if facts.desired
        else Revision(inputs.application.commit, inputs.platform.commit),
        applied=_applied_revision(facts),
        branch=inputs.entry.application.revision,
        repository_url=inputs.entry.repository.url,
        subject=info.subject,
        author=info.author,
        pending=pending,
        drifted=drifted,
        objects=objects,
        models=_models(inputs.fleet, objects),
        origin=inputs.entry.application.origin,
        waits=facts.waits,
        inputs=facts.desired.inputs if facts.desired else None,
        warrant=facts.warrant if facts.applied else None,
        by_hand=inputs.by_hand if facts.applied else None,
    )


def _models(platform: Platform, objects: Iterable[ObjectReport]) -> KindModels:
    """Give the platform's own models of what git says here: where one of them moves, the records follow."""
    if not platform.models:
        return NO_MODELS
    kinds = sorted({one.key.group_kind for one in objects if one.manifest is not None})
    return {kind: platform.models[kind] for kind in kinds if kind in platform.models}


def _applied_revision(facts: Facts) -> Revision | None:
    return facts.observation.applied if facts.observation else None


def _health_reason(facts: Facts) -> str:
    if facts.observation is None:
        return ""
    return "; ".join(f"{one.key}: {one.health_reason}" for one in facts.observation.objects if one.health_reason)
