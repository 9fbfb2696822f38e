"""One run of one placement: what git and the targets say of it at this moment, and what is done about that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from controller.engine.alarms import Alarms
from controller.engine.board import Board
from controller.engine.checks import CHECKS, window_wait
from controller.engine.claims import Claims
from controller.engine.departed import Departures
from controller.engine.events import Tell
from controller.engine.fleet import Entry, Fleet, takers_of
from controller.engine.judging import Judged
from controller.engine.known import Known
from controller.engine.outputs import OutputBoard
from controller.engine.pool import Pool
from controller.engine.predecessors import Predecessors
from controller.engine.queue import Queue
from controller.engine.reconcile import Inputs, Means, Run, reconcile, report_without_checkout
from controller.engine.rendering import Renderer
from controller.engine.sources import Checkout
from controller.engine.teardown import orphan, tear_down
from controller.engine.turns import Turns
from controller.engine.weighing import weighed
from controller.model import (
    Application,
    Approvals,
    ByHand,
    ConvergeError,
    GroupRef,
    Health,
    Invalid,
    Observation,
    PlacementRef,
    PlacementReport,
    Revision,
    Stalled,
    State,
    SyncStatus,
    TargetName,
    Transient,
)
from controller.runtime import Clock
from controller.targets import next_end

Judge: TypeAlias = Callable[[Revision | None], Awaitable[Judged]]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What all runs of a controller share. Each of these owns itself; nothing is kept here."""

    platform: Known
    renderer: Renderer
    pool: Pool
    queue: Queue[PlacementRef]
    board: Board
    claims: Claims
    outputs: OutputBoard
    departures: Departures
    predecessors: Predecessors
    turns: Turns
    alarms: Alarms
    clock: Clock
    tell: Tell


class Attempts:
    """Makes runs. `damped` tells whose correction pauses; `interim` takes a state that a run will leave again.

    `by_hand` is who makes them, where that is not the controller.
    """

    def __init__(
        self,
        world: World,
        *,
        damped: Callable[[PlacementRef], frozenset[str]],
        interim: Callable[[PlacementReport], None],
        by_hand: ByHand | None = None,
    ) -> None:
        self._world = world
        self._by_hand = by_hand
        self._damped = damped
        self._interim = interim

    async def run(self, placement: PlacementRef, superseded: asyncio.Event) -> Run | None:
        try:
            return await self._look_and_run(placement, superseded)
        finally:
            self._world.claims.decide(placement)

    async def _look_and_run(self, placement: PlacementRef, superseded: asyncio.Event) -> Run | None:
        fleet = self._world.platform.fleet
        if fleet is None:
            return None
        entry = fleet.entries.get(placement)
        if entry is None or entry.application.state is State.ABSENT:
            return await self._tear_down(placement, fleet, entry, superseded)
        if problems := fleet.platform.problems.get(placement.group):
            error: ConvergeError = Invalid(problems)
            return Run(report_without_checkout(placement, entry, error), error)
        place = (placement.environment, placement.target)
        if not (self._world.pool.has_answer(place) and self._world.platform.is_read(entry)):
            return None  # both call as soon as they know
        if self._waits_for_outputs(placement, entry):
            return None
        try:
            application = self._world.platform.checkout(entry)
            judge = self._judge(fleet, placement.group, entry.application.sync.approvals, application)
            means = self._means(placement, entry, judge, superseded)
        except ConvergeError as error:
            return Run(report_without_checkout(placement, entry, error), error)
        inputs = Inputs(
            placement=placement,
            entry=entry,
            fleet=fleet.platform,
            application=application,
            platform=fleet.checkout,
            outputs=self._world.outputs.of(placement.group),
            by_hand=self._by_hand,
        )
        if (end := next_end(entry.application.sync.ignore, now=means.now)) is not None:
            self._world.queue.add_later(placement, (end - means.now).total_seconds())
        run = await reconcile(inputs, means)
        if run is None:
            return None
        self._world.alarms.set(placement, [one.until for one in run.report.waits if one.until is not None])
        return run

    def _means(self, placement: PlacementRef, entry: Entry, judge: Judge, superseded: asyncio.Event) -> Means:
        return Means(
            renderer=self._world.renderer,
            target=self._world.pool.get((placement.environment, placement.target)),
            claims=self._world.claims,
            checks=CHECKS,
            groups=self._world.board.of_groups(entry.application.depends_on),
            damped=self._damped(placement),
            judge=judge,
            now=self._world.clock.now(),
            closed_window=window_wait(entry.application.sync, self._world.clock.now()),
            describe=self._world.platform.source(entry.repository.name).describe,
            tell=self._world.tell,
            interim=self._interim,
            superseded=superseded,
            saw_all=partial(self._world.queue.saw_all, placement),
            takes=partial(self._takes, placement),
            seen=self._seen,
            order=partial(self._world.predecessors.waits, placement, entry),
            unmet=partial(self._world.turns.unmet, placement),
            since=partial(self._world.turns.since, placement),
        )

    def _seen(self, observation: Observation) -> None:
        """Hand on what a target gave out: whoever takes it in looks again when it moved."""
        placement, fleet = observation.placement, self._world.platform.fleet
        if fleet is None or not self._world.outputs.note(placement, observation.outputs):
            return
        for ref in (*takers_of(fleet, placement), *self._world.outputs.takers(placement)):
            self._world.queue.add(ref)

    def _takes(self, placement: PlacementRef, givers: Collection[TargetName]) -> bool:
        """Note from whom a placement takes something in; tell whether all of them were looked at."""
        self._world.outputs.note_taker(placement, givers)
        return all(self._was_looked_at(replace(placement, target=one)) for one in givers)

    def _was_looked_at(self, giver: PlacementRef) -> bool:
        return self._world.outputs.is_known(giver) or self._world.board.of(giver) is not None

    def _waits_for_outputs(self, placement: PlacementRef, entry: Entry) -> bool:
        """Tell whether what a placement takes in was not looked at yet; whoever does looks at the placement too."""
        return any(
            not self._was_looked_at(ref)
            for one in entry.application.inputs
            if (ref := replace(placement, target=one.target)) != placement
        )

    async def _tear_down(
        self, placement: PlacementRef, fleet: Fleet, entry: Entry | None, superseded: asyncio.Event
    ) -> Run | None:
        try:
            target = self._world.pool.get((placement.environment, placement.target))
        except Stalled:
            return None  # it left git with its target, and no commit tells any more where that was
        except Transient as error:
            return Run(PlacementReport(placement=placement, sync=SyncStatus.UNKNOWN, health=Health.UNKNOWN), error)
        application = entry.application if entry else self._orphan(placement, fleet)
        self._world.claims.release(placement)
        run = await tear_down(
            placement,
            target,
            application,
            fleet.checkout.commit,
            judge=partial(self._judge_removal, fleet, placement, application),
            tell=self._world.tell,
            superseded=superseded,
            claims=self._world.claims,
        )
        if entry is None and (run is None or run.report.retired):
            self._world.claims.release(placement)
        return run

    def _judge(self, fleet: Fleet, group: GroupRef, rules: Approvals, application: Checkout | None) -> Judge:
        return partial(weighed, self._world.platform, self._world.clock, fleet, group, rules, application)

    async def _judge_removal(
        self, fleet: Fleet, placement: PlacementRef, application: Application, applied: Revision | None
    ) -> Judged:
        try:
            return await self._judge(fleet, placement.group, application.sync.approvals, None)(applied)
        except (ConvergeError, KeyError):  # without a readable yes there is none
            return Judged()

    def _orphan(self, placement: PlacementRef, fleet: Fleet) -> Application:
        environment = fleet.platform.environments.get(placement.environment)
        sync = environment.sync if environment else self._world.departures.policy(placement)
        return orphan(placement, sync, fleet.platform.origin)
