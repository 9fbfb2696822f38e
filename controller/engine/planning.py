"""Plans of many placements at one moment, on the live state of their targets. Nothing is written.

What a placement takes in of others of its group is asked of their targets first. What nobody gives out yet stands in
its objects as a symbol, and the plan says so: it is made again when the value is known, and has another hash then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

from controller.engine.asking import Outputs
from controller.engine.fleet import Fleet
from controller.engine.pool import OpenTarget, Place
from controller.engine.preparing import Facts
from controller.engine.reconcile import told_by
from controller.engine.snapshot import NOWHERE, Snapshot
from controller.engine.teardown import nothing
from controller.model import (
    Application,
    ConvergeError,
    Desired,
    Input,
    JsonValue,
    PlacementRef,
    Plan,
    Revision,
    Secret,
    Stalled,
    State,
    TargetName,
    TerraformTarget,
)
from controller.render import NO_FACTS
from controller.runtime import SystemClock
from controller.targets import Target, release

Targets: TypeAlias = "Mapping[Place, Target | ConvergeError]"
Given: TypeAlias = "Mapping[PlacementRef, Mapping[str, JsonValue | Secret] | ConvergeError]"


@dataclass(frozen=True, slots=True)
class Planned:
    """A placement's plan, or why there is none."""

    placement: PlacementRef
    plan: Plan | None
    error: ConvergeError | None = None
    unknown: tuple[str, ...] = ()  # outputs that it takes in and nobody gives out yet: the plan is of symbols


async def plan_all(
    snapshot: Snapshot, placements: Iterable[PlacementRef], open_target: OpenTarget, *, done: Callable[[Planned], None]
) -> tuple[Planned, ...]:
    """Plan placements on the live state, each failure its own. `done` is called as they come, for progress."""
    works = [work_of(snapshot, ref) for ref in placements]
    return await plan_works(works, snapshot.fleet, open_target, done=done)


async def wanted_of(
    snapshot: Snapshot, placement: PlacementRef, facts: Facts | None = None, outputs: Outputs | None = None
) -> tuple[Desired, Application]:
    """Say what shall be of a placement, and by which policy. Raises Stalled, Transient."""
    application = snapshot.entry(placement).application
    if application.state is State.ABSENT:
        return nothing(placement, Revision(NOWHERE, snapshot.fleet.checkout.commit)), application
    return (await snapshot.rendered(placement, facts, outputs)).desired, application


@dataclass(frozen=True, slots=True)
class Work:
    """A placement to plan; `wanted` gives what shall be of it, or raises why that can't be said."""

    placement: PlacementRef
    wanted: Callable[[Facts, Outputs], Awaitable[tuple[Desired, Application]]]
    inputs: tuple[Input, ...] = ()
    modules: Mapping[PlacementRef, Callable[[], Awaitable[Desired]]] = field(default_factory=dict)  # what may give
    givers: Mapping[PlacementRef, Callable[[], Awaitable[Desired]]] = field(default_factory=dict)  # whom it takes from


def work_of(snapshot: Snapshot, placement: PlacementRef) -> Work:
    """Say how a placement of a fleet is planned."""
    entry = snapshot.entry(placement)
    is_taking = not isinstance(entry.target, TerraformTarget) and entry.application.state is State.PRESENT
    inputs = entry.application.inputs if is_taking else ()

    async def desired_of(giver: PlacementRef) -> Desired:
        return (await wanted_of(snapshot, giver))[0]

    entries = snapshot.fleet.entries
    beside = (replace(placement, target=one) for one in entry.application.targets) if is_taking else ()
    modules = {
        ref: partial(desired_of, ref)
        for ref in beside
        if ref in entries and isinstance(entries[ref].target, TerraformTarget)
    }
    givers = {ref: modules[ref] for one in inputs if (ref := replace(placement, target=one.target)) in modules}
    return Work(placement, partial(wanted_of, snapshot, placement), inputs, modules, givers)


async def _asking(work: Work) -> Work:
    """Say from whom a placement takes something in: what its own files ask for is known when they are rendered."""
    if not work.modules.keys() - work.givers.keys():
        return work
    try:
        desired, _ = await work.wanted(_no_facts, {})
    except ConvergeError:  # it is told by its plan
        return work
    asked = {replace(work.placement, target=one.target) for one in desired.takes}
    return replace(work, givers={**work.givers, **{ref: one for ref, one in work.modules.items() if ref in asked}})


async def _no_facts() -> bytes:
    return NO_FACTS


async def plan_works(
    works: Iterable[Work], fleet: Fleet, open_target: OpenTarget, *, done: Callable[[Planned], None]
) -> tuple[Planned, ...]:
    """Plan on the live state of the targets that a fleet names."""
    wanted = await asyncio.gather(*map(_asking, works))
    refs = {ref for one in wanted for ref in (one.placement, *one.givers)}
    async with _targets(fleet, {(ref.environment, ref.target) for ref in refs}, open_target) as targets:
        given = await _given(wanted, targets)
        planned = await asyncio.gather(*(_plan(one, targets, given, done) for one in wanted))
    return tuple(planned)


async def _given(works: Iterable[Work], targets: Targets) -> Given:
    """Ask each placement that others take from what it gives out now, once; where it can't be asked, why."""
    givers = {ref: desired for one in works for ref, desired in one.givers.items()}

    async def ask(ref: PlacementRef) -> Mapping[str, JsonValue | Secret] | ConvergeError:
        target = targets[ref.environment, ref.target]
        try:
            if isinstance(target, ConvergeError):
                return target
            return (await target.observe(ref, await givers[ref]())).outputs
        except ConvergeError as error:
            return error

    return dict(zip(givers, await asyncio.gather(*map(ask, givers)), strict=True))


def _taken(work: Work, given: Given) -> Outputs:
    """Give what a placement takes in. Raises what kept its giver from being asked: that is not known, never absent."""
    found: dict[TargetName, Mapping[str, JsonValue | Secret]] = {}
    for ref in work.givers:
        outputs = given[ref]
        if isinstance(outputs, ConvergeError):
            raise outputs
        found[ref.target] = outputs
    return found


async def _plan(work: Work, targets: Targets, given: Given, done: Callable[[Planned], None]) -> Planned:
    target = targets[work.placement.environment, work.placement.target]
    try:
        if isinstance(target, ConvergeError):
            raise target
        outputs = _taken(work, given)
        desired, application = await work.wanted(told_by(target), outputs)
        desired = release(desired, application.sync.ignore, now=SystemClock().now())
        unknown = (
            *(str(one) for one in work.inputs if one.output not in outputs.get(one.target, {})),
            *(str(one) for one in desired.takes if not one.is_known),
        )
        planned = Planned(work.placement, await target.plan(desired, application), unknown=unknown)
    except ConvergeError as error:
        planned = Planned(work.placement, None, error)
    done(planned)
    return planned


@asynccontextmanager
async def _targets(fleet: Fleet, places: Iterable[Place], open_target: OpenTarget) -> AsyncIterator[Targets]:
    """Open each target once; one that can't be opened, or that the fleet does not name, stands there as its error."""
    platform = fleet.platform
    async with AsyncExitStack() as stack:
        opened: dict[Place, Target | ConvergeError] = {}
        for environment, name in places:
            targets = platform.environments[environment].targets if environment in platform.environments else {}
            if name not in targets:
                opened[environment, name] = Stalled(
                    f"environment {environment} has no target {name}, so what runs there stays as it is. "
                    f"Take its applications out first, and the target when they are gone"
                )
                continue
            context: AbstractAsyncContextManager[Target] = open_target(
                targets[name], environment, platform.installation, changed=lambda _ref: None
            )
            try:
                opened[environment, name] = await stack.enter_async_context(context)
            except ConvergeError as error:
                opened[environment, name] = error
        yield opened
