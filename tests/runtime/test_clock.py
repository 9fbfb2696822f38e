from __future__ import annotations

import asyncio
from datetime import UTC

from controller.runtime import Clock, SystemClock
from tests.fixtures.clock import ManualClock


def test_the_time_is_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


async def test_a_manual_clock_wakes_sleepers_when_it_is_turned() -> None:
    clock: Clock = ManualClock()
    task = asyncio.create_task(clock.sleep(10))
    await asyncio.sleep(0)
    await clock.advance(9)
    assert not task.done()
    await clock.advance(1)
    assert task.done()
