"""Listens to the controller's events, so that the story can wait for what it tells instead of guessing times."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from controller.engine import Event
from controller.model import Stalled

Kind = TypeVar("Kind")


class Audience:
    """Keeps every event; `until` waits for one that comes after a mark."""

    def __init__(self, listen_too: Callable[[Event], None]) -> None:
        self.events: list[Event] = []
        self._listen_too = listen_too
        self._news = asyncio.Event()

    def hear(self, event: Event) -> None:
        self.events.append(event)
        self._listen_too(event)
        self._news.set()

    def mark(self) -> int:
        """Give the place from which `until` shall look."""
        return len(self.events)

    async def until(
        self, kind: type[Kind], holds: Callable[[Kind], bool], *, since: int, what: str, deadline_seconds: float = 60.0
    ) -> Kind:
        """Wait for an event of a kind for which `holds`. Raises Stalled, saying `what` did not come."""
        position = since
        try:
            async with asyncio.timeout(deadline_seconds):
                while True:
                    for event in self.events[position:]:
                        position += 1
                        if isinstance(event, kind) and holds(event):
                            return event
                    self._news.clear()
                    if position == len(self.events):
                        await self._news.wait()
        except TimeoutError as error:
            raise Stalled(f"the story expected {what} within {deadline_seconds:g} s") from error
