"""The work queue: names, not events.

A key stands in the queue at most once, however often it is asked for, and never runs twice at a time: a
key that is asked for while it runs goes back in when its run is done. Lost, doubled or reordered events
do no harm, since every run reads the world anew (as controller-runtime `pkg/reconcile` argues).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Queue(Generic[Key]):
    """One consumer group's queue. Everything happens on one event loop, so nothing here awaits but `take`."""

    def __init__(self) -> None:
        self._ready: deque[Key] = deque()
        self._waiting: set[Key] = set()  # in `_ready`
        self._running: set[Key] = set()
        self._again: set[Key] = set()  # asked for while running
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._due: dict[Key, float] = {}
        self._nudges: dict[Key, asyncio.TimerHandle] = {}
        self._nudged: set[Key] = set()  # while running
        self._filled = asyncio.Event()

    def add(self, key: Key) -> None:
        """Ask for a run now; an earlier or later timer of the key is fulfilled by it."""
        self.forget_timer(key)
        self._forget_nudge(key)
        if key in self._running:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.append(key)
            self._filled.set()

    def add_later(self, key: Key, seconds: float) -> None:
        """Ask for a run in so many seconds; of two timers of one key, the earlier counts."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if key in self._due and self._due[key] <= due:
            return
        self.forget_timer(key)
        self._due[key] = due
        self._timers[key] = loop.call_at(due, self.add, key)

    def nudge(self, key: Key, seconds: float) -> None:
        """Ask for a run in so many seconds, unless one under way says until then that it saw all (`saw_all`)."""
        if key not in self._nudges:
            self._nudges[key] = asyncio.get_running_loop().call_later(seconds, self._nudge, key)

    def _nudge(self, key: Key) -> None:
        del self._nudges[key]
        if key in self._running:
            self._nudged.add(key)
        else:
            self.add(key)

    def saw_all(self, key: Key) -> None:
        """Take a run's word that nothing is left to do for it of what nudged its key until now."""
        self._forget_nudge(key)
        self._nudged.discard(key)

    def _forget_nudge(self, key: Key) -> None:
        nudge = self._nudges.pop(key, None)
        if nudge is not None:
            nudge.cancel()

    def forget_timer(self, key: Key) -> None:
        self._due.pop(key, None)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    async def take(self) -> Key:
        """Wait for a key and mark it as running; `done` must follow."""
        while not self._ready:
            self._filled.clear()
            await self._filled.wait()
        key = self._ready.popleft()
        self._waiting.discard(key)
        self._running.add(key)
        return key

    def done(self, key: Key) -> None:
        self._running.discard(key)
        if key in self._again or key in self._nudged:
            self._again.discard(key)
            self._nudged.discard(key)
            self.add(key)

    def is_running(self, key: Key) -> bool:
        return key in self._running

    def is_resting(self, key: Key) -> bool:
        """Tell whether a key neither runs nor is about to."""
        return key not in self._running and key not in self._waiting

    @property
    def is_idle(self) -> bool:
        """True when nothing runs and nothing is ready; timers may still be set."""
        return not (self._ready or self._running)
