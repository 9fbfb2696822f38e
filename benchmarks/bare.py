"""The floor: our bare client (`floor/`, Go), built once and run with several widths; the best counts."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.plane import Plane, plane
from benchmarks.workload import Workload
from tests.cluster.cache import cache_directory, locked
from tests.cluster.toolchain import find_go

SOURCE = Path(__file__).parent / "floor"
WIDTHS = (8, 16, 32, 64)
WARM = 5  # applications
SECONDS = 900


@dataclass(frozen=True, slots=True)
class Floor:
    """The best of several widths."""

    workers: int
    seconds: float
    cpu_seconds: float  # of the client alone


def built() -> Path:
    """Give the client's binary, building it where its sources are new."""
    digest = hashlib.sha256(b"".join((SOURCE / name).read_bytes() for name in ("main.go", "go.mod"))).hexdigest()
    target = cache_directory() / f"floor-{digest[:16]}"
    with locked(target):
        if not target.exists():
            environment = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
            argv = [str(find_go(SOURCE)), "build", "-o", str(target), "."]
            subprocess.run(argv, cwd=SOURCE, env=environment, check=True, timeout=600)
    return target


async def applied(plane: Plane, lines: str, workers: int) -> Floor:
    """Apply objects once, with so many requests in flight. Raises RuntimeError when one of them fails."""
    process = await asyncio.create_subprocess_exec(
        *(str(built()), "--server", plane.running.server, "--ca", plane.running.ca, "--workers", str(workers)),
        env={"FLOOR_TOKEN": plane.running.token},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(SECONDS):
        out, _ = await process.communicate(lines.encode())
    told = json.loads(out)
    if told["failed"]:
        raise RuntimeError(f"{told['failed']} applies of the bare client failed")
    return Floor(workers, told["seconds"], told["cpu_seconds"])


async def floors(applications: int) -> tuple[Floor, Floor]:
    """Give the best first sync and the best update; each width has a control plane of its own (`fresh`)."""
    first, update = [], []
    for workers in WIDTHS:
        async with fresh() as plane:
            workload = Workload(applications)
            await plane.make_namespaces(workload.namespaces)
            first.append(await applied(plane, workload.lines("v1"), workers))
            update.append(await applied(plane, workload.lines("v2"), workers))
    return min(first, key=lambda one: one.seconds), min(update, key=lambda one: one.seconds)


@asynccontextmanager
async def fresh() -> AsyncIterator[Plane]:
    """Give a control plane that has answered a few applies, and has next to no objects.

    What others left there would count: for every new Service the server lists all addresses that it ever gave away
    (`ipallocator.Allocator.Used`), and its first requests of each kind are slow.
    """
    async with plane() as running:
        warm = Workload(WARM)
        await running.make_namespaces(warm.namespaces)
        await applied(running, warm.lines("v1"), 1)
        yield running
