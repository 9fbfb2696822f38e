"""Renders what changed, and only that.

Each render is kept with everything it read. While none of that moved, and neither did what the platform
says of the application, the kept one is the answer: deciding so costs a look-up per read, no render.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from controller.engine.asking import Asked, Outputs
from controller.engine.bounded import TooMuch, bounded
from controller.engine.fleet import Entry
from controller.engine.footprints import Footprint, Footprints, are_unmoved, cover_of
from controller.engine.kept_renders import KeptRenders
from controller.engine.packed_render import PackedRender
from controller.engine.preparing import Facts, Workshop, is_shareable
from controller.engine.render_pool import RenderPool
from controller.engine.render_requests import is_of_cluster, rendered_by_target, request_for, wires_of
from controller.engine.shape import shape_digest, shape_of, with_surroundings
from controller.engine.sources import Checkout
from controller.model import (
    PLATFORM,
    ConvergeError,
    PlacementRef,
    RepositoryName,
    Revision,
    Stalled,
    TerraformTarget,
    Transient,
    Tree,
    Unequipped,
)
from controller.render import (
    Head,
    Prepared,
    Read,
    Rendered,
    Result,
    TakenOutput,
    Wire,
    overlay_paths,
)
from controller.runtime import Clock


@dataclass(frozen=True, slots=True)
class _Kept:
    shape: tuple[object, ...]  # of the request, without its trees
    revision: Revision  # the last one that it was found to hold for
    result: PackedRender | Stalled
    cover: tuple[Read, ...] = ()  # of the reads: while it holds, so do they
    wires: tuple[Wire, ...] = ()
    seconds: float = 0.0  # that the render took
    facts: bytes | None = None  # of its target, where it asked for them
    heads: Mapping[Head, Result] = field(default_factory=dict)  # what the ranges of versions that it asked led to
    taken: Mapping[TakenOutput, Result] = field(default_factory=dict)  # of other targets, as it was told


LONG_SECONDS = 0.25  # an application whose render held everything up for so long goes to a worker the next time
MANY_BYTES = 256 << 10  # of files: one that reads more takes about as long, and goes to a worker at once
WORTH_SECONDS = 6.0  # of rendering that waits at once, from which on workers are worth the memory that they take
NEWEST_SHARE = 0.2  # of the last render in the mean


class Renderer:
    """Keeps the last render of each placement; a failure is kept like a success, since it is as pure.

    Not so a failure of the place we run at (Unequipped): the next call tries again.
    """

    def __init__(
        self,
        footprints: Footprints | None = None,
        pool: RenderPool | None = None,
        workshop: Workshop | None = None,
        kept: KeptRenders | None = None,
    ) -> None:
        self.workshop = workshop or Workshop()
        self._on_disk = kept
        self._kept: dict[PlacementRef, _Kept] = {}
        self._footprints = footprints
        self._pool = pool
        self._waiting = 0  # calls of `rendered_soon` that have not begun yet
        self._seconds = 0.0  # that a render took of late, one with another
        self.renders = 0  # how many were really done, for tests and metrics

    async def rendered(
        self,
        placement: PlacementRef,
        entry: Entry,
        application: Checkout,
        platform: Checkout,
        outputs: Outputs | None = None,
        facts: Facts | None = None,
    ) -> Rendered:
        """Give the placement's desired state. Raises Stalled (Invalid) where it does not render, Transient.

        `outputs` are what the group's other placements give out; one that is not there stands as a symbol. `facts` are
        asked for where a chart wants to know what its target is.
        """
        asked = Asked(facts, outputs or {}, must_know=False)
        return await self._rendered(placement, entry, application, platform, outputs, asked)

    async def _rendered(
        self,
        placement: PlacementRef,
        entry: Entry,
        application: Checkout,
        platform: Checkout,
        outputs: Outputs | None,
        asked: Asked,
        most_bytes: int | None = None,
    ) -> Rendered:
        """Render as `rendered` says. Raises TooMuch where it would read more than `most_bytes`."""
        await self._forget_other(placement, asked)
        self._recall(placement, entry, application, platform)
        kept = self._kept.get(placement)
        wires = wires_of(entry, outputs or {})
        is_wired = kept is not None and kept.wires == wires
        if kept is None or not is_wired or not self._is_current(kept, placement, entry, application, platform):
            return await self._render(placement, entry, application, platform, wires, asked, most_bytes)
        if isinstance(kept.result, Stalled):
            raise kept.result
        return kept.result.rendered()

    async def rendered_soon(
        self,
        placement: PlacementRef,
        entry: Entry,
        application: Checkout,
        platform: Checkout,
        outputs: Outputs | None = None,
        facts: Facts | None = None,
    ) -> Rendered:
        """Give the placement's desired state as `rendered` does, by a worker where many wait for theirs or it is large.

        Raises Transient too, where the worker is lost, and NotGiven. What takes secret outputs in stays here.
        """
        asked = Asked(facts, outputs or {}, must_know=True)
        await self._forget_other(placement, asked)
        self._recall(placement, entry, application, platform)
        is_for_pool = not isinstance(entry.target, TerraformTarget) and not entry.application.inputs
        if self._pool is None or not is_for_pool or self.is_current(placement, entry, application, platform):
            return await self._rendered(placement, entry, application, platform, outputs, asked)
        self._waiting += 1
        try:
            await asyncio.sleep(0)  # whoever else was woken by the same commit says so first
            is_worth_it = self._waiting * self._seconds > WORTH_SECONDS or self._took(placement) > LONG_SECONDS
        finally:
            self._waiting -= 1
        if not is_worth_it:
            with suppress(TooMuch):
                return await self._rendered(placement, entry, application, platform, outputs, asked, MANY_BYTES)
        self.renders += 1
        pool, request = self._pool, request_for(placement, entry, application, platform)

        async def by_a_worker(prepared: Prepared) -> Rendered:
            ready = replace(request, prepared=prepared)
            return await pool.render(ready) if is_shareable(prepared) else rendered_by_target(ready, entry)

        started = time.perf_counter()
        result = await self._result(by_a_worker, asked)
        seconds = time.perf_counter() - started
        return self._keep(placement, entry, application, platform, (), result, seconds, asked)

    def _recall(self, placement: PlacementRef, entry: Entry, application: Checkout, platform: Checkout) -> None:
        """Take up the render that a process before this one made, where it holds."""
        if self._on_disk is None or placement in self._kept or not is_of_cluster(entry):
            return
        found = self._on_disk.get(placement, entry, application, platform)
        if found is not None:
            revision = Revision(application.commit, platform.commit)
            packed = PackedRender.of(found.rendered)
            self._kept[placement] = _Kept(shape_of(placement, entry), revision, packed, found.cover)

    def needs_files(self, placement: PlacementRef, entry: Entry, application: Checkout, platform: Checkout) -> bool:
        """Tell whether the next render will read files: it is not known what it gives."""
        if placement in self._kept or self._on_disk is None:
            return not self.is_current(placement, entry, application, platform)
        return not self._on_disk.holds(placement, entry, application, platform)

    def _took(self, placement: PlacementRef) -> float:
        """Give the seconds of a placement's last render; 0 where there was none."""
        kept = self._kept.get(placement)
        return kept.seconds if kept else 0.0

    def is_current(self, placement: PlacementRef, entry: Entry, application: Checkout, platform: Checkout) -> bool:
        """Tell whether a render would give what is kept, without rendering."""
        kept = self._kept.get(placement)
        return kept is not None and self._is_current(kept, placement, entry, application, platform)

    def is_known_to_hold(
        self, placement: PlacementRef, entry: Entry, application: Checkout, platform: Checkout
    ) -> bool:
        """Tell whether an earlier render, of this process or one before it, read nothing that is other here.

        False where that is not known, too.
        """
        footprint = self._footprints.get(str(placement)) if self._footprints else None
        if footprint is None:
            return self.is_current(placement, entry, application, platform)
        try:
            shape, trees = shape_digest(placement, entry), _trees(application, platform)
            asked = entry.surroundings.digest_for(placement.group) if footprint.shape != shape else None
            return footprint.holds(with_surroundings(shape, asked), trees)
        except ConvergeError:
            return False

    def current(
        self, placement: PlacementRef, entry: Entry, application: Checkout, platform: Checkout
    ) -> Rendered | None:
        """Give what is kept where it is what a render would give; None where it is not, or is a failure."""
        if not self.is_current(placement, entry, application, platform):
            return None
        result = self._kept[placement].result
        return result.rendered() if isinstance(result, PackedRender) else None

    def forget(self, placement: PlacementRef) -> None:
        self._kept.pop(placement, None)
        if self._on_disk is not None:
            self._on_disk.drop(placement)

    def _is_current(
        self, kept: _Kept, placement: PlacementRef, entry: Entry, application: Checkout, platform: Checkout
    ) -> bool:
        revision = Revision(application.commit, platform.commit)
        if kept.shape != shape_of(placement, entry):
            return False
        if kept.revision == revision:
            return True
        if isinstance(kept.result, Stalled):
            return False
        asked = kept.result.surroundings
        if asked is not None and asked != entry.surroundings.digest_for(placement.group):
            return False
        trees = _trees(application, platform)
        cover = kept.cover
        try:
            if not are_unmoved(cover, trees):
                reads = kept.result.reads()
                if not are_unmoved(reads, trees):
                    return False
                cover = _cover(placement, reads, entry, application, platform)
        except ConvergeError:  # such as a link that leads out of the tree now: whoever renders meets it, and tells it
            return False
        self._kept[placement] = replace(kept, revision=revision, cover=cover)
        return True

    async def _render(
        self,
        placement: PlacementRef,
        entry: Entry,
        application: Checkout,
        platform: Checkout,
        wires: tuple[Wire, ...],
        asked: Asked,
        most_bytes: int | None,
    ) -> Rendered:
        request = replace(request_for(placement, entry, application, platform), wires=wires)

        seconds = 0.0

        async def here(prepared: Prepared) -> Rendered:
            nonlocal seconds
            started = time.thread_time()  # what others take of a busy machine is not its cost
            try:
                ready = replace(request, prepared=prepared)
                return rendered_by_target(ready if most_bytes is None else bounded(ready, most_bytes), entry)
            finally:
                seconds = time.thread_time() - started
                self._seconds += (seconds - self._seconds) * NEWEST_SHARE

        result = await self._result(here, asked)
        self.renders += 1
        return self._keep(placement, entry, application, platform, wires, result, seconds, asked)

    async def follow(self, clock: Clock, seconds: float, moved: Callable[[list[PlacementRef]], None]) -> None:
        """Tell for ever which placements' ranges of charts' versions lead elsewhere by now."""
        while True:
            await clock.sleep(seconds)
            ranged = [(ref, kept) for ref, kept in self._kept.items() if kept.heads]
            if found := [ref for ref, kept in ranged if await self._has_moved(kept)]:
                moved(found)

    async def _forget_other(self, placement: PlacementRef, asked: Asked) -> None:
        """Forget a render that would be told something else now of targets and charts. Only what it asked is asked."""
        kept = self._kept.get(placement)
        if kept is None:
            return
        is_same = asked.is_as(kept.taken) and (kept.facts is None or kept.facts == await asked())
        if not is_same or await self._has_moved(kept):
            self.forget(placement)

    async def _has_moved(self, kept: _Kept) -> bool:
        """Tell whether a range leads elsewhere by now. While its host is away, what is known stays in force."""
        for need, before in kept.heads.items():
            try:
                if await self.workshop.head(need) != before:
                    return True
            except Transient:
                continue
            except Stalled:  # whoever renders meets it, and tells it
                return True
        return False

    async def _result(self, do: Callable[[Prepared], Awaitable[Rendered]], asked: Asked) -> Rendered | Stalled:
        """Give what a render and what it needs come to, as far as it is pure. Raises what is not."""

        async def noting(prepared: Prepared) -> Rendered:
            asked.has_needs = bool(prepared)
            return await do(prepared)

        try:
            return await self.workshop.work(noting, asked, asked.heads, asked.give)
        except Unequipped:
            raise
        except Stalled as error:
            return error

    def _keep(
        self,
        placement: PlacementRef,
        entry: Entry,
        application: Checkout,
        platform: Checkout,
        wires: tuple[Wire, ...],
        result: Rendered | Stalled,
        seconds: float,
        asked: Asked,
    ) -> Rendered:
        """Keep what came of a render, and give it. Raises Stalled where that came of it."""
        cover: tuple[Read, ...] = ()
        kept: PackedRender | Stalled
        if isinstance(result, Stalled):
            kept = result
        else:
            kept = PackedRender.of(result)
            cover = _cover(placement, result.reads, entry, application, platform)
            if self._footprints is not None:
                shape = with_surroundings(shape_digest(placement, entry), result.surroundings)
                self._footprints.put(str(placement), Footprint(shape, result.reads, cover))
            if self._on_disk is not None and is_of_cluster(entry):
                is_of_git = not (wires or asked.has_needs or asked.taken or entry.application.inputs)
                self._on_disk.put(placement, entry, result, kept, cover, is_of_git=is_of_git)
        revision = Revision(application.commit, platform.commit)
        self._kept[placement] = _Kept(
            shape_of(placement, entry), revision, kept, cover, wires, seconds, asked.answer, asked.heads, asked.taken
        )
        if isinstance(result, Stalled):
            raise result
        return result


def _cover(
    placement: PlacementRef, reads: tuple[Read, ...], entry: Entry, application: Checkout, platform: Checkout
) -> tuple[Read, ...]:
    """Cover a render's reads by the application's own directory and the overlays that are its alone."""
    path, (_, *own) = entry.application.path, overlay_paths(placement)
    homes = [Read(application.repository, path, application.tree.digest(path))]
    homes += [Read(PLATFORM, one, platform.tree.digest(one)) for one in own]
    return cover_of(reads, _trees(application, platform), homes)


def _trees(application: Checkout, platform: Checkout) -> Mapping[RepositoryName, Tree]:
    return {application.repository: application.tree, PLATFORM: platform.tree}


def as_applied(rendered: Rendered, revision: Revision) -> Rendered:
    """Give the same desired state the revision under which the target already holds it.

    A commit that changes nothing of a placement is no new version of it.
    """
    return replace(rendered, desired=replace(rendered.desired, revision=revision))
