"""Runs placements off the queue, each in a task of its own, behind one fence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from structlog.contextvars import bound_contextvars

from controller.engine.backoff import backoff_seconds
from controller.engine.board import Board
from controller.engine.events import PlacementCrashed, PlacementReconciled, Tell
from controller.engine.fights import Fight, corrected
from controller.engine.places import Places
from controller.engine.queue import Queue
from controller.engine.reconcile import Run
from controller.model import (
    Health,
    Invalid,
    ObjectKey,
    PlacementRef,
    PlacementReport,
    Stalled,
    SyncStatus,
    Transient,
    Transition,
    Unequipped,
    Waiting,
)
from controller.runtime import Clock

WAITING_SECONDS = 15.0
STALLED_SECONDS = 300.0


class RunOne(Protocol):
    """Runs one placement, whatever git says of it now; None: there is nothing left of it to tell."""

    async def __call__(self, placement: PlacementRef, superseded: asyncio.Event) -> Run | None: ...


@dataclass(slots=True)
class _Memory:
    """What one placement's runs leave for the next: all of it can be lost without harm."""

    failures: int = 0
    progressing_since: float | None = None
    superseded: asyncio.Event | None = None  # of the run under way


class Runner:
    """Owns the runs. `settled` is called after every run, with its report."""

    def __init__(
        self,
        queue: Queue[PlacementRef],
        board: Board,
        run_one: RunOne,
        *,
        clock: Clock,
        tell: Tell,
        record: Callable[[Transition], None],
        ended: Callable[[PlacementRef, PlacementReport | None], None],
        health_seconds: Callable[[PlacementRef], float],
        chance: Callable[[], float],
        places: Places,
    ) -> None:
        self._queue = queue
        self._board = board
        self._run_one = run_one
        self._clock = clock
        self._tell = tell
        self._record = record
        self._ended = ended
        self._health_seconds = health_seconds
        self._chance = chance
        self._places = places
        self._memories: dict[PlacementRef, _Memory] = {}
        self._fights: dict[tuple[PlacementRef, ObjectKey], Fight] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Start a task for every key that comes, until `stop`; then let what runs come to its end."""
        async with asyncio.TaskGroup() as tasks:
            dispatcher = tasks.create_task(self._dispatch(tasks), name="dispatcher")
            await stop.wait()
            dispatcher.cancel()
            for placement in self._memories:
                self.supersede(placement)

    async def _dispatch(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            placement = await self._queue.take()
            tasks.create_task(self._in_turn(placement), name=f"run {placement}")

    async def _in_turn(self, placement: PlacementRef) -> None:
        async with self._places.held(placement):
            await self._fenced(placement)

    def supersede(self, placement: PlacementRef) -> None:
        """Tell a run under way that a newer commit is there: it begins no further wait."""
        memory = self._memories.get(placement)
        if memory is not None and memory.superseded is not None:
            memory.superseded.set()

    def damped(self, placement: PlacementRef) -> frozenset[str]:
        """Name the objects whose drift is not taken back now, since somebody fights for them."""
        now = self._clock.monotonic()
        return frozenset(
            str(key) for (ref, key), fight in self._fights.items() if ref == placement and fight.is_damped(now)
        )

    def post(self, report: PlacementReport, seconds: float) -> None:
        """Show a report, and record it where it is a transition."""
        is_transition = self._board.post(report)
        if is_transition:
            self._record(Transition(report, self._clock.now()))
        self._tell(PlacementReconciled(report, seconds, is_transition))

    async def _fenced(self, placement: PlacementRef) -> None:
        memory = self._memories.setdefault(placement, _Memory())
        memory.superseded = asyncio.Event()
        try:
            with bound_contextvars(
                environment=placement.environment, application=placement.application, target=placement.target
            ):
                await self._run(placement, memory, memory.superseded)
        except Exception as error:  # noqa: BLE001  # the one fence: a bug in one placement's run stays there
            memory.failures += 1
            self._tell(PlacementCrashed(placement, error))
            self._queue.add_later(placement, backoff_seconds(memory.failures, chance=self._chance()))
        finally:
            memory.superseded = None
            self._queue.done(placement)

    async def _run(self, placement: PlacementRef, memory: _Memory, superseded: asyncio.Event) -> None:
        started = self._clock.monotonic()
        run = await self._run_one(placement, superseded)
        if run is None:
            self._memories.pop(placement, None)
            self._ended(placement, None)
            return
        self._note_corrections(placement, run)
        report = self._with_deadline(placement, memory, run.report)
        self.post(report, self._clock.monotonic() - started)
        self._again(placement, memory, run)
        self._ended(placement, report)

    def _again(self, placement: PlacementRef, memory: _Memory, run: Run) -> None:
        """Set the timer that a run's end asks for; most ask for none: an event will wake them.

        What a target waits for or refuses may change without an event of ours (a quota, a webhook, a
        namespace that goes away), so those look again, rarely. What git says wrongly only git can change.
        """
        if isinstance(run.error, Transient):
            memory.failures += 1
            pause = backoff_seconds(
                memory.failures, chance=self._chance(), at_least_seconds=run.error.retry_after_seconds
            )
            self._queue.add_later(placement, pause)
            return
        memory.failures = 0
        match run.error:
            case Waiting() | Unequipped():
                self._queue.add_later(placement, WAITING_SECONDS)
            case Stalled() if not isinstance(run.error, Invalid):
                self._queue.add_later(placement, STALLED_SECONDS)
            case _:
                pass

    def _note_corrections(self, placement: PlacementRef, run: Run) -> None:
        now = self._clock.monotonic()
        for key in run.corrected:
            fight = corrected(self._fights.get((placement, key), Fight(last=now)), now)
            self._fights[placement, key] = fight
            if fight.is_damped(now):
                self._queue.add_later(placement, fight.until - now)

    def _with_deadline(self, placement: PlacementRef, memory: _Memory, report: PlacementReport) -> PlacementReport:
        """Call what has been Progressing for longer than its deadline Degraded."""
        if report.health is not Health.PROGRESSING or report.sync in (SyncStatus.UNKNOWN, SyncStatus.FAILED):
            memory.progressing_since = None
            return report
        now = self._clock.monotonic()
        if memory.progressing_since is None:
            memory.progressing_since = now
        limit = self._health_seconds(placement)
        left = memory.progressing_since + limit - now
        if left > 0:
            self._queue.add_later(placement, left)
            return report
        reason = (
            f"not healthy within {limit:g} s: {report.reason}" if report.reason else f"not healthy within {limit:g} s"
        )
        return replace(report, health=Health.DEGRADED, reason=reason)
