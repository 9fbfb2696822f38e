"""Moments at which a placement looks again: a window that opens, an order that is kept long enough.

By the clock that everything else tells time by, so that a test that turns it turns these too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from controller.engine.spawning import Spawn
from controller.model import PlacementRef
from controller.runtime import Clock


class Alarms:
    """One alarm per placement, the earliest that counts. Owned by the controller."""

    def __init__(self, spawn: Spawn, clock: Clock, ring: Callable[[PlacementRef], None]) -> None:
        self._spawn = spawn
        self._clock = clock
        self._ring = ring
        self._set: dict[PlacementRef, tuple[datetime, asyncio.Task[None]]] = {}

    def set(self, placement: PlacementRef, moments: Sequence[datetime]) -> None:
        """Say when a placement looks again; what was said before counts no more."""
        moment = min(moments, default=None)
        known = self._set.get(placement)
        if known is not None and known[0] == moment:
            return
        if known is not None:
            del self._set[placement]
            known[1].cancel()
        if moment is not None:
            self._set[placement] = (moment, self._spawn(self._sleep(placement, moment), f"alarm {placement}"))

    def close(self) -> None:
        for _, task in self._set.values():
            task.cancel()
        self._set.clear()

    async def _sleep(self, placement: PlacementRef, moment: datetime) -> None:
        while (left := (moment - self._clock.now()).total_seconds()) > 0:
            await self._clock.sleep(left)
        self._set.pop(placement, None)
        self._ring(placement)
