"""The fleet at one moment, for commands that look once: read the repositories, render, plan. Nothing is written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from controller.config import read_platform
from controller.engine.asking import Outputs
from controller.engine.checks import CHECKS
from controller.engine.fleet import Entry, Fleet, checkout_for, fleet_at, fleet_of, revisions_of, signers_of
from controller.engine.footprints import Footprints
from controller.engine.preparing import Facts, Workshop
from controller.engine.render_requests import request_for
from controller.engine.rendering import Renderer
from controller.engine.settings import Settings
from controller.engine.sources import Checkout, Source
from controller.git import Mirrors
from controller.model import (
    PLATFORM,
    CommitId,
    Invalid,
    PlacementRef,
    RepositoryName,
    Stalled,
)
from controller.render import Rendered, RenderRequest
from controller.runtime import Clock

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

    async def rendered(
        self, placement: PlacementRef, facts: Facts | None = None, outputs: Outputs | None = None
    ) -> Rendered:
        """Render one placement and check what it may touch. Raises Stalled, Transient.

        `facts` are its target's; `outputs` what its group's other placements give out: what is not there is a symbol.
        """
        entry = self.entry(placement)
        if problems := self.fleet.platform.problems.get(placement.group):
            raise Invalid(problems)
        checkout = self.checkout(entry)
        rendered = await self.renderer.rendered(placement, entry, checkout, self.fleet.checkout, outputs, facts)
        for check in CHECKS:
            check(rendered.desired, self.fleet.platform)
        return rendered

    def request(self, placement: PlacementRef) -> RenderRequest:
        """Say what rendering a placement takes, to ask more of it than its objects. Raises Stalled, Transient."""
        entry = self.entry(placement)
        return request_for(placement, entry, self.checkout(entry), self.fleet.checkout)

    def source(self, name: RepositoryName) -> Source:
        """Give a repository's source. Raises Stalled where the platform names no such repository."""
        if name not in self.sources:
            raise Stalled(f"the platform names no repository {name}")
        return self.sources[name]

    def is_read(self, _entry: Entry) -> bool:
        """Tell that all that is followed was asked for once."""
        return True

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
