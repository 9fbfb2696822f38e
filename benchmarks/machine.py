"""What processes cost, read from /proc: CPU seconds and proportional memory of a process and all its children."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.fixtures.processes import tree_of

TICKS = os.sysconf("SC_CLK_TCK")
SAMPLE_SECONDS = 0.1
PSS = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)


def cpu_seconds(pid: int) -> float:
    """Give the CPU time of a process and of the children that ended, running ones included."""
    total = 0
    for one in tree_of(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))  # utime, stime, and those of children that were waited for
    return total / TICKS


def proportional_bytes(pid: int) -> int:
    """Give the PSS of a process and its children: what they share counts once.

    A child made by vfork is its parent until it calls exec: the same memory, of which the kernel tells all for both.
    """
    found: dict[bytes, int] = {}
    for one in tree_of(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            text = Path(f"/proc/{one}/smaps_rollup").read_bytes()
            match = PSS.search(text)
            where = text.partition(b" ")[0]  # from the first address to the last: random, so that no two programs agree
            found[where] = max(found.get(where, 0), int(match[1]) * 1024 if match else 0)
    return sum(found.values())


@dataclass(slots=True)
class Peak:
    bytes: int = 0

    @property
    def mebibytes(self) -> float:
        return self.bytes / (1 << 20)


@asynccontextmanager
async def peak_memory(pid: int) -> AsyncIterator[Peak]:
    """Watch the memory of a process tree for the length of the block."""
    peak = Peak()

    async def sample() -> None:
        while True:
            peak.bytes = max(peak.bytes, proportional_bytes(pid))
            await asyncio.sleep(SAMPLE_SECONDS)

    task = asyncio.create_task(sample())
    try:
        yield peak
    finally:
        task.cancel()
        peak.bytes = max(peak.bytes, proportional_bytes(pid))
