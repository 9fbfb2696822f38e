"""The controller: sources, targets, runs and records, living and dying together.

Every arrow into the queue is here: a moved platform, a moved application repository, an event of a target,
a dependency that became ready, a timer. An arrow names a placement and nothing more; its run reads the
world anew.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Coroutine, Iterable
from functools import partial
from typing import Any

from controller.engine.alarms import Alarms
from controller.engine.attempts import Attempts, World
from controller.engine.board import Board
from controller.engine.claims import Claims
from controller.engine.committing import Style, style_of
from controller.engine.decide import is_at_rest
from controller.engine.departed import Departures
from controller.engine.drawing import rhythm_of
from controller.engine.events import Tell
from controller.engine.exporting import Aim, Exports
from controller.engine.fleet import (
    Fleet,
    groups_that_come_after,
    groups_that_follow,
    places_of,
    takers_of,
)
from controller.engine.in_force import Arrows, InForce
from controller.engine.on_disk import OnDisk
from controller.engine.outputs import OutputBoard
from controller.engine.places import Places
from controller.engine.pool import OpenTarget, Place, Pool
from controller.engine.predecessors import Predecessors, recorded_waits
from controller.engine.preparing import Workshop
from controller.engine.proposing import Proposer
from controller.engine.queue import Queue
from controller.engine.recording import Recorder
from controller.engine.render_pool import RenderPool
from controller.engine.render_requests import request_for
from controller.engine.rendering import Renderer
from controller.engine.reviewing import Reviewer
from controller.engine.runner import Runner
from controller.engine.settings import Settings
from controller.engine.state_keeping import StateKeeping
from controller.engine.turns import Turns
from controller.git import Mirrors
from controller.model import (
    PLATFORM,
    ConvergeError,
    Digest,
    Export,
    GroupRef,
    Health,
    OnDrift,
    PlacementRef,
    PlacementReport,
    SyncStatus,
)
from controller.runtime import Clock, Watcher, stay_small

DEFAULT_HEALTH_SECONDS = 600.0
MOST_RENDER_WORKERS = 4  # each takes some 40 MiB while there is much to render
GATHER_SECONDS = 0.05  # events of a placement that come within it are looked at together


class Controller:
    """One controller process. `run` lives until `stop` is set, then ends in order."""

    def __init__(
        self,
        settings: Settings,
        mirrors: Mirrors,
        open_target: OpenTarget,
        *,
        clock: Clock,
        watcher: Watcher,
        tell: Tell,
        workshop: Workshop | None = None,
        states: StateKeeping | None = None,
        on_disk: OnDisk | None = None,
    ) -> None:
        self._on_disk = on_disk
        self._settings = settings
        self._mirrors = mirrors
        self._clock = clock
        self._tell = tell
        self._states = states
        self._chance = random.SystemRandom().random
        self._tasks: asyncio.TaskGroup | None = None
        self._progress = asyncio.Event()  # something came to an end: `settled` looks again
        self._queue: Queue[PlacementRef] = Queue()
        self._render_pool = RenderPool(size=_render_workers(os.cpu_count() or 1))
        self._renderer = Renderer(
            pool=self._render_pool, workshop=workshop, kept=on_disk.renders if on_disk is not None else None
        )
        self._claims = Claims(self._queue.add)
        self._outputs = OutputBoard()
        self._departures = Departures()
        self._proposer = Proposer(self._spawn, clock, tell, self._renderer.workshop)
        self._platform = InForce(
            settings,
            mirrors,
            self._renderer,
            spawn=self._spawn,
            clock=clock,
            watcher=watcher,
            tell=tell,
            chance=self._chance,
            arrows=Arrows(self._installed, self._wake, self._progress.set),
        )
        self._pool = Pool(open_target, self._spawn, changed=self._target_moved, opened=self._opened)
        self._recorder = Recorder(
            spawn=self._spawn,
            clock=clock,
            tell=tell,
            chance=self._chance,
            is_quiet=lambda: self._queue.is_idle,
            pushed=self._recorded,
            rhythm=lambda: rhythm_of(self._platform.fleet),
        )
        self._exports = Exports(self._spawn, clock, tell, mirrors.credential)
        self._alarms = Alarms(self._spawn, clock, self._queue.add)
        self.board = Board()
        self._predecessors = Predecessors(self._platform, self._renderer, self.board, self._queue, clock)
        self._reviewer = Reviewer(
            self._platform,
            self._renderer,
            mirrors,
            open_target,
            clock=clock,
            interval_seconds=settings.interval_seconds,
            signers=settings.platform_signers,
            post=self._recorder.post_change,
        )
        self._turns = Turns(self.board, self._inputs_now, clock, partial(recorded_waits, self._platform))
        self._attempts = Attempts(
            World(
                platform=self._platform,
                renderer=self._renderer,
                pool=self._pool,
                queue=self._queue,
                board=self.board,
                claims=self._claims,
                outputs=self._outputs,
                departures=self._departures,
                predecessors=self._predecessors,
                turns=self._turns,
                alarms=self._alarms,
                clock=clock,
                tell=tell,
            ),
            damped=self._damped,
            interim=self._interim,
        )
        self._runner = Runner(
            self._queue,
            self.board,
            self._attempts.run,
            clock=clock,
            tell=tell,
            record=self._recorder.post,
            ended=self._ended,
            health_seconds=self._health_seconds,
            chance=self._chance,
            places=Places(),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Live until `stop`, then let runs under way end and the last records be pushed."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            runs = self._spawn(self._runner.run(stop), "runner")
            others = [
                self._spawn(self._recorder.run(), "recorder"),
                self._spawn(self._platform.follow(), "platform"),
                self._spawn(self._renderer.follow(self._clock, self._settings.interval_seconds, self._wake), "ranges"),
            ]
            others.append(self._spawn(stay_small(self._clock), "memory"))
            if self._on_disk is not None:
                others.append(self._spawn(self._on_disk.run(self._clock), "disk"))
            reviewer = self._spawn(self._reviewer.run(), "reviewer")
            await stop.wait()
            reviewer.cancel()
            self._platform.close()
            self._alarms.close()
            self._exports.close()
            try:
                async with asyncio.timeout(self._settings.stop_seconds):
                    await asyncio.wait([runs])
                    await self._recorder.flush()
            except TimeoutError:
                runs.cancel()
            self._pool.close()
            await self._render_pool.close()
            self._recorder.close()
            if self._states is not None:
                self._states.close()
            if self._on_disk is not None:
                self._on_disk.close()
            for task in others:
                task.cancel()

    async def settled(self) -> tuple[PlacementReport, ...]:
        """Wait until every placement has come to rest and is recorded; what waits for people is at rest too.

        Raises the platform's error while no platform is in force.
        """
        while not self._is_at_rest():
            if self._platform.error is not None and self._platform.fleet is None:
                raise self._platform.error
            self._progress.clear()
            await self._progress.wait()
        await self._recorder.flush()
        return self.board.all()

    @property
    def renders(self) -> int:
        """How many renders were really done."""
        return self._renderer.renders

    def poke(self) -> None:
        """Poll every repository now."""
        self._platform.poke()

    def credentials_moved(self) -> None:
        """Look again at what may have lacked one, or has another now: repositories, targets, what failed."""
        self.poke()
        self._pool.credentials_moved()
        for report in self.board.all():
            if report.sync is SyncStatus.FAILED:
                self._queue.add(report.placement)

    # --- the platform -------------------------------------------------------------------------------------

    def _installed(self, before: Fleet | None, fleet: Fleet) -> None:
        """A platform commit came into force, or a newer one did not."""
        is_new = before is None or before.checkout.commit != fleet.checkout.commit
        if is_new:
            records = fleet.platform.records
            source = self._platform.source(records.repository or PLATFORM)
            self._recorder.aim(source.mirror, records.branch, self._style(fleet))
            self._exports.set(fleet.platform.exports, partial(self._aim_export, fleet))
            if self._states is not None:
                self._states.aim(source.mirror, self._style(fleet), records=records.branch, spawn=self._spawn)
        self._recorder.post_platform(fleet.checkout.commit, fleet.rejected, fleet.problems)
        if not is_new:
            return
        self._departures.install(before, fleet)
        self._open_targets(fleet)
        if before is None:
            self._spawn(self._find_departed(), "departed")
        gone = before.entries.keys() - fleet.entries.keys() if before else frozenset[PlacementRef]()
        for placement in gone:
            self._claims.release(placement)
            self._turns.forget(placement)
            self._renderer.forget(placement)
        # What left git earlier and is still there may wait for a yes that this commit is.
        left = {one.placement for one in self.board.all()} - fleet.entries.keys()
        is_same = self._platform.is_same
        self._wake([*(gone | left), *(ref for ref in fleet.entries if not is_same(ref, before, fleet))])
        if before is not None and before.platform.models != fleet.platform.models:
            for ref in fleet.entries:  # records may tell other facts of their objects; no wait for them ends
                self._queue.add(ref)

    def _aim_export(self, fleet: Fleet, export: Export) -> Aim:
        records = fleet.platform.records
        source = self._platform.source(records.repository or PLATFORM)
        home = self._platform.source(export.repository or records.repository or PLATFORM)
        return Aim(records=source.mirror, branch=records.branch, home=home.mirror, style=self._style(fleet))

    def _open_targets(self, fleet: Fleet) -> None:
        """Open the targets that environments name, and those that something has still to be taken away from."""
        places = {**self._departures.places(), **places_of(fleet.platform)}
        self._pool.set(fleet.platform.installation, places, fleet.platform.health)

    async def _find_departed(self) -> None:
        await self._departures.find(self._platform, self._clock, self._chance)
        if (fleet := self._platform.fleet) is not None:
            self._open_targets(fleet)
            for ref in self._departures.left - fleet.entries.keys():
                self._queue.add(ref)
        self._progress.set()

    # --- arrows into the queue ----------------------------------------------------------------------------

    def _wake(self, placements: list[PlacementRef]) -> None:
        """A commit moved these: a run under way begins no further wait for the old one."""
        self._platform.read_ahead(placements)
        self._claims.expect(ref for ref in placements if self._platform.entry(ref) is not None)
        for placement in placements:
            self._runner.supersede(placement)
            self._queue.add(placement)

    def _target_moved(self, placement: PlacementRef) -> None:
        """Look again soon: one write brings several events, of which the last alone says how it ended."""
        self._queue.nudge(placement, GATHER_SECONDS)

    def _opened(self, place: Place) -> None:
        """A target was opened, or could not be: its placements look again, and so do those that git forgot."""
        fleet = self._platform.fleet
        if fleet is None:
            return
        for ref in (*fleet.entries, *self._departures.at(place)):
            if (ref.environment, ref.target) == place:
                self._queue.add(ref)
        if place in self._pool.open_places():
            self._spawn(self._find_orphans(place), f"orphans {place}")

    async def _find_orphans(self, place: Place) -> None:
        try:
            found = await self._pool.get(place).placements()
        except ConvergeError:
            return  # the target's own state tells of it, and it will be opened again
        for ref in found:
            if (ref.environment, ref.target) == place:
                self._queue.add(ref)

    def _ended(self, placement: PlacementRef, report: PlacementReport | None) -> None:
        fleet = self._platform.fleet
        self._progress.set()
        if fleet is None or report is None:
            return
        if report.retired:
            if placement not in fleet.entries:
                self.board.forget(placement)
            if self._departures.retire(placement):
                self._open_targets(fleet)
        self._propose(fleet, report)
        if not self._outputs.is_known(placement):
            for ref in (*takers_of(fleet, placement), *self._outputs.takers(placement)):
                self._queue.add(ref)  # there is no value, and now it is known why
        if report.sync is SyncStatus.SYNCED and report.health in (Health.HEALTHY, Health.SUSPENDED):
            self._look_again(groups_that_follow(fleet, placement.group))
            self._look_again(groups_that_come_after(fleet, placement.group))
            self._look_again(self._turns.behind(placement))

    def _recorded(self, groups: Iterable[GroupRef]) -> None:
        """Transitions are on the records branch: whoever comes after these groups reads there how they stand."""
        fleet = self._platform.fleet
        self._exports.poke()
        if fleet is not None:
            for group in groups:
                self._look_again(groups_that_come_after(fleet, group))

    def _look_again(self, placements: Iterable[PlacementRef]) -> None:
        """Let those look again that wait for something."""
        for ref in placements:
            waiting = self.board.of(ref)
            if waiting is not None and waiting.sync is not SyncStatus.SYNCED:
                self._queue.add(ref)

    def _propose(self, fleet: Fleet, report: PlacementReport) -> None:
        """Offer drift to git where its policy says so."""
        entry = fleet.entries.get(report.placement)
        if entry is None or entry.application.sync.drift is not OnDrift.PROPOSE:
            return
        group = [ref for ref in fleet.entries if ref.group == report.placement.group]
        try:
            requests = {
                ref: request_for(ref, fleet.entries[ref], self._platform.checkout(fleet.entries[ref]), fleet.checkout)
                for ref in group
            }
        except ConvergeError:
            return  # it is told by the run of whom it concerns
        mirror = self._platform.source(PLATFORM).mirror
        self._proposer.offer(report, requests, mirror, fleet.checkout.commit, self._style(fleet))

    def _style(self, fleet: Fleet) -> Style:
        return style_of(fleet.platform.commits, self._settings.identity, self._mirrors)

    def _damped(self, placement: PlacementRef) -> frozenset[str]:
        return self._runner.damped(placement)

    def _interim(self, report: PlacementReport) -> None:
        self._runner.post(report, 0.0)

    def _inputs_now(self, placement: PlacementRef) -> Digest | None:
        """Say what a placement's desired state is rendered from now, so far as that is known."""
        fleet, entry = self._platform.fleet, self._platform.entry(placement)
        if fleet is None or entry is None:
            return None
        try:
            found = self._renderer.current(placement, entry, self._platform.checkout(entry), fleet.checkout)
        except ConvergeError:
            return None
        return found.desired.inputs if found else None

    # --- parts --------------------------------------------------------------------------------------------

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        if self._tasks is None:
            raise RuntimeError("a task was started before `run`")
        return self._tasks.create_task(coroutine, name=name)

    def _health_seconds(self, placement: PlacementRef) -> float:
        entry = self._platform.entry(placement)
        return float(entry.application.sync.health_seconds) if entry else DEFAULT_HEALTH_SECONDS

    def _is_at_rest(self) -> bool:
        fleet = self._platform.fleet
        if fleet is None or not self._departures.is_read or not self._queue.is_idle:
            return False
        return all(is_at_rest(self.board.of(ref)) for ref in (*fleet.entries, *self._departures.placements()))


def _render_workers(cores: int) -> int:
    """Leave half of the machine to those who write what was rendered: this process, and a server beside it."""
    return min(max(cores // 2, 1), MOST_RENDER_WORKERS)
