"""The platform in force, and the repositories that it names: followed, read, and what both say of a placement now.

A platform commit that does not validate changes nothing of it; the error stands beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from controller.engine.approvals import approvals_path
from controller.engine.events import PlatformAccepted, PlatformRejected, Tell
from controller.engine.fleet import Entry, Fleet, checkout_for, fleet_at, revisions_for, revisions_of, signers_of
from controller.engine.following import SourceSet, Wanted
from controller.engine.rendering import Renderer
from controller.engine.settings import Settings
from controller.engine.sources import Checkout, Source
from controller.engine.spawning import Spawn
from controller.git import Mirrors
from controller.model import PLATFORM, ConvergeError, Invalid, PlacementRef, Repository, RepositoryName, Stalled
from controller.records import holds_records
from controller.runtime import Clock, Watcher


class Installed(Protocol):
    """Told of the fleet that was in force and the one that is: the same commit twice when a newer one is bad."""

    def __call__(self, before: Fleet | None, fleet: Fleet) -> None: ...


@dataclass(frozen=True, slots=True)
class Arrows:
    """Where to tell of what: `moved` gets the placements that a commit of an application repository touches."""

    installed: Installed
    moved: Callable[[list[PlacementRef]], None]
    progress: Callable[[], None]


class InForce:
    """Owns the sources."""

    def __init__(
        self,
        settings: Settings,
        mirrors: Mirrors,
        renderer: Renderer,
        *,
        spawn: Spawn,
        clock: Clock,
        watcher: Watcher,
        tell: Tell,
        chance: Callable[[], float],
        arrows: Arrows,
    ) -> None:
        self._settings = settings
        self._mirrors = mirrors
        self._renderer = renderer
        self._clock = clock
        self._watcher = watcher
        self._tell = tell
        self._chance = chance
        self._arrows = arrows
        self._platform_moved = asyncio.Event()
        self._sources = SourceSet(self._new_source, spawn, watch=self._watch)
        self._refused: dict[PlacementRef, str] = {}  # why no commit of theirs is taken, as it was said last
        self.fleet: Fleet | None = None
        self.error: ConvergeError | None = None  # of the newest platform commit, or of reading it

    async def follow(self) -> None:
        """Bring platform commits into force as they come."""
        self._follow_sources()
        while True:
            await self._platform_moved.wait()
            self._platform_moved.clear()
            try:
                checkout = self._sources.current(PLATFORM, self._settings.platform_revision)
                self._install(await fleet_at(checkout, self._sources.source(PLATFORM).mirror, self.fleet))
                self.error = None
            except Invalid as error:
                self._tell(PlatformRejected(None, None, error.problems))
                self.error = error
            except ConvergeError as error:
                self.error = error
            self._arrows.progress()

    def poke(self) -> None:
        """Poll every repository now."""
        self._sources.poke()

    def close(self) -> None:
        self._sources.close()

    def source(self, name: RepositoryName) -> Source:
        """Give a repository's source. Raises Stalled where the platform names no such repository."""
        return self._sources.source(name)

    def entry(self, placement: PlacementRef) -> Entry | None:
        return self.fleet.entries.get(placement) if self.fleet else None

    def checkout(self, entry: Entry) -> Checkout:
        """Give the checkout that an entry's application is at. Raises Stalled or Transient, as `Source.current`.

        A branch of records is refused, by whatever address it is reached: our own commits would start runs (rule 8).
        """
        found = checkout_for(entry.application, lambda one: self._sources.current(entry.repository.name, one))
        if holds_records(found.tree):
            raise Stalled(
                f"{entry.repository.name}: {entry.application.revision or 'HEAD'} holds what Converge records, and "
                "each run would start another. Follow another branch"
            )
        return found

    def is_read(self, entry: Entry) -> bool:
        """Tell whether what an entry follows was asked for, with whatever answer."""
        return all(self._sources.is_read(entry.repository.name, one) for one in revisions_for(entry.application))

    def is_same(self, placement: PlacementRef, before: Fleet | None, fleet: Fleet) -> bool:
        """Tell whether a commit leaves a placement as it was: what git says, and what it renders to."""
        entry = fleet.entries[placement]
        if before is None or before.entries.get(placement) != entry:
            return False
        try:
            application = self.checkout(entry)
        except ConvergeError:
            return False
        return _has_same_approvals(placement, before, fleet) and self._renderer.is_current(
            placement, entry, application, fleet.checkout
        )

    def read_ahead(self, placements: Iterable[PlacementRef]) -> None:
        """Have the files that these placements will read in as few requests as may be."""
        followed = [entry for ref in placements if (entry := self.entry(ref)) is not None and self._reads(ref, entry)]
        self._sources.read_ahead(
            (one.repository.name, one.application.revision, one.application.path) for one in followed
        )

    def _reads(self, placement: PlacementRef, entry: Entry) -> bool:
        """Tell whether the next run of a placement will read its files."""
        if self.fleet is None:
            return False
        try:
            return self._renderer.needs_files(placement, entry, self.checkout(entry), self.fleet.checkout)
        except ConvergeError:
            return False

    def _install(self, fleet: Fleet) -> None:
        before, self.fleet = self.fleet, fleet
        if fleet.rejected is not None:
            self._tell(PlatformRejected(fleet.rejected, fleet.checkout.commit, fleet.problems))
        if before is None or before.checkout.commit != fleet.checkout.commit:
            self._tell(PlatformAccepted(fleet.checkout.commit, len(fleet.entries)))
            self._follow_sources()
        self._arrows.installed(before, fleet)

    def _follow_sources(self) -> None:
        settings, fleet = self._settings, self.fleet
        wanted = {
            PLATFORM: Wanted(
                settings.platform_url,
                settings.platform_credentials,
                frozenset({settings.platform_revision}),
                settings.platform_signers,
            )
        }
        if fleet is not None:
            wanted |= {name: _wanted(fleet, one) for name, one in fleet.platform.repositories.items()}
        self._sources.set(wanted)

    def _new_source(self, name: RepositoryName, url: str, credentials: str) -> Source:
        return Source(
            name,
            self._mirrors.mirror(url, credentials),
            clock=self._clock,
            interval_seconds=self._settings.interval_seconds,
            tell=self._tell,
            moved=self._source_moved,
            chance=self._chance,
        )

    def _watch(self, source: Source) -> None:
        """A repository on this machine tells at once that it moved: its directory is watched."""
        folder = source.mirror.watchable
        if folder is not None:
            self._watcher.watch(folder, source.poke, is_recursive=True)

    def _source_moved(self, name: RepositoryName) -> None:
        fleet = self.fleet
        if name == PLATFORM:
            self._platform_moved.set()
        elif fleet is not None:
            followers = [ref for ref, entry in fleet.entries.items() if entry.repository.name == name]
            self._arrows.moved([ref for ref in followers if self._is_news(ref, fleet)])

    def _is_news(self, placement: PlacementRef, fleet: Fleet) -> bool:
        """Tell whether a commit of its repository concerns a placement; that it is refused is said once."""
        try:
            self.checkout(fleet.entries[placement])
        except Stalled as error:
            is_known = self._refused.get(placement) == str(error)
            self._refused[placement] = str(error)
            return not is_known
        except ConvergeError:
            return True
        self._refused.pop(placement, None)
        return not self.is_same(placement, fleet, fleet)


def _wanted(fleet: Fleet, one: Repository) -> Wanted:
    return Wanted(one.url, one.credentials, revisions_of(fleet.platform, one.name), signers_of(fleet, one))


def _has_same_approvals(placement: PlacementRef, before: Fleet, fleet: Fleet) -> bool:
    path = approvals_path(placement.group)
    return before.checkout.tree.digest(path) == fleet.checkout.tree.digest(path)
