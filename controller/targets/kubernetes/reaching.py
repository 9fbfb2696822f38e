"""Whether a server can be reached at all: while it can't, one at a time finds out whether it is back.

Twenty kinds are watched on a cluster. When it goes away, all of them lose it; were each to knock by itself, a quarter
of a large fleet that is away would keep the controller busier than all of the rest.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Final

from controller.model import Transient

PAUSE_SECONDS: Final = (0.5, 30.0)  # between two attempts, doubled each time


class Unreachable(Transient):
    """No connection could be made: it is the server, not what was asked of it."""


class Reachability:
    """What is known of one server. Owned by its `Connection`."""

    def __init__(self) -> None:
        self._is_back = asyncio.Event()
        self._is_back.set()
        self._turn = asyncio.Lock()
        self._rounds = 0

    def found(self) -> None:
        """Say that it answered: whoever waits for that goes on at once."""
        if not self._is_back.is_set():
            self._rounds = 0
            self._is_back.set()

    def lost(self) -> None:
        """Say that nobody was there."""
        self._is_back.clear()

    async def turn(self) -> None:
        """Return when it is back, or when the one who waits here is to find out whether it is."""
        async with self._turn:
            if self._is_back.is_set():
                return
            least, most = PAUSE_SECONDS
            pause = min(most, least * 2.0 ** min(self._rounds, 16)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            self._rounds += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._is_back.wait()
