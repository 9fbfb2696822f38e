"""The fleet at one moment, for commands that look once: read the repositories, render, plan. Nothing is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from controller.config import read_platform
from controller.engine.checks import CHECKS
from controller.engine.fleet import Entry, Fleet, checkout_for, fleet_at, fleet_of, revisions_of, signers_of
from controller.engine.pool import OpenTarget
from controller.engine.rendering import Renderer, request_for
from controller.engine.settings import Settings
from controller.engine.sources import Checkout, Source
from controller.git import Mirrors
from controller.model import (
    PLATFORM,
    ConvergeError,
    EnvironmentName,
    Invalid,
    PlacementRef,
    Plan,
    RepositoryName,
    Stalled,
    TargetName,
)
from controller.render import Rendered, RenderRequest
from controller.runtime import Clock
from controller.targets import Target


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A fleet and the checkouts that its applications follow."""

    fleet: Fleet
    sources: Mapping[RepositoryName, Source]
    renderer: Renderer

    def select(self, wanted: Sequence[str]) -> tuple[PlacementRef, ...]:
        """Find placements by `env`, `env/app` or `env/app@target`; all for none. Raises Stalled for an unknown one."""
        if not wanted:
            return tuple(sorted(self.fleet.entries))
        found: dict[PlacementRef, None] = {}
        for name in wanted:
            matches = [ref for ref in sorted(self.fleet.entries) if name in (str(ref), str(ref.group), ref.environment)]
            if not matches:
                raise Stalled(f"{name}: there is no such environment, application or placement. {self._known()}")
            found.update(dict.fromkeys(matches))
        return tuple(found)

    def entry(self, placement: PlacementRef) -> Entry:
        return self.fleet.entries[placement]

    def rendered(self, placement: PlacementRef) -> Rendered:
        """Render one placement and check what it may touch. Raises Stalled, Transient."""
        entry = self.entry(placement)
        if problems := self.fleet.platform.problems.get(placement.group):
            raise Invalid(problems)
        checkout = self.checkout(entry)
        rendered = self.renderer.rendered(placement, entry, checkout, self.fleet.checkout)
        for check in CHECKS:
            check(rendered.desired, self.fleet.platform)
        return rendered

    def request(self, placement: PlacementRef) -> RenderRequest:
        """Say what rendering a placement takes, to ask more of it than its objects. Raises Stalled, Transient."""
        entry = self.entry(placement)
        return request_for(placement, entry, self.checkout(entry), self.fleet.checkout)

    def checkout(self, entry: Entry) -> Checkout:
        return checkout_for(entry.application, self.sources[entry.repository.name].current)

    def _known(self) -> str:
        groups = sorted({str(ref.group) for ref in self.fleet.entries})
        return f"There are: {', '.join(groups[:20])}" if groups else "The platform has no applications yet"


async def take_snapshot(settings: Settings, mirrors: Mirrors, *, clock: Clock) -> Snapshot:
    """Read the platform and every repository it names, once each, at the same time.

    Raises Invalid for a platform that does not validate, Transient or Stalled where it can't be read. An
    application repository that can't be read is told by its own placements only.
    """
    head, fleet = await _read_platform(settings, mirrors, clock)
    return Snapshot(fleet, {PLATFORM: head, **await _read_applications(fleet, mirrors, clock)}, Renderer())


async def snapshot_of(platform: Checkout, mirrors: Mirrors, *, clock: Clock) -> Snapshot:
    """Give the fleet that a platform tree at hand describes, committed or not. Raises as `take_snapshot`."""
    fleet = fleet_of(read_platform(platform.tree), platform)
    return Snapshot(fleet, await _read_applications(fleet, mirrors, clock), Renderer())


async def _read_platform(settings: Settings, mirrors: Mirrors, clock: Clock) -> tuple[Source, Fleet]:
    head = _source(PLATFORM, settings.platform_url, settings.platform_credentials, mirrors, clock)
    head.follow(frozenset({settings.platform_revision}), settings.platform_signers)
    await head.poll()
    return head, await fleet_at(head.current(settings.platform_revision), head.mirror, None)


async def _read_applications(fleet: Fleet, mirrors: Mirrors, clock: Clock) -> Mapping[RepositoryName, Source]:
    sources: dict[RepositoryName, Source] = {}
    async with asyncio.TaskGroup() as tasks:
        for name, repository in fleet.platform.repositories.items():
            source = _source(name, repository.url, repository.credentials, mirrors, clock)
            source.follow(revisions_of(fleet.platform, name), signers_of(fleet, repository))
            sources[name] = source
            tasks.create_task(_poll(source))
    return sources


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
    refs = tuple(placements)
    places = {(ref.environment, ref.target) for ref in refs}
    async with _targets(snapshot, places, open_target) as targets:
        planned = await asyncio.gather(*(_plan(snapshot, ref, targets, done) for ref in refs))
    return tuple(planned)


async def _plan(
    snapshot: Snapshot,
    placement: PlacementRef,
    targets: Mapping[tuple[EnvironmentName, TargetName], Target | ConvergeError],
    done: Callable[[Planned], None],
) -> Planned:
    target = targets[placement.environment, placement.target]
    try:
        if isinstance(target, ConvergeError):
            raise target
        desired = snapshot.rendered(placement).desired
        planned = Planned(placement, await target.plan(desired, snapshot.entry(placement).application))
    except ConvergeError as error:
        planned = Planned(placement, None, error)
    done(planned)
    return planned


@asynccontextmanager
async def _targets(
    snapshot: Snapshot, places: Iterable[tuple[EnvironmentName, TargetName]], open_target: OpenTarget
) -> AsyncIterator[Mapping[tuple[EnvironmentName, TargetName], Target | ConvergeError]]:
    """Open each target once; one that can't be opened stands there as its error."""
    platform = snapshot.fleet.platform
    async with AsyncExitStack() as stack:
        opened: dict[tuple[EnvironmentName, TargetName], Target | ConvergeError] = {}
        for environment, name in places:
            spec = platform.environments[environment].targets[name]
            context: AbstractAsyncContextManager[Target] = open_target(
                spec, environment, platform.installation, changed=lambda _ref: None
            )
            try:
                opened[environment, name] = await stack.enter_async_context(context)
            except ConvergeError as error:
                opened[environment, name] = error
        yield opened
