"""How many runs are under way on one target: each holds its objects, and of ten thousand that begin together most wait.

A target has places of its own, so that one that is slow keeps nobody from beginning on another. Who runs for long waits
for something else than his turn (health, a plan of Terraform, what others ask for), and gives his place to the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from controller.model import EnvironmentName, PlacementRef, TargetName

MOST_AT_ONCE: Final = 128
LONG_SECONDS: Final = 3.0


class Places:
    """The places of all targets."""

    def __init__(self, *, most: int = MOST_AT_ONCE, long_seconds: float = LONG_SECONDS) -> None:
        self._most = most
        self._long_seconds = long_seconds
        self._free: dict[tuple[EnvironmentName, TargetName], asyncio.Semaphore] = {}

    @asynccontextmanager
    async def held(self, placement: PlacementRef) -> AsyncIterator[None]:
        """Wait for a place on the placement's target, and hold it for the length of the block, or as long as may be."""
        place = (placement.environment, placement.target)
        free = self._free.setdefault(place, asyncio.Semaphore(self._most))
        await free.acquire()
        is_held = True

        def leave() -> None:
            nonlocal is_held
            if is_held:
                is_held = False
                free.release()

        timer = asyncio.get_running_loop().call_later(self._long_seconds, leave)
        try:
            yield
        finally:
            timer.cancel()
            leave()
