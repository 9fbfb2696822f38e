"""A day of churn at a hundred times its speed: is a controller in the evening what it was in the morning?

A simulated hour lasts 36 seconds. In each, commits deploy sixty times, ten people edit by hand, one application is
taken away and the one before comes back, the login is written anew, repositories are polled each minute, and the
connection of the watches is cut two or three times, as servers and load balancers do.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.bare import fresh
from benchmarks.controller_process import Controller, controller
from benchmarks.delivery import deliver_one, delivered_application
from benchmarks.drift import deploy, edit
from benchmarks.fleet import Fleet, fleet_on, kubeconfig
from benchmarks.machine import cpu_seconds, proportional_bytes
from benchmarks.plane import Plane
from benchmarks.relay import Relay
from tests.fixtures.processes import tree_of

SPEED = 100.0
HOUR_SECONDS = 3600 / SPEED
POLL_SECONDS = 60 / SPEED
WATCH_SECONDS = (12.0, 20.0)  # of real time: one that is cut again before ten seconds have passed counts as trouble
COMMITS, EDITS = 60, 10  # in each hour
ABSENTEES = 5  # applications that are away in turn
DAY = 24  # hours, from which on flatness is judged
FLAT = 1.05
SAMPLES = 3  # of memory, at the end of each hour: the least counts, for what is under way is no growth
SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Hour:
    """What an hour was like, and the controller at its end."""

    mebibytes: float  # PSS of the process tree
    files: int  # file descriptors of the process tree
    delivery: float  # seconds, the median of its commits
    corrected: float  # of its hand edits
    cpu_share: float  # of a core
    cuts: int
    seconds: float  # that it really took


async def measure_churn(applications: int, hours: int) -> Sequence[Hour]:
    async with (
        fresh() as plane,
        fleet_on(plane, applications) as fleet,
        Relay(plane.running.server, WATCH_SECONDS) as relay,
    ):
        _log_in(fleet, plane, relay)
        async with controller(fleet, interval_seconds=POLL_SECONDS) as running:
            await deploy(running, fleet)
            day = Day(plane, running, fleet, relay)
            return [await day.hour(number) for number in range(hours)]


def _log_in(fleet: Fleet, plane: Plane, relay: Relay) -> None:
    fleet.log_in_by(kubeconfig(relay.url, plane.running.token, Path(plane.running.ca)))


class Day:
    """Who acts in it; each act is over when the cluster shows what came of it."""

    def __init__(self, plane: Plane, running: Controller, fleet: Fleet, relay: Relay) -> None:
        self._plane = plane
        self._running = running
        self._fleet = fleet
        self._relay = relay
        self._commits, self._edits = itertools.count(), itertools.count()

    async def hour(self, number: int) -> Hour:
        begun, cuts, cpu = time.perf_counter(), self._relay.cuts, cpu_seconds(self._running.pid)
        deliveries: list[float] = []
        corrections: list[float] = []
        _log_in(self._fleet, self._plane, self._relay)
        absent = self._fleet.workload.applications - 1 - number % ABSENTEES
        await self._take_away(absent)
        for minute in range(COMMITS):
            commit = _other(self._commits, absent, lambda one: delivered_application(self._fleet.workload, one))
            deliveries.append(await deliver_one(self._plane, self._running, self._fleet, commit))
            if minute % (COMMITS // EDITS) == 0:
                which = _other(self._edits, absent, lambda one: one % self._fleet.workload.applications)
                corrections.append((await edit(self._plane, self._running, self._fleet.workload, which)).corrected)
            late = begun + (minute + 1) * HOUR_SECONDS / COMMITS - time.perf_counter()
            await asyncio.sleep(max(late, 0.0))
        took = time.perf_counter() - begun
        cpu_share = (cpu_seconds(self._running.pid) - cpu) / took
        self._running.lines.clear()
        return Hour(
            await self._least_memory(),
            _files(self._running.pid),
            median(deliveries),
            median(corrections),
            cpu_share,
            self._relay.cuts - cuts,
            took,
        )

    async def _take_away(self, index: int) -> None:
        """Have one application taken away; the one before comes back with the same commit."""
        workload = self._fleet.workload
        name = workload.names()[index]
        where = f'"name":"{name}","namespace":"{workload.namespace(name)}"'.encode()
        await self._fleet.name_applications(absent=name)
        gone = [b'"type":"DELETED"', b'"kind":"Deployment"', where]
        async with self._plane.watched(lambda line: name if all(one in line for one in gone) else "", 1) as done:
            await self._fleet.push("platform")
            async with asyncio.timeout(SECONDS):
                await done.wait()

    async def _least_memory(self) -> float:
        found = []
        for _ in range(SAMPLES):
            found.append(proportional_bytes(self._running.pid) / (1 << 20))
            await asyncio.sleep(POLL_SECONDS / SAMPLES)
        return min(found)


def _other(numbers: Iterator[int], absent: int, application: Callable[[int], int]) -> int:
    """Give the next number that is not the absent application's."""
    return next(one for one in numbers if application(one) != absent)


def _files(pid: int) -> int:
    found = 0
    for one in tree_of(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += len(list(Path(f"/proc/{one}/fd").iterdir()))
    return found


def table(hours: Sequence[Hour]) -> tuple[str, ...]:
    """Give a line for each quarter of the day, as the medians of its hours."""
    size = max(len(hours) // 4, 1)
    quarters = [(begin, hours[begin : begin + size]) for begin in range(0, len(hours), size)]
    return (
        f"{len(hours)} hours at {SPEED:g} times their speed, {COMMITS} commits and {EDITS} hand edits in each",
        *(f"  hours {begin + 1} to {begin + len(quarter)}: {_told(quarter)}" for begin, quarter in quarters),
    )


def _told(hours: Sequence[Hour]) -> str:
    return (
        f"PSS {_middle(hours, 'mebibytes'):.1f} MiB, {_middle(hours, 'files'):.0f} files, "
        f"a commit {_middle(hours, 'delivery'):.2f} s, a correction {_middle(hours, 'corrected'):.2f} s, "
        f"{100 * _middle(hours, 'cpu_share'):.0f} % of a core, "
        f"{sum(one.cuts for one in hours)} cuts, {_middle(hours, 'seconds'):.0f} s an hour"
    )


def _middle(hours: Sequence[Hour], name: str) -> float:
    return float(median(getattr(one, name) for one in hours))


def goals(hours: Sequence[Hour]) -> Sequence[tuple[str, float, float]]:
    """Hold the last quarter against the second: in the first, memories fill up."""
    if len(hours) < DAY:
        return []
    second, last = hours[len(hours) // 4 : len(hours) // 2], hours[-(len(hours) // 4) :]
    memory, files = (_middle(last, name) / _middle(second, name) for name in ("mebibytes", "files"))
    return [
        ("churn: memory, last quarter ÷ second", memory, FLAT),
        ("churn: files, last quarter ÷ second", files, FLAT),
    ]
