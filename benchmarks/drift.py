"""A hand edit on a cluster: how long until it is found and said, and until it is taken back."""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks.controller_process import Controller, Line, controller
from benchmarks.delivery import at_rest, is_synced
from benchmarks.fleet import WARM, Fleet, fleet_on, kubeconfig
from benchmarks.plane import Plane
from benchmarks.workload import PLURALS, Object, Workload
from controller.sandbox import GitHost
from tests.fixtures.proxy import Proxy

SECONDS = 60.0
QUIET_SECONDS = 6.5  # a Lease that is held is renewed every five
POLLS = 6  # of each repository within the idle window
STRATEGIC = "application/strategic-merge-patch+json"
HAND = "by-hand"


@dataclass(frozen=True, slots=True)
class Edit:
    """Seconds from the answer to the edit."""

    found: float
    corrected: float


@dataclass(frozen=True, slots=True)
class Idle:
    """What a window without any commit or edit cost, and how the next edit fared."""

    seconds: float
    api_requests: int  # to the API server; watches that began anew are left out
    git_requests: int
    edit: Edit


async def measure_drift(plane: Plane, applications: int, edits: int) -> list[Edit]:
    """Edit Deployments and ConfigMaps in turn, each another one: the same one again would be a fight."""
    async with fleet_on(plane, applications) as fleet, controller(fleet) as running:
        await deploy(running, fleet)
        return [await edit(plane, running, fleet.workload, number) for number in range(edits)]


async def measure_idle(plane: Plane, applications: int, seconds: float) -> Idle:
    """Count what the controller asks while nothing happens, at proxies that it does not know of."""
    workload = Workload(applications)
    await plane.make_namespaces(workload.namespaces)
    with tempfile.TemporaryDirectory(prefix="converge-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        async with (
            GitHost(folder) as host,
            Proxy(host.url("x").removesuffix("/x.git")) as git,
            Proxy(plane.running.server, context=plane.tls()) as api,
        ):
            fleet = Fleet(folder, workload, git.url)
            await fleet.begin(kubeconfig(api.url, plane.running.token, None))
            async with controller(fleet, interval_seconds=seconds / POLLS) as running:
                await deploy(running, fleet)
                await lease_given_back(api)
                asked, fetched = len(api.seen), len(git.seen)
                await asyncio.sleep(seconds)
                quiet = [one for one in api.seen[asked:] if not one.is_watch]
                polls = len(git.seen) - fetched
                return Idle(seconds, len(quiet), polls, await edit(plane, running, workload, 0))


async def deploy(running: Controller, fleet: Fleet) -> None:
    await running.until(is_synced(WARM))
    await fleet.name_applications()
    await fleet.push("platform")
    await at_rest(running, fleet.workload)


async def lease_given_back(proxy: Proxy) -> None:
    """Wait until writing is over for good: nothing is asked for longer than a Lease stays without renewal."""
    async with asyncio.timeout(120):
        while True:
            asked = sum(not one.is_watch for one in proxy.seen)
            await asyncio.sleep(QUIET_SECONDS)
            if asked == sum(not one.is_watch for one in proxy.seen):
                return


async def edit(plane: Plane, running: Controller, workload: Workload, number: int) -> Edit:
    name = workload.names()[number % workload.applications]
    namespace = workload.namespace(name)
    path, patch = (_image if number % 2 else _value)(name, namespace)

    def is_found(line: Line) -> bool:
        return line.get("event") == "drift.found" and f"{namespace}/{name}" in str(line.get("object"))

    def is_corrected(line: bytes) -> str:
        if namespace.encode() not in line or name.encode() not in line:
            return ""
        live = orjson.loads(line)["object"]
        is_it = path.endswith(f"{namespace}/{_plural(live)}/{live['metadata']['name']}")
        return name if is_it and HAND not in (orjson.dumps(live.get("data") or live["spec"])).decode() else ""

    async with plane.watched(is_corrected, 1) as corrected:
        sent = time.perf_counter()
        await plane.send("PATCH", f"{path}?fieldManager=someone", patch, STRATEGIC)
        begun = time.perf_counter()
        found = await running.until(is_found, after=sent)
        await asyncio.wait_for(corrected.wait(), SECONDS)
        return Edit(max(found - begun, 0.0), time.perf_counter() - begun)


def _plural(live: Object) -> str:
    return PLURALS.get(live["kind"], "deployments")


def _image(name: str, namespace: str) -> tuple[str, object]:
    container = {"name": "web", "image": f"registry.example.com/team/{name}:{HAND}"}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}", patch


def _value(name: str, namespace: str) -> tuple[str, object]:
    return f"/api/v1/namespaces/{namespace}/{PLURALS['ConfigMap']}/{name}-config", {"data": {"LOG_LEVEL": HAND}}
