"""A day of commits, edits, cuts and forgotten histories, at speed: memory and file descriptors stay as they were."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from controller.sandbox import GitHost, SandboxCluster
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api, Object
from tests.engine.kill.scene import kubeconfig
from tests.fixtures.loop import Loop, config_map, deployment
from tests.fixtures.processes import Converge
from tests.fixtures.proxy import Cut, Exchange, Proxy
from tests.fixtures.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

APPLICATIONS = ("api", "db", "shop", "web")
WARM_ROUNDS, ROUNDS = 40, 100
MORE_KILOBYTES = 16_000  # memories that are bounded by numbers (renders, badges, dry runs) still fill up meanwhile
MORE_FILES = 6  # connections and packs that happen to be open, more or fewer at the end than before
ANONYMOUS = re.compile(r"^Private_Dirty:\s+(\d+) kB", re.MULTILINE)


def memory(pid: int) -> int:
    """Give the kilobytes that a process alone has written to."""
    found = ANONYMOUS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    assert found is not None
    return int(found[1])


def files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - /proc has no attributes worth a Path


class Day:
    """What people and misfortune do in one round; each waits until the controller has dealt with it."""

    def __init__(self, loop: Loop, sandbox: SandboxCluster, api: Api) -> None:
        self.loop = loop
        self.sandbox = sandbox
        self.api = api
        self.is_cutting = False

    async def before(self, exchange: Exchange) -> None:
        """Drop the next watch that is asked for."""
        if self.is_cutting and exchange.is_watch:
            self.is_cutting = False
            raise Cut

    async def commit(self, number: int) -> None:
        name = APPLICATIONS[number % len(APPLICATIONS)]
        changes: dict[str, bytes | None] = {f"{name}/config.yaml": config_map(name, round=str(number))}
        comes, goes = f"{name}/more-{number}.yaml", f"{name}/more-{number - len(APPLICATIONS)}.yaml"
        changes[comes] = config_map(f"{name}-{number}", filler="x" * 20_000)
        if number >= len(APPLICATIONS):
            changes[goes] = None
        await self.loop.host.commit("apps", changes, message=f"Round {number}")
        await self.until(name, {"round": str(number)})
        await self.api.until("v1", "ConfigMap", f"{name}-{number}", lambda live: live is not None)
        if number >= len(APPLICATIONS):
            await self.api.until("v1", "ConfigMap", f"{name}-{number - len(APPLICATIONS)}", lambda live: live is None)

    async def edit(self, number: int) -> None:
        """Edit what this round's commit brought: an object that is edited again and again would be a fight."""
        body = self._newest(number)
        name = body["metadata"]["name"]
        before = (await self.api.get("v1", "ConfigMap", name))["data"]
        await self.api.patch(body, {"data": {"filler": "by hand"}})
        await self.until(name, before)

    async def delete(self, number: int) -> None:
        body = self._newest(number)
        name = body["metadata"]["name"]
        uid = (await self.api.get("v1", "ConfigMap", name))["metadata"]["uid"]
        await self.api.delete(body)
        await self.api.until("v1", "ConfigMap", name, lambda live: live and live["metadata"]["uid"] != uid)

    async def cut(self, number: int) -> None:
        """End every watch, the next attempt too; every second time its history is gone as well (410)."""
        self.is_cutting = True
        if number % 2:
            self.sandbox.compact()
        await self.edit(number)

    async def until(self, name: str, data: dict[str, str]) -> None:
        await self.api.until("v1", "ConfigMap", name, lambda live: live and live["data"] == data)

    def _newest(self, number: int) -> Object:
        name = f"{APPLICATIONS[number % len(APPLICATIONS)]}-{number}"
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


async def test_a_day_of_churn_leaves_memory_and_files_as_they_were(git_host: GitHost, tmp_path: Path) -> None:
    async with SandboxCluster() as sandbox, Proxy(sandbox.server) as proxy:
        access = KubeAccess(
            server=sandbox.server, kubeconfig=tmp_path / "none", ca=None, token=sandbox.token, namespace="churn"
        )
        loop = Loop(git_host, tmp_path, access.namespace)
        store = tmp_path / "credentials" / "kubeconfig"
        store.mkdir(parents=True)
        (store / "kubeconfig").write_text(json.dumps(kubeconfig(proxy.url, sandbox.token)))
        async with Api.connect(access) as api:
            await api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": access.namespace}})
            await live_through(Day(loop, sandbox, api), proxy, tmp_path)


async def live_through(day: Day, proxy: Proxy, folder: Path) -> None:
    loop = day.loop
    first: dict[str, bytes] = {}
    for name in APPLICATIONS:
        first |= {f"{name}/config.yaml": config_map(name, round="none"), f"{name}/web.yaml": deployment(name)}
    await loop.host.create("apps", first)
    await loop.platform({name: {"repository": "apps", "path": name} for name in APPLICATIONS})
    running = await Converge.start(
        "run", "--platform", loop.host.url("platform"), "--credentials", str(folder / "credentials"),
        "--cache", str(folder / "cache"), "--interval", "0.3", "--log-level", "error", log=folder / "log",
    )  # fmt: skip
    try:
        for name in APPLICATIONS:
            await day.api.until("apps/v1", "Deployment", name, lambda live: live is not None)
        proxy.before = day.before
        await rounds(day, range(WARM_ROUNDS))
        warm = memory(running.process.pid), files(running.process.pid)
        await rounds(day, range(WARM_ROUNDS, WARM_ROUNDS + ROUNDS))
        end = memory(running.process.pid)
        # Connections that were busy at once are closed when they were idle for half a minute; what leaks stays.
        await eventually(lambda: files(running.process.pid) <= warm[1] + MORE_FILES, deadline_seconds=90)
    finally:
        assert await running.stop() == 0, running.tail()
    assert end <= warm[0] + MORE_KILOBYTES


async def rounds(day: Day, numbers: range) -> None:
    """Live through so many rounds; every one has a commit, and one misfortune or edit more."""
    actions: tuple[Callable[[int], Awaitable[None]], ...] = (day.edit, day.delete, day.cut)
    for number in numbers:
        await day.commit(number)
        await actions[number % len(actions)](number)
