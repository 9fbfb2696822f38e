"""A controller under measurement: `converge run` as a process of its own, whose log tells when what happened."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from benchmarks.fleet import Fleet
from tests.fixtures.processes import CONVERGE

Line = dict[str, Any]
SECONDS = 120.0


@dataclass(slots=True)
class Controller:
    """What a running controller has said so far, each line with the time at which it came."""

    process: asyncio.subprocess.Process
    lines: list[tuple[float, Line]] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pid(self) -> int:
        return self.process.pid

    async def listen(self) -> None:
        assert self.process.stderr is not None
        async for text in self.process.stderr:
            at = time.perf_counter()
            try:
                self.lines.append((at, json.loads(text)))
            except ValueError:
                self.raw.append(text.decode(errors="replace"))
            self._moved.set()
        self._moved.set()

    async def until(
        self, holds: Callable[[Line], object], *, after: float = 0.0, seconds: float = SECONDS, begin: int = 0
    ) -> float:
        """Wait for a line, and give the time it came at. Raises TimeoutError, with the last lines.

        `begin` is the number of lines that are known already.
        """
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for at, line in self.lines[begin:]:
                        if at >= after and holds(line):
                            return at
                    begin = len(self.lines)
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            last = "\n".join([*(json.dumps(line) for _, line in self.lines[-10:]), *self.raw[-20:]])
            raise TimeoutError(f"the controller did not come to what was waited for; it said last:\n{last}") from None

    async def each(
        self, names: Iterable[str], named_by: Callable[[Line], str], *, after: float = 0.0, seconds: float = SECONDS
    ) -> list[float]:
        """Wait for a line of each name, and give the times of the first of each. Raises as `until`."""
        missing = set(names)
        times: list[float] = []
        begin = 0
        while missing:
            for at, line in self.lines[begin:]:
                if at >= after and (name := named_by(line)) in missing:
                    missing.discard(name)
                    times.append(at)
            begin = len(self.lines)
            if missing:
                await self.until(lambda line: named_by(line) in missing, after=after, seconds=seconds, begin=begin)
        return times


@asynccontextmanager
async def controller(fleet: Fleet, *, interval_seconds: float = 60.0) -> AsyncIterator[Controller]:
    """Run a controller on a fleet; ends it in order."""
    process = await asyncio.create_subprocess_exec(
        *(str(CONVERGE), "run", "--log-format", "json", "--interval", str(interval_seconds)),
        *("--platform", fleet.url("platform"), "--credentials", str(fleet.folder / "credentials")),
        *("--cache", str(fleet.folder / "cache")),
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 22,
        start_new_session=True,
    )
    running = Controller(process)
    listening = asyncio.create_task(running.listen())
    try:
        yield running
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        await listening
