"""A storm of events about one application: what it costs, and what another on the same cluster notices of it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import ssl
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from controller.engine import PlacementReconciled
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.engine.kill.scene import kubeconfig
from tests.fixtures.loop import Loop, config_map
from tests.fixtures.proxy import Exchange, Proxy
from tests.fixtures.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

OBJECTS = 40
EVENTS = 10_000
HELD_BYTES = 48 << 20  # more than a storm may leave or need at any moment, with 40 objects and a line each in flight
TOLD = 5  # times each touch is told, as a server that sends the same news again does: a real one takes long to write
PLACEMENTS = 2


def named(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


async def storm(place: KubeAccess, names: list[str], is_over: Callable[[], bool]) -> None:
    """Note something on objects again and again, as an operator that keeps its state in annotations does."""
    tls = ssl.create_default_context(cafile=str(place.ca))
    headers = {"Authorization": f"Bearer {place.token}", "Content-Type": "application/merge-patch+json"}
    async with aiohttp.ClientSession(
        headers=headers, connector=aiohttp.TCPConnector(ssl=tls, limit=8), timeout=aiohttp.ClientTimeout(total=None)
    ) as session:

        async def touch(name: str) -> None:
            url = f"{place.server}/api/v1/namespaces/{place.namespace}/configmaps/{name}?fieldManager=restless-operator"
            for number in itertools.count():
                if is_over():
                    return
                noted = json.dumps({"metadata": {"annotations": {"example.com/seen": str(number)}}})
                async with session.patch(url, data=noted) as answer:
                    assert answer.status == 200, await answer.text()

        async with asyncio.TaskGroup() as tasks:
            for name in names:
                tasks.create_task(touch(name))


def resident_bytes() -> int:
    """Give what the controller's process holds in memory (the storm's own client and the proxy are in it too)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Telling:
    """Tells the controller each touch several times, and counts what it was told."""

    def __init__(self) -> None:
        self.told = 0

    def __call__(self, _exchange: Exchange, line: bytes) -> list[bytes]:
        if b'"type":"MODIFIED"' not in line or b"restless-operator" not in line:
            return [line]
        self.told += TOLD
        return [line] * TOLD


@pytest.mark.parametrize("place", ["real"], indirect=True)
async def test_a_storm_around_one_application_costs_no_request_and_delays_nobody(
    loop: Loop, place: KubeAccess, live: Api
) -> None:
    names = [f"noisy-{number:02}" for number in range(OBJECTS)]
    await loop.host.create("noisy", {f"deploy/{name}.yaml": config_map(name, x="1") for name in names})
    await loop.host.create("quiet", {"deploy/quiet.yaml": config_map("quiet", x="1")})
    await loop.platform({"noisy": {}, "quiet": {}})
    context = ssl.create_default_context(cafile=str(place.ca))
    async with Proxy(place.server, context=context) as proxy:
        proxy.lines = telling = Telling()
        path = loop.directory / "credentials" / "kubeconfig" / "kubeconfig"
        path.write_text(json.dumps(kubeconfig(proxy.url, place.token)))
        async with loop.start() as controller:
            await loop.synced("noisy")
            await loop.synced("quiet")
            asked, mark = len(proxy.seen), loop.mark()
            corrected = asyncio.Event()
            queue = controller._queue

            before, peak = resident_bytes(), 0

            def is_over() -> bool:
                nonlocal peak
                peak = max(peak, resident_bytes())
                standing = len(queue._ready) + len(queue._running)
                assert standing <= PLACEMENTS
                assert len(queue._timers) + len(queue._nudges) <= 2 * PLACEMENTS
                return corrected.is_set() and telling.told >= EVENTS

            going_on = asyncio.create_task(storm(place, names, is_over))
            await eventually(lambda: telling.told >= EVENTS // 2 or going_on.done(), deadline_seconds=60)
            await live.patch(named("quiet"), {"data": {"x": "by hand"}}, fieldManager="kubectl-edit")
            await live.until("v1", "ConfigMap", "quiet", lambda one: one and one["data"] == {"x": "1"})
            corrected.set()  # the storm goes on at least until here
            await going_on
            await loop.synced("quiet", since=mark)
            assert peak - before < HELD_BYTES, f"{(peak - before) >> 20} MB"

            # An edit after the storm is heard after all that was told of it.
            await live.patch(named("noisy-00"), {"data": {"x": "by hand"}}, fieldManager="kubectl-edit")
            await live.until("v1", "ConfigMap", "noisy-00", lambda one: one and one["data"] == {"x": "1"})
            seen = [one for one in proxy.seen[asked:] if not one.is_watch]
            runs = Counter(
                event.report.placement.application
                for event in loop.events[mark:]
                if isinstance(event, PlacementReconciled)
            )
    said = Counter(f"{one.method} {one.path.partition('?')[0].rsplit('/', 1)[-1]}" for one in seen)
    assert sum(count for what, count in said.items() if "noisy-" in what) <= 4, said  # of the last edit alone
    assert sum(said.values()) <= 40, said
    assert sum(runs.values()) <= 40, runs
