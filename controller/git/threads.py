"""Threads for git: bounded, with the log context of whoever asked, and no obstacle to the end of the process.

Not a ThreadPoolExecutor: the interpreter waits for its threads at exit, and a fetch may hang for minutes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from typing import TypeVar

Given = TypeVar("Given")


class Threads:
    """Runs at most `count` pieces of blocking work at once.

    A cancelled wait leaves its thread running, and its place taken, so everything that runs here has a deadline.
    """

    def __init__(self, count: int, name: str) -> None:
        self._free = asyncio.Semaphore(count)
        self._name = name

    async def run(self, work: Callable[[], Given]) -> Given:
        """Run blocking work in a thread. Raises what it raises."""
        loop = asyncio.get_running_loop()
        context = copy_context()
        done: Future[Given] = Future()

        def body() -> None:
            try:
                outcome = context.run(work)
            except BaseException as error:  # noqa: BLE001 - carried over to whoever waits
                _deliver(done, error=error)
            else:
                _deliver(done, outcome)
            with suppress(RuntimeError):  # the loop has ended, and nobody waits
                loop.call_soon_threadsafe(self._free.release)

        await self._free.acquire()
        threading.Thread(target=body, name=self._name, daemon=True).start()
        return await asyncio.wrap_future(done)


def _deliver(done: Future[Given], outcome: Given | None = None, *, error: BaseException | None = None) -> None:
    if not done.set_running_or_notify_cancel():
        return
    with suppress(RuntimeError):
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(outcome)  # type: ignore[arg-type]
