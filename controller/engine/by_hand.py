"""One group applied by a person, now, past the controller: the glass that is broken in an emergency.

It is the controller's own way, with other feet: the same runs (`Attempts`) off the same queue, on what the repositories
say at this moment, through the same gate to the same targets, and the same recorder, whose push gives way to a running
controller's. What the gate holds back stays so, but for what the person names; who it was, why, and past what is
recorded with what came of it. A running controller finds it applied, since that is what the target itself tells.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from controller.engine.alarms import Alarms
from controller.engine.attempts import Attempts, World
from controller.engine.board import Board
from controller.engine.claims import Claims
from controller.engine.committing import Style
from controller.engine.decide import is_at_rest
from controller.engine.departed import Departures
from controller.engine.events import Tell
from controller.engine.fleet import takers_of
from controller.engine.outputs import OutputBoard
from controller.engine.places import Places
from controller.engine.pool import OpenTarget, Place, Pool
from controller.engine.predecessors import Predecessors, recorded_files, recorded_waits
from controller.engine.queue import Queue
from controller.engine.reconcile import Run
from controller.engine.recording import Recorder
from controller.engine.runner import Runner
from controller.engine.snapshot import Snapshot
from controller.engine.state_keeping import StateKeeping
from controller.engine.turns import Turns
from controller.git import Mirror
from controller.model import (
    Barrier,
    ByHand,
    ConvergeError,
    Digest,
    GroupRef,
    Health,
    PlacementRef,
    PlacementReport,
    Stalled,
    State,
    SyncStatus,
    TargetName,
    TerraformTarget,
)
from controller.records import status_of
from controller.runtime import Clock

GATHER_SECONDS = 0.05  # events of a placement that come within it are looked at together
RECORD_SECONDS = 15.0  # that the last records have to be pushed, once the time is over
STOP_SECONDS = 150.0  # that a run under way has to come to its end: Terraform unlocks within two minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where somebody works by hand: what was read, how targets are opened, and where records and states go."""

    snapshot: Snapshot
    open_target: OpenTarget
    states: StateKeeping
    records: Mirror
    style: Style
    clock: Clock
    tell: Tell


def check_hand(snapshot: Snapshot, group: GroupRef, by_hand: ByHand) -> tuple[PlacementRef, ...]:
    """Give the placements that would be applied. Raises Stalled where by hand is no way."""
    if not by_hand.why.strip():
        raise Stalled("who applies by hand says why: it is recorded")
    refs = snapshot.select([str(group)])
    for ref in refs:
        entry = snapshot.entry(ref)
        if entry.application.state is not State.PRESENT:
            raise Stalled(f"{ref} is `state: {entry.application.state}` in git: taking away is the controller's")
        is_held = entry.is_suspended and by_hand.passes(Barrier.SUSPENSION)
        if isinstance(entry.target, TerraformTarget) and entry.target.state_in_git is not None and not is_held:
            raise Stalled(
                f"{ref} has its state in git, where no lock keeps a running controller off. Suspend it first "
                f"(`converge suspend {group}`), and apply with `--despite suspension`"
            )
    return refs


async def apply_by_hand(
    work: Workplace, refs: tuple[PlacementRef, ...], by_hand: ByHand, *, timeout_seconds: float
) -> tuple[PlacementReport, ...]:
    """Apply these placements of one group, wait until they rest, and until that is recorded. Give how they ended.

    Raises Stalled where they did not come to rest in time: what was applied until then is recorded nonetheless, as far
    as the records could be pushed.
    """
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        hand = _Hand(work, refs, by_hand, tasks)
        runs = tasks.create_task(hand.runner.run(stop), name="runner")
        try:
            return await hand.until_recorded(timeout_seconds)
        finally:
            stop.set()
            await asyncio.shield(hand.close(runs))


class _Hand:
    """One go: the parts of a controller that a group takes."""

    def __init__(
        self, work: Workplace, refs: tuple[PlacementRef, ...], by_hand: ByHand, tasks: asyncio.TaskGroup
    ) -> None:
        self._work = work
        self._refs = refs
        self._tasks = tasks
        self._progress = asyncio.Event()
        self._queue: Queue[PlacementRef] = Queue()
        self._outputs = OutputBoard()
        self._claims = Claims(self._wake, self._ask_neighbours)
        self._have_neighbours = False
        self._spawned: list[asyncio.Task[None]] = []
        self.board = Board()
        snapshot, clock = work.snapshot, work.clock
        self._alarms = Alarms(self._spawn, clock, self._wake)
        self._pool = Pool(work.open_target, self._spawn, changed=self._moved, opened=self._opened)
        self._turns = Turns(self.board, self._inputs_now, clock, partial(recorded_waits, snapshot))
        self._recorder = Recorder(
            spawn=self._spawn,
            clock=clock,
            tell=work.tell,
            chance=random.random,
            is_quiet=lambda: self._queue.is_idle,
        )
        world = World(
            platform=snapshot,
            renderer=snapshot.renderer,
            pool=self._pool,
            queue=self._queue,
            board=self.board,
            claims=self._claims,
            outputs=self._outputs,
            departures=Departures(),
            predecessors=Predecessors(snapshot, snapshot.renderer, self.board, self._queue, clock),
            turns=self._turns,
            alarms=self._alarms,
            clock=clock,
            tell=work.tell,
        )
        self._attempts = Attempts(
            world,
            damped=lambda _ref: frozenset(),
            interim=lambda report: self.runner.post(report, 0.0),
            by_hand=by_hand,
        )
        self.runner = Runner(
            self._queue,
            self.board,
            self._run_one,
            clock=clock,
            tell=work.tell,
            record=self._recorder.post,
            ended=self._ended,
            health_seconds=lambda ref: float(snapshot.entry(ref).application.sync.health_seconds),
            chance=random.random,
            places=Places(),
        )

    async def until_recorded(self, timeout_seconds: float) -> tuple[PlacementReport, ...]:
        """Run the placements until all of them rest and the records tell it."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._begin()
                while not (self._queue.is_idle and all(is_at_rest(self.board.of(ref)) for ref in self._refs)):
                    self._progress.clear()
                    await self._progress.wait()
                await self._recorder.flush()
        except TimeoutError as error:
            raise Stalled(self._unfinished(timeout_seconds)) from error
        return tuple(report for ref in self._refs if (report := self.board.of(ref)) is not None)

    async def close(self, runs: asyncio.Task[None]) -> None:
        """Let runs under way come to their end, push what they came to, and let go of everything."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.wait([runs])
            async with asyncio.timeout(RECORD_SECONDS):
                await self._recorder.flush()
        except TimeoutError:
            runs.cancel()
        self._alarms.close()
        self._pool.close()
        self._recorder.close()
        self._work.states.close()
        for task in self._spawned:
            task.cancel()

    # --- parts --------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        work, fleet = self._work, self._work.snapshot.fleet
        branch = fleet.platform.records.branch
        self._spawned.append(self._spawn(self._recorder.run(), "recorder"))
        self._recorder.aim(work.records, branch, work.style)
        work.states.aim(work.records, work.style, records=branch, spawn=self._spawn)
        await self._read_others()
        places = {(ref.environment, ref.target): work.snapshot.entry(ref).target for ref in self._refs}
        self._claims.expect(self._neighbours())
        self._pool.set(fleet.platform.installation, places, fleet.platform.health)

    async def _read_others(self) -> None:
        """Take how other groups of the environment stand from the records: some may have to go first."""
        fleet = self._work.snapshot.fleet
        group = self._refs[0].group
        files = await recorded_files(self._work.snapshot, fleet)
        for name in fleet.platform.environments[group.environment].applications:
            other = GroupRef(group.environment, name)
            for report in _recorded(other, status_of(files, other)) if other != group else ():
                self.board.post(report)

    def _neighbours(self) -> Iterable[PlacementRef]:
        """Name the placements of other applications on the same targets."""
        places = {(ref.environment, ref.target) for ref in self._refs}
        return [
            ref
            for ref in self._work.snapshot.fleet.entries
            if (ref.environment, ref.target) in places and ref not in self._refs
        ]

    def _ask_neighbours(self) -> None:
        """Something is to be deleted: find out whether one of them asks for it now."""
        if not self._have_neighbours:
            self._have_neighbours = True
            self._spawned.append(self._spawn(self._render_neighbours(), "neighbours"))

    async def _render_neighbours(self) -> None:
        for ref in self._neighbours():
            try:
                self._claims.claim((await self._work.snapshot.rendered(ref)).desired)
            except ConvergeError:
                self._claims.decide(ref)  # what it asks for stays unknown, and in doubt nothing is deleted

    async def _run_one(self, placement: PlacementRef, superseded: asyncio.Event) -> Run | None:
        """Run one of ours; whoever else is called for is the controller's."""
        return await self._attempts.run(placement, superseded) if placement in self._refs else None

    def _wake(self, placement: PlacementRef) -> None:
        if placement in self._refs:
            self._queue.add(placement)

    def _moved(self, placement: PlacementRef) -> None:
        if placement in self._refs:
            self._queue.nudge(placement, GATHER_SECONDS)

    def _opened(self, place: Place) -> None:
        for ref in self._refs:
            if (ref.environment, ref.target) == place:
                self._queue.add(ref)

    def _ended(self, placement: PlacementRef, report: PlacementReport | None) -> None:
        self._progress.set()
        if report is None:
            return
        if not self._outputs.is_known(placement):
            for ref in (*takers_of(self._work.snapshot.fleet, placement), *self._outputs.takers(placement)):
                self._wake(ref)  # there is no value, and now it is known why
        if report.sync is SyncStatus.SYNCED and report.health in (Health.HEALTHY, Health.SUSPENDED):
            for ref in self._turns.behind(placement):
                self._wake(ref)

    def _inputs_now(self, placement: PlacementRef) -> Digest | None:
        snapshot = self._work.snapshot
        entry = snapshot.entry(placement)
        try:
            found = snapshot.renderer.current(placement, entry, snapshot.checkout(entry), snapshot.fleet.checkout)
        except ConvergeError:
            return None
        return found.desired.inputs if found else None

    def _unfinished(self, seconds: float) -> str:
        told = [
            f"{ref} ({report.sync}, {report.health}{f': {report.reason}' if report.reason else ''})"
            if (report := self.board.of(ref))
            else f"{ref} (not looked at)"
            for ref in self._refs
        ]
        return f"not at rest, or not recorded, within {seconds:g} s (--timeout): {'; '.join(told)}"

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        return self._tasks.create_task(coroutine, name=name)


def _recorded(group: GroupRef, status: Any) -> Iterable[PlacementReport]:
    """Give how a group stands, as its record says it."""
    for one in status["placements"] if status is not None else ():
        if one["lifecycle"] == "active":
            yield PlacementReport(
                placement=PlacementRef(group.environment, group.application, TargetName(one["target"])),
                sync=SyncStatus(one["sync"]),
                health=Health(one["health"]),
            )
