"""The fleet at one moment, for commands that look once: read the repositories, render, plan. Nothing is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from controller.config import read_platform
from controller.engine.checks import CHECKS
from controller.engine.fleet import Entry, Fleet, checkout_for, fleet_at, fleet_of, revisions_of, signers_of
from controller.engine.footprints import Footprints
from controller.engine.pool import OpenTarget, Place
from controller.engine.preparing import Facts, Workshop
from controller.engine.reconcile import told_by
from controller.engine.rendering import Renderer, request_for
from controller.engine.settings import Settings
from controller.engine.sources import Checkout, Source
from controller.engine.teardown import nothing
from controller.git import Mirrors
from controller.model import (
    PLATFORM,
    Application,
    CommitId,
    ConvergeError,
    Desired,
    Invalid,
    PlacementRef,
    Plan,
    RepositoryName,
    Revision,
    Stalled,
    State,
)
from controller.render import Rendered, RenderRequest
from controller.runtime import Clock, SystemClock
from controller.targets import Target, release

NOWHERE = CommitId("0" * 40)  # the application commit of what no commit describes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A fleet and the checkouts that its applications follow; `instead` takes others for some of them."""

    fleet: Fleet
    sources: Mapping[RepositoryName, Source]
    renderer: Renderer
    instead: Mapping[tuple[RepositoryName, str], Checkout] = field(default_factory=dict)

    def select(self, wanted: Sequence[str]) -> tuple[PlacementRef, ...]:
        """Find placements by `env`, `env/app` or `env/app@target`; all for none. Raises Stalled for an unknown one."""
        return select(self.fleet.entries, wanted)

    def entry(self, placement: PlacementRef) -> Entry:
        return self.fleet.entries[placement]

    async def rendered(self, placement: PlacementRef, facts: Facts | None = None) -> Rendered:
        """Render one placement and check what it may touch; `facts` are its target's. Raises Stalled, Transient."""
        entry = self.entry(placement)
        if problems := self.fleet.platform.problems.get(placement.group):
            raise Invalid(problems)
        checkout = self.checkout(entry)
        rendered = await self.renderer.rendered(placement, entry, checkout, self.fleet.checkout, facts=facts)
        for check in CHECKS:
            check(rendered.desired, self.fleet.platform)
        return rendered

    def request(self, placement: PlacementRef) -> RenderRequest:
        """Say what rendering a placement takes, to ask more of it than its objects. Raises Stalled, Transient."""
        entry = self.entry(placement)
        return request_for(placement, entry, self.checkout(entry), self.fleet.checkout)

    def checkout(self, entry: Entry) -> Checkout:
        name = entry.repository.name
        source = self.sources[name]
        return checkout_for(entry.application, lambda one: self.instead.get((name, one)) or source.current(one))


def select(refs: Iterable[PlacementRef], wanted: Sequence[str]) -> tuple[PlacementRef, ...]:
    """Find placements by `env`, `env/app` or `env/app@target`; all for none. Raises Stalled for an unknown one."""
    ordered = sorted(refs)
    if not wanted:
        return tuple(ordered)
    found: dict[PlacementRef, None] = {}
    for name in wanted:
        matches = [ref for ref in ordered if name in (str(ref), str(ref.group), ref.environment)]
        if not matches:
            groups = sorted({str(ref.group) for ref in ordered})
            known = f"There are: {', '.join(groups[:20])}" if groups else "The platform has no applications yet"
            raise Stalled(f"{name}: there is no such environment, application or placement. {known}")
        found.update(dict.fromkeys(matches))
    return tuple(found)


async def take_snapshot(
    settings: Settings,
    mirrors: Mirrors,
    *,
    clock: Clock,
    footprints: Footprints | None = None,
    workshop: Workshop | None = None,
) -> Snapshot:
    """Read the platform and every repository it names, once each, at the same time.

    Raises Invalid for a platform that does not validate, Transient or Stalled where it can't be read. An
    application repository that can't be read is told by its own placements only.
    """
    head, fleet = await _read_platform(settings, mirrors, clock)
    sources = await _read_applications(fleet, mirrors, clock)
    return Snapshot(fleet, {PLATFORM: head, **sources}, Renderer(footprints, workshop=workshop))


async def snapshot_of(
    platform: Checkout, mirrors: Mirrors, *, clock: Clock, workshop: Workshop | None = None
) -> Snapshot:
    """Give the fleet that a platform tree at hand describes, committed or not. Raises as `take_snapshot`."""
    fleet = fleet_of(read_platform(platform.tree), platform)
    sources = await _read_applications(fleet, mirrors, clock)
    return Snapshot(fleet, sources, Renderer(workshop=workshop))


async def _read_platform(settings: Settings, mirrors: Mirrors, clock: Clock) -> tuple[Source, Fleet]:
    head = _source(PLATFORM, settings.platform_url, settings.platform_credentials, mirrors, clock)
    head.follow(frozenset({settings.platform_revision}), settings.platform_signers)
    await head.poll()
    return head, await fleet_at(head.current(settings.platform_revision), head.mirror, None)


async def read_with(before: Snapshot, platform: Checkout, mirrors: Mirrors, *, clock: Clock) -> Snapshot:
    """Give the fleet as another platform commit describes it; what is read already is not asked for again.

    Raises Invalid for a platform that does not validate.
    """
    fleet = fleet_of(read_platform(platform.tree), platform)
    sources = await _read_applications(fleet, mirrors, clock, before)
    renderer = Renderer(workshop=before.renderer.workshop)
    return Snapshot(fleet, {PLATFORM: before.sources[PLATFORM], **sources}, renderer)


async def _read_applications(
    fleet: Fleet, mirrors: Mirrors, clock: Clock, before: Snapshot | None = None
) -> Mapping[RepositoryName, Source]:
    sources: dict[RepositoryName, Source] = {}
    async with asyncio.TaskGroup() as tasks:
        for name, repository in fleet.platform.repositories.items():
            if before is not None and _is_read(name, fleet, before.fleet):
                sources[name] = before.sources[name]
                continue
            source = _source(name, repository.url, repository.credentials, mirrors, clock)
            source.follow(revisions_of(fleet.platform, name), signers_of(fleet, repository))
            sources[name] = source
            tasks.create_task(_poll(source))
    return sources


def _is_read(name: RepositoryName, fleet: Fleet, before: Fleet) -> bool:
    """Tell whether the sources of one fleet answer all that another asks of a repository."""
    wanted, known = fleet.platform.repositories[name], before.platform.repositories.get(name)
    return (
        known == wanted
        and signers_of(fleet, wanted) == signers_of(before, known)
        and revisions_of(fleet.platform, name) <= revisions_of(before.platform, name)
    )


async def _poll(source: Source) -> None:
    await source.poll()


def _source(name: RepositoryName, url: str, credentials: str, mirrors: Mirrors, clock: Clock) -> Source:
    return Source(
        name,
        mirrors.mirror(url, credentials),
        clock=clock,
        interval_seconds=60.0,
        tell=lambda _event: None,
        moved=lambda _name: None,
        chance=lambda: 0.5,
    )


@dataclass(frozen=True, slots=True)
class Planned:
    """A placement's plan, or why there is none."""

    placement: PlacementRef
    plan: Plan | None
    error: ConvergeError | None = None


async def plan_all(
    snapshot: Snapshot, placements: Iterable[PlacementRef], open_target: OpenTarget, *, done: Callable[[Planned], None]
) -> tuple[Planned, ...]:
    """Plan placements on the live state, each failure its own. `done` is called as they come, for progress."""
    works = [Work(ref, partial(wanted_of, snapshot, ref)) for ref in placements]
    return await plan_works(works, snapshot.fleet, open_target, done=done)


async def wanted_of(
    snapshot: Snapshot, placement: PlacementRef, facts: Facts | None = None
) -> tuple[Desired, Application]:
    """Say what shall be of a placement, and by which policy. Raises Stalled, Transient."""
    application = snapshot.entry(placement).application
    if application.state is State.ABSENT:
        return nothing(placement, Revision(NOWHERE, snapshot.fleet.checkout.commit)), application
    return (await snapshot.rendered(placement, facts)).desired, application


@dataclass(frozen=True, slots=True)
class Work:
    """A placement to plan; `wanted` gives what shall be of it, or raises why that can't be said."""

    placement: PlacementRef
    wanted: Callable[[Facts], Awaitable[tuple[Desired, Application]]]


async def plan_works(
    works: Iterable[Work], fleet: Fleet, open_target: OpenTarget, *, done: Callable[[Planned], None]
) -> tuple[Planned, ...]:
    """Plan on the live state of the targets that a fleet names."""
    wanted = tuple(works)
    places = {(one.placement.environment, one.placement.target) for one in wanted}
    async with _targets(fleet, places, open_target) as targets:
        planned = await asyncio.gather(*(_plan(one, targets, done) for one in wanted))
    return tuple(planned)


async def _plan(
    work: Work, targets: Mapping[Place, Target | ConvergeError], done: Callable[[Planned], None]
) -> Planned:
    target = targets[work.placement.environment, work.placement.target]
    try:
        if isinstance(target, ConvergeError):
            raise target
        desired, application = await work.wanted(told_by(target))
        desired = release(desired, application.sync.ignore, now=SystemClock().now())
        planned = Planned(work.placement, await target.plan(desired, application))
    except ConvergeError as error:
        planned = Planned(work.placement, None, error)
    done(planned)
    return planned


@asynccontextmanager
async def _targets(
    fleet: Fleet, places: Iterable[Place], open_target: OpenTarget
) -> AsyncIterator[Mapping[Place, Target | ConvergeError]]:
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
