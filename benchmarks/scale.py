"""One controller at scale, through a day of its life: first sync, updates, hand edits, restarts, idleness.

Each first sync begins on a fresh control plane, where nobody else writes. The clock of a delivery runs from the push to
a local repository to the watch event of the last object; records are not counted. Requests are the API server's own
count, but for idleness and restarts, which a proxy counts that the controller does not know of.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.bare import Floor, floors, fresh
from benchmarks.controller_process import Controller, controller
from benchmarks.delivery import Measured, created, deliver_one, is_synced, measured, synced_name, updated
from benchmarks.drift import Edit, edit, lease_given_back
from benchmarks.fleet import WARM, Fleet, direct, fleet_on, kubeconfig
from benchmarks.machine import cpu_seconds, peak_memory
from benchmarks.plane import Plane
from benchmarks.workload import Workload
from tests.fixtures.proxy import Exchange, Proxy

SECONDS = 3600.0  # of one step at most: ten thousand applications on a busy machine take half of it
POLLS = 10  # of each repository within the idle window
WRITES = ("DRY RUN", "APPLY", "POST", "PUT", "DELETE")


@dataclass(frozen=True, slots=True)
class Restart:
    """How a controller that starts finds everything synced."""

    seconds: float  # from the start of the process to the last application's state
    lists: int
    writes: int
    requests: int  # without watches


@dataclass(frozen=True, slots=True)
class Idle:
    seconds: float
    requests: int  # without watches
    cpu_share: float  # of one core


@dataclass(frozen=True, slots=True)
class Scale:
    """What was measured at one size."""

    applications: int
    first_floor: Floor
    update_floor: Floor
    bare: Measured  # a first sync with `preflight: false`
    first: Measured
    update: Measured
    ones: Sequence[float]  # seconds of commits that change one application
    one_writes: Counter[str]  # of all of them together
    edits: Sequence[Edit]
    warm: Restart
    empty: Restart
    idle: Idle
    first_mebibytes: float  # at most, until the first sync was recorded
    peak_mebibytes: float  # at most, of the same controller, which did all but the restarts


async def measure_scale(applications: int, *, commits: int, edits: int, idle_seconds: float) -> Scale:
    first_floor, update_floor = await floors(applications)
    async with fresh() as plane, fleet_on(plane, applications, preflight=False) as fleet, controller(fleet) as running:
        bare = await _first(plane, running, fleet)
    async with fresh() as plane, fleet_on(plane, applications) as fleet:
        async with controller(fleet) as running, peak_memory(running.pid) as peak:
            first = await _first(plane, running, fleet)
            first_mebibytes = peak.mebibytes
            await fleet.change_images("v2")
            whole = updated(fleet.workload)
            update = await measured(plane, running, fleet, "apps", whole, applications, seconds=SECONDS)
            requests = await plane.requests()
            ones = [await deliver_one(plane, running, fleet, number) for number in range(commits)]
            one_writes = Counter({verb: (await plane.requests())[verb] - requests[verb] for verb in WRITES})
            made = [await edit(plane, running, fleet.workload, number) for number in range(edits)]
        warm = await _restart(plane, fleet, empties_disk=False)
        empty = await _restart(plane, fleet, empties_disk=True)
        idle = await _idle(plane, fleet, idle_seconds)
        return Scale(
            applications=applications,
            first_floor=first_floor,
            update_floor=update_floor,
            bare=bare,
            first=first,
            update=update,
            ones=ones,
            one_writes=one_writes,
            edits=made,
            warm=warm,
            empty=empty,
            idle=idle,
            first_mebibytes=first_mebibytes,
            peak_mebibytes=peak.mebibytes,
        )


async def _first(plane: Plane, running: Controller, fleet: Fleet) -> Measured:
    await running.until(is_synced(WARM))
    await fleet.name_applications()
    workload = fleet.workload
    return await measured(plane, running, fleet, "platform", created(workload), workload.objects, seconds=SECONDS)


@asynccontextmanager
async def _watched_from_outside(plane: Plane, fleet: Fleet) -> AsyncIterator[Proxy]:
    async with Proxy(plane.running.server, context=plane.tls()) as proxy:
        fleet.log_in_by(kubeconfig(proxy.url, plane.running.token, None))
        try:
            yield proxy
        finally:
            fleet.log_in_by(direct(plane))


async def _restart(plane: Plane, fleet: Fleet, *, empties_disk: bool) -> Restart:
    """Time a start without a proxy, then count the requests of another one."""
    if empties_disk:
        fleet.forget()
    begun = time.perf_counter()
    async with controller(fleet) as running:
        seconds = await _all_synced(running, fleet.workload) - begun
    if empties_disk:
        fleet.forget()
    async with _watched_from_outside(plane, fleet) as proxy, controller(fleet) as running:
        await _all_synced(running, fleet.workload)
        asked = [one for one in proxy.seen if not one.is_watch]
    lists = sum("limit=" in one.path and "continue=" not in one.path for one in asked)
    return Restart(seconds, lists, sum(_is_our_write(one) for one in asked), len(asked))


def _is_our_write(one: Exchange) -> bool:
    return one.is_write and "selfsubject" not in one.path


async def _all_synced(running: Controller, workload: Workload) -> float:
    return max(await running.each(workload.names(), synced_name, seconds=SECONDS))


async def _idle(plane: Plane, fleet: Fleet, seconds: float) -> Idle:
    async with (
        _watched_from_outside(plane, fleet) as proxy,
        controller(fleet, interval_seconds=max(seconds / POLLS, 1.0)) as running,
    ):
        await _all_synced(running, fleet.workload)
        name = fleet.workload.names()[0]
        await fleet.change_image(name, "before-idleness")
        pushed = time.perf_counter()
        await fleet.push("apps")  # one write, so that the end of the Lease tells that all is over
        await running.until(is_synced(name), after=pushed)
        await lease_given_back(proxy)
        asked, cpu = len(proxy.seen), cpu_seconds(running.pid)
        await asyncio.sleep(seconds)
        quiet = [one for one in proxy.seen[asked:] if not one.is_watch]
        return Idle(seconds, len(quiet), (cpu_seconds(running.pid) - cpu) / seconds)
