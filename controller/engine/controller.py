"""The controller: sources, targets, runs and records, living and dying together.

Every arrow into the queue is here: a moved platform, a moved application repository, an event of a target,
a dependency that became ready, a timer. An arrow names a placement and nothing more; its run reads the
world anew.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from controller.engine.alarms import Alarms
from controller.engine.approvers import judged
from controller.engine.authors import authors_of
from controller.engine.board import Board
from controller.engine.checks import CHECKS, window_wait
from controller.engine.claims import Claims
from controller.engine.committing import Style, style_of
from controller.engine.departed import Departures
from controller.engine.events import Tell
from controller.engine.exporting import Aim, Exports
from controller.engine.fleet import (
    Entry,
    Fleet,
    groups_that_come_after,
    groups_that_follow,
    places_of,
    takers_of,
)
from controller.engine.in_force import Arrows, InForce
from controller.engine.judging import Judged
from controller.engine.outputs import OutputBoard
from controller.engine.pool import OpenTarget, Place, Pool
from controller.engine.predecessors import Predecessors, recorded_files
from controller.engine.preparing import Workshop
from controller.engine.proposing import Proposer
from controller.engine.queue import Queue
from controller.engine.reconcile import Inputs, Means, Run, reconcile, report_without_checkout
from controller.engine.recording import Recorder
from controller.engine.render_pool import RenderPool
from controller.engine.rendering import Renderer, request_for
from controller.engine.reviewing import Reviewer
from controller.engine.runner import Runner
from controller.engine.settings import Settings
from controller.engine.sources import Checkout
from controller.engine.state_keeping import StateKeeping
from controller.engine.teardown import orphan, tear_down
from controller.engine.turns import Turns
from controller.git import Mirrors
from controller.model import (
    PLATFORM,
    Application,
    Approvals,
    ConvergeError,
    Digest,
    Export,
    GroupRef,
    Health,
    Invalid,
    Observation,
    OnDrift,
    PlacementRef,
    PlacementReport,
    Revision,
    Stalled,
    State,
    SyncStatus,
    Transient,
)
from controller.records import reviewed_plans
from controller.runtime import Clock, Watcher
from controller.targets import next_end

DEFAULT_HEALTH_SECONDS = 600.0
MOST_RENDER_WORKERS = 4  # each takes some 50 MiB while there is much to render
GATHER_SECONDS = 0.05  # events of a placement that come within it are looked at together


Judge = Callable[[Revision | None], Awaitable[Judged]]


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
    ) -> None:
        self._settings = settings
        self._mirrors = mirrors
        self._clock = clock
        self._tell = tell
        self._states = states
        self._chance = random.SystemRandom().random
        self._tasks: asyncio.TaskGroup | None = None
        self._progress = asyncio.Event()  # something came to an end: `settled` looks again
        self._queue: Queue[PlacementRef] = Queue()
        self._render_pool = RenderPool(size=min(os.cpu_count() or 1, MOST_RENDER_WORKERS))
        self._renderer = Renderer(pool=self._render_pool, workshop=workshop)
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
        self._turns = Turns(self.board, self._inputs_now, clock)
        self._runner = Runner(
            self._queue,
            self.board,
            self._run_one,
            clock=clock,
            tell=tell,
            record=self._recorder.post,
            ended=self._ended,
            health_seconds=self._health_seconds,
            chance=self._chance,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Live until `stop`, then let runs under way end and the last records be pushed."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            runs = self._spawn(self._runner.run(stop), "runner")
            others = [
                self._spawn(self._recorder.run(), "recorder"),
                self._spawn(self._platform.follow(), "platform"),
            ]
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

    def poke(self) -> None:
        """Poll every repository now."""
        self._platform.poke()

    def credentials_moved(self) -> None:
        """Look again at what may have lacked one: repositories, and placements that failed."""
        self.poke()
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
        self._queue.add_later(placement, GATHER_SECONDS)

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
            for ref in takers_of(fleet, placement):
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

    # --- one run ------------------------------------------------------------------------------------------

    async def _run_one(self, placement: PlacementRef, superseded: asyncio.Event) -> Run | None:
        try:
            return await self._look_and_run(placement, superseded)
        finally:
            self._claims.decide(placement)

    async def _look_and_run(self, placement: PlacementRef, superseded: asyncio.Event) -> Run | None:
        fleet = self._platform.fleet
        if fleet is None:
            return None
        entry = fleet.entries.get(placement)
        if entry is None or entry.application.state is State.ABSENT:
            return await self._tear_down(placement, fleet, entry, superseded)
        if problems := fleet.platform.problems.get(placement.group):
            error: ConvergeError = Invalid(problems)
            return Run(report_without_checkout(placement, entry, error), error)
        place = (placement.environment, placement.target)
        if not (self._pool.has_answer(place) and self._platform.is_read(entry)):
            return None  # both call as soon as they know
        if self._waits_for_outputs(placement, entry):
            return None
        try:
            application = self._platform.checkout(entry)
            judge = partial(self._judge, fleet, placement.group, entry.application.sync.approvals, application)
            means = self._means(placement, entry, judge, superseded)
        except ConvergeError as error:
            return Run(report_without_checkout(placement, entry, error), error)
        inputs = Inputs(
            placement=placement,
            entry=entry,
            fleet=fleet.platform,
            application=application,
            platform=fleet.checkout,
            outputs=self._outputs.of(placement.group),
        )
        if (end := next_end(entry.application.sync.ignore, now=means.now)) is not None:
            self._queue.add_later(placement, (end - means.now).total_seconds())
        run = await reconcile(inputs, means)
        self._alarms.set(placement, [one.until for one in run.report.waits if one.until is not None])
        return run

    def _means(self, placement: PlacementRef, entry: Entry, judge: Judge, superseded: asyncio.Event) -> Means:
        return Means(
            renderer=self._renderer,
            target=self._pool.get((placement.environment, placement.target)),
            claims=self._claims,
            checks=CHECKS,
            groups=self.board.by_group() if entry.application.depends_on else {},
            damped=self._runner.damped(placement),
            judge=judge,
            now=self._clock.now(),
            closed_window=window_wait(entry.application.sync, self._clock.now()),
            describe=self._platform.source(entry.repository.name).describe,
            tell=self._tell,
            interim=self._interim,
            superseded=superseded,
            seen=self._seen,
            order=partial(self._predecessors.waits, placement, entry),
            unmet=partial(self._turns.unmet, placement),
            since=partial(self._turns.since, placement),
        )

    def _seen(self, observation: Observation) -> None:
        """Hand on what a target gave out: whoever takes it in looks again when it moved."""
        placement, fleet = observation.placement, self._platform.fleet
        if fleet is None or not self._outputs.note(placement, observation.outputs):
            return
        for ref in takers_of(fleet, placement):
            self._queue.add(ref)

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

    def _waits_for_outputs(self, placement: PlacementRef, entry: Entry) -> bool:
        """Tell whether what a placement takes in was not looked at yet; whoever does looks at the placement too."""
        return any(
            not self._outputs.is_known(ref) and self.board.of(ref) is None
            for one in entry.application.inputs
            if (ref := replace(placement, target=one.target)) != placement
        )

    def _interim(self, report: PlacementReport) -> None:
        self._runner.post(report, 0.0)

    async def _tear_down(
        self, placement: PlacementRef, fleet: Fleet, entry: Entry | None, superseded: asyncio.Event
    ) -> Run | None:
        try:
            target = self._pool.get((placement.environment, placement.target))
        except Stalled:
            return None  # it left git with its target, and no commit tells any more where that was
        except Transient as error:
            return Run(PlacementReport(placement=placement, sync=SyncStatus.UNKNOWN, health=Health.UNKNOWN), error)
        application = entry.application if entry else self._orphan(placement, fleet)
        self._claims.release(placement)
        run = await tear_down(
            placement,
            target,
            application,
            fleet.checkout.commit,
            judged=await self._judge_removal(fleet, placement, application),
            tell=self._tell,
            superseded=superseded,
            claims=self._claims,
        )
        if entry is None and (run is None or run.report.retired):
            self._claims.release(placement)
        return run

    async def _judge(
        self, fleet: Fleet, group: GroupRef, rules: Approvals, application: Checkout | None, applied: Revision | None
    ) -> Judged:
        """Weigh the yeses to a group's plans."""
        mirror = self._platform.source(PLATFORM).mirror
        authors: frozenset[str] = frozenset()
        if not rules.by_author and application is not None:
            source = self._platform.source(application.repository).mirror
            made = (source, application.commit), (mirror, fleet.checkout.commit)
            authors = await authors_of(group, applied, *made)
        now = self._clock.now()
        found = await judged(rules, group, fleet.checkout, mirror, now=now, authors=authors)
        if rules.by_review:
            files = await recorded_files(self._platform, fleet)
            found = replace(found, approved=found.approved | reviewed_plans(files, group, now=now))
        return found

    async def _judge_removal(self, fleet: Fleet, placement: PlacementRef, application: Application) -> Judged:
        try:
            return await self._judge(fleet, placement.group, application.sync.approvals, None, None)
        except (ConvergeError, KeyError):  # without a readable yes there is none
            return Judged()

    def _orphan(self, placement: PlacementRef, fleet: Fleet) -> Application:
        environment = fleet.platform.environments.get(placement.environment)
        sync = environment.sync if environment else self._departures.policy(placement)
        return orphan(placement, sync, fleet.platform.origin)

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
        return all(_rests(self.board.of(ref)) for ref in (*fleet.entries, *self._departures.placements()))


def _rests(report: PlacementReport | None) -> bool:
    if report is None or report.sync in (SyncStatus.SYNCING, SyncStatus.UNKNOWN):
        return False
    return report.sync is not SyncStatus.SYNCED or report.health is not Health.PROGRESSING
