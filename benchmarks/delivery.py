"""From `git push` to the last object: a first sync and a one-field update of all applications, against the floor."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.bare import Floor, floors, fresh
from benchmarks.controller_process import Controller, Line, controller
from benchmarks.fleet import WARM, Fleet, fleet_on
from benchmarks.machine import cpu_seconds, peak_memory
from benchmarks.plane import Plane
from benchmarks.workload import Workload

NAME = re.compile(rb'"name":"([^"]+)","namespace":"([^"]+)"')
SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One delivery: how long it took, and what it cost whom."""

    seconds: float
    cpu_seconds: float  # of the controller's whole process tree
    server_cpu_seconds: float
    requests: Counter[str]


@dataclass(frozen=True, slots=True)
class Round:
    """One fleet from nothing to its second version, beside the floor, each on a fresh control plane."""

    first_floor: Floor
    update_floor: Floor
    first: Measured
    update: Measured
    peak_mebibytes: float


async def measure_round(applications: int) -> Round:
    first_floor, update_floor = await floors(applications)
    async with fresh() as plane, fleet_on(plane, applications) as fleet:
        async with controller(fleet) as running, peak_memory(running.pid) as peak:
            await running.until(is_synced(WARM))
            await fleet.name_applications()
            whole = created(fleet.workload)
            first = await measured(plane, running, fleet, "platform", whole, fleet.workload.objects)
            await fleet.change_images("v2")
            update = await measured(plane, running, fleet, "apps", updated(fleet.workload), applications)
        return Round(first_floor, update_floor, first, update, peak.mebibytes)


async def measured(
    plane: Plane,
    running: Controller,
    fleet: Fleet,
    repository: str,
    holds: Callable[[bytes], str],
    wanted: int,
    *,
    seconds: float = SECONDS,
) -> Measured:
    """Push, and stop the clock at the last object; what it cost is counted until all is at rest."""
    requests = await plane.requests()
    cpu, server_cpu = cpu_seconds(running.pid), cpu_seconds(plane.running.pid)
    async with plane.watched(holds, wanted) as done:
        begun = time.perf_counter()
        await fleet.push(repository)
        async with asyncio.timeout(seconds):
            await done.wait()
        took = time.perf_counter() - begun
    await at_rest(running, fleet.workload, after=begun, seconds=seconds)
    return Measured(
        took,
        cpu_seconds(running.pid) - cpu,
        cpu_seconds(plane.running.pid) - server_cpu,
        (await plane.requests()) - requests,
    )


async def deliver_one(plane: Plane, running: Controller, fleet: Fleet, number: int) -> float:
    """Push another image of one application, each time of another one; the clock stops at its event."""
    workload, tag = fleet.workload, f"one-{number}"
    name = workload.names()[delivered_application(workload, number)]
    await fleet.change_image(name, tag)
    mark = f':{tag}"'.encode()
    inner = created(workload)
    async with plane.watched(lambda line: inner(line) if mark in line else "", 1) as done:
        begun = time.perf_counter()
        await fleet.push("apps")
        async with asyncio.timeout(SECONDS):
            await done.wait()
        seconds = time.perf_counter() - begun
    await running.until(is_synced(name), after=begun)
    return seconds


def delivered_application(workload: Workload, number: int) -> int:
    """Give the index of the application whose turn it is: neighbours don't come one after the other."""
    return (number * 37) % workload.applications


async def at_rest(running: Controller, workload: Workload, *, after: float = 0.0, seconds: float = SECONDS) -> None:
    """Wait until every application is Synced, and that is pushed."""
    times = await running.each(workload.names(), synced_name, after=after, seconds=seconds)
    await running.until(lambda line: line.get("event") == "records.pushed", after=max(times), seconds=seconds)


def is_synced(application: str) -> Callable[[Line], object]:
    """Recognise the line that says that an application is Synced."""
    return lambda line: synced_name(line) == application


def synced_name(line: Line) -> str:
    """Name the application that a line says is Synced; "" for other lines."""
    # Nobody runs workloads here: their health stays Progressing.
    is_it = line.get("event") == "placement.reconciled" and line.get("sync") == "Synced"
    return str(line.get("application")) if is_it else ""


def created(workload: Workload) -> Callable[[bytes], str]:
    """Recognise the events of a fleet's objects: the object's name in its namespace."""
    mark = f'"namespace":"{workload.prefix}'.encode()

    def holds(line: bytes) -> str:
        match = NAME.search(line) if mark in line else None
        return match[0].decode() if match and WARM.encode() not in match[1] else ""

    return holds


def updated(workload: Workload) -> Callable[[bytes], str]:
    """Recognise the events that show the second version of a fleet's images."""
    inner = created(workload)
    return lambda line: inner(line) if b':v2"' in line else ""
