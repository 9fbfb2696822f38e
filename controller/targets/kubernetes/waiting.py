"""Waits that events end: a condition over the cache is looked at again whenever the cache says that something moved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from controller.model import PlacementRef, Transient

Unmet = Callable[[], str]  # what is still waited for; "" when it is met


class Changes:
    """Who waits for which placement. One per cluster, fed by the cache's events."""

    def __init__(self) -> None:
        self._waiting: dict[PlacementRef, set[asyncio.Event]] = {}

    def notify(self, placement: PlacementRef) -> None:
        for event in self._waiting.get(placement, ()):
            event.set()

    async def until_met(
        self, placement: PlacementRef, unmet: Unmet, *, deadline_seconds: float, superseded: asyncio.Event
    ) -> str:
        """Wait until a condition is met. Gives "", or what it still waited for at the deadline or when superseded."""
        event = asyncio.Event()
        waiting = self._waiting.setdefault(placement, set())
        waiting.add(event)
        until = asyncio.get_running_loop().time() + deadline_seconds
        try:
            while text := _asked(unmet):
                left = until - asyncio.get_running_loop().time()
                if left <= 0 or superseded.is_set():
                    return text
                await _either(event, superseded, left)
                event.clear()
            return ""
        finally:
            waiting.discard(event)
            if not waiting:
                self._waiting.pop(placement, None)


def _asked(unmet: Unmet) -> str:
    try:
        return unmet()
    except Transient as error:  # the cluster is away just now: its return is an event too
        return str(error)


async def _either(event: asyncio.Event, other: asyncio.Event, seconds: float) -> None:
    tasks = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(other.wait())]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
