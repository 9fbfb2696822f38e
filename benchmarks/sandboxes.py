"""Many sandbox clusters in one process of their own: `python -m benchmarks.sandboxes COUNT` until its input ends.

Prints one line of JSON once all of them are up: server and token of each.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from controller.sandbox import SandboxCluster

START_SECONDS = 120


async def main(count: int) -> None:
    async with AsyncExitStack() as stack:
        clusters = [await stack.enter_async_context(SandboxCluster()) for _ in range(count)]
        print(json.dumps([[one.server, one.token] for one in clusters]), flush=True)
        await asyncio.to_thread(sys.stdin.read)


@dataclass(frozen=True, slots=True)
class Sandboxes:
    """Clusters that live and die together."""

    process: asyncio.subprocess.Process
    logins: tuple[tuple[str, str], ...]  # server and token of each

    async def end(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


@asynccontextmanager
async def sandboxes(count: int) -> AsyncIterator[Sandboxes]:
    """Start clusters in a process, and end it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.sandboxes", str(count)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 22,
    )
    assert process.stdout is not None
    async with asyncio.timeout(START_SECONDS):
        line = await process.stdout.readline()
    found = Sandboxes(process, tuple((server, token) for server, token in json.loads(line)))
    try:
        yield found
    finally:
        await found.end()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
