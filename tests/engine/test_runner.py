"""How many runs are under way at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from controller.engine.board import Board
from controller.engine.places import Places
from controller.engine.queue import Queue
from controller.engine.runner import Runner
from controller.model import PlacementRef, TargetName
from controller.runtime import SystemClock
from tests.engine.make import placement

COUNT = 12


class Held:
    """Runs that last until they are let go."""

    def __init__(self) -> None:
        self.begun: list[PlacementRef] = []
        self.gate = asyncio.Event()
        self.moved = asyncio.Condition()

    async def __call__(self, ref: PlacementRef, superseded: asyncio.Event) -> None:  # noqa: ARG002  the runner gives it
        async with self.moved:
            self.begun.append(ref)
            self.moved.notify_all()
        await self.gate.wait()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20), self.moved:
            await self.moved.wait_for(lambda: len(self.begun) >= count)


@asynccontextmanager
async def running(held: Held, places: Places) -> AsyncIterator[Queue[PlacementRef]]:
    queue: Queue[PlacementRef] = Queue()
    for number in range(COUNT):
        queue.add(placement(f"app-{number}"))
    stop = asyncio.Event()
    one = Runner(
        queue,
        Board(),
        held,
        clock=SystemClock(),
        tell=lambda _event: None,
        record=lambda _transition: None,
        ended=lambda _placement, _report: None,
        health_seconds=lambda _placement: 600.0,
        chance=lambda: 0.5,
        places=places,
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(one.run(stop))
        try:
            yield queue
        finally:
            held.gate.set()
            stop.set()


async def test_no_more_runs_are_under_way_than_there_are_places() -> None:
    held = Held()
    async with running(held, Places(most=5)):
        await held.until(5)
        for _ in range(50):  # turns of the loop, in which others would have begun
            await asyncio.sleep(0)
        assert len(held.begun) == 5
        held.gate.set()
        await held.until(COUNT)


async def test_a_target_whose_places_are_taken_keeps_nobody_from_beginning_on_another() -> None:
    held = Held()
    async with running(held, Places(most=5)) as queue:
        await held.until(5)
        other = replace(placement("app-0"), target=TargetName("elsewhere"))
        queue.add(other)
        await held.until(6)
        assert held.begun[5] == other


async def test_who_waits_for_long_keeps_nobody_from_beginning() -> None:
    held = Held()
    async with running(held, Places(most=5, long_seconds=0.05)):
        await held.until(COUNT)
        assert not held.gate.is_set()
