from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from contextvars import ContextVar

import pytest

from controller.git.threads import Threads
from tests.fixtures.waiting import eventually


async def test_no_more_run_at_once_than_were_allowed() -> None:
    threads = Threads(2, "test")
    gate, running, most = threading.Event(), [], 0

    def work() -> None:
        nonlocal most
        running.append(None)
        most = max(most, len(running))
        gate.wait(10)
        running.pop()

    tasks = [asyncio.create_task(threads.run(work)) for _ in range(6)]
    await eventually(lambda: len(running) == 2)
    gate.set()
    await asyncio.gather(*tasks)
    assert most == 2


async def test_a_cancelled_wait_keeps_its_place_until_the_work_ends() -> None:
    threads = Threads(1, "test")
    gate, started = threading.Event(), threading.Event()
    first = asyncio.create_task(threads.run(lambda: (started.set(), gate.wait(10))))
    await eventually(started.is_set)
    first.cancel()
    second = asyncio.create_task(threads.run(lambda: "done"))
    await asyncio.gather(first, return_exceptions=True)
    assert not second.done()
    gate.set()
    assert await second == "done"


async def test_errors_and_log_context_are_carried() -> None:
    name: ContextVar[str] = ContextVar("name", default="")
    name.set("prod/shop")
    threads = Threads(1, "test")
    assert await threads.run(name.get) == "prod/shop"
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)


def test_work_that_hangs_does_not_keep_the_process_from_ending() -> None:
    code = """
import asyncio, threading
from controller.git.threads import Threads
async def main():
    started = threading.Event()
    task = asyncio.create_task(Threads(1, "t").run(lambda: (started.set(), threading.Event().wait(300))))
    while not started.is_set():
        await asyncio.sleep(0)
    task.cancel()
asyncio.run(main())
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
