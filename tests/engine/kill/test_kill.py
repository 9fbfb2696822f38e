"""A controller that is killed at any write ends, once restarted, where an undisturbed one does.

A proxy numbers the writes of a first sync and of a second one that prunes (requests that change the cluster, and pushes
of records), and the whole process tree is killed before a write is passed on, or after it was answered and before the
controller knows. Then it is started again and left alone.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from controller.sandbox import GitHost
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api, ApiError
from tests.engine.kill.scene import Scene
from tests.engine.kill.snapshot import Objects, differences, live_state, record_tree
from tests.fixtures.processes import Converge, kill_tree
from tests.fixtures.proxy import Cut, Exchange, Proxy

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1800)]

When = Literal["before", "after"]
AT_ONCE = 3  # cases; the machine waits more than it works
ENOUGH = 200  # writes that no small fleet needs: a numbering that never ends is a defect of its own


@dataclass(slots=True)
class Axe:
    """Falls at the `at`-th write, once. 0: never."""

    at: int
    when: When
    process: Converge | None = None
    writes: list[Exchange] = field(default_factory=list)
    fell_at: Exchange | None = None
    _numbers: dict[int, int] = field(default_factory=dict)

    def hooks(self, proxy: Proxy) -> None:
        proxy.before, proxy.after = self.before, self.after

    async def before(self, exchange: Exchange) -> None:
        if self.fell_at is not None and self.process is None:
            raise Cut  # sent before the end, and not read until after it
        if exchange.is_write:
            self.writes.append(exchange)
            self._numbers[id(exchange)] = len(self.writes)
            self._strike(exchange, "before")

    async def after(self, exchange: Exchange) -> None:
        self._strike(exchange, "after")

    def _strike(self, exchange: Exchange, when: When) -> None:
        if self.process is None or self.fell_at is not None:
            return
        if when == self.when and self._numbers[id(exchange)] == self.at:
            self.fell_at = exchange
            kill_tree(self.process.process.pid)
            self.process = None
            raise Cut


@dataclass(frozen=True, slots=True)
class End:
    """Where a case came to: after the first version, and after the second."""

    first: Objects
    second: Objects
    axe: Axe


@asynccontextmanager
async def scene_at(folder: Path, access: KubeAccess, axe: Axe) -> AsyncIterator[Scene]:
    context = ssl.create_default_context(cafile=str(access.ca))
    async with (
        GitHost(folder / "git") as host,
        Proxy(host.url("x").removesuffix("/x.git")) as git,
        Proxy(access.server, context=context) as kubernetes,
    ):
        axe.hooks(git)
        axe.hooks(kubernetes)
        scene = Scene(folder, host, git.url, kubernetes.url, access.token)
        await scene.begin()
        yield scene


async def play(folder: Path, access: KubeAccess, api: Api, axe: Axe) -> End:
    """Sync, commit, sync again; wherever the axe falls, start anew and go on."""
    async with scene_at(folder, access, axe) as scene:
        await settle(scene, axe)
        first = await state_of(api, scene)
        await scene.move_on()
        await settle(scene, axe)
        second = await state_of(api, scene)
        for namespace in scene.namespaces:
            await api.request("DELETE", f"/api/v1/namespaces/{namespace}")
        return End(first, second, axe)


async def settle(scene: Scene, axe: Axe) -> None:
    """Run until all is at rest, starting again after a kill."""
    killed_before = axe.fell_at
    axe.process = await scene.converge()
    process = axe.process
    status = await process.ended()
    if axe.fell_at is not None and killed_before is None:
        axe.process = process = await scene.converge()
        status = await process.ended()
    assert status == 0, f"`converge run --once` ended with {status}:\n{process.tail()}"


async def state_of(api: Api, scene: Scene) -> Objects:
    return {**await live_state(api, scene), **await record_tree(scene)}


@pytest.fixture
async def system_namespace(api: Api) -> None:
    """Make the namespace that every installation shares, so that no case is the one that makes it."""
    try:
        await api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "converge-system"}})
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise


@pytest.mark.usefixtures("system_namespace")
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_kill_at_any_write_leaves_no_trace(cluster: KubeAccess, api: Api, tmp_path: Path, when: When) -> None:
    expected = await play(tmp_path / "undisturbed", cluster, api, Axe(0, when))
    cases = Cases(tmp_path, cluster, api, when, expected)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(cases.work())
    assert cases.struck >= 20, f"only {cases.struck} writes were numbered: {expected.axe.writes}"
    assert not cases.complaints, "\n\n".join(cases.complaints)


@dataclass(slots=True)
class Cases:
    """Plays case after case until one is through with all its writes before its number comes."""

    folder: Path
    access: KubeAccess
    api: Api
    when: When
    expected: End
    struck: int = 0
    complaints: list[str] = field(default_factory=list)
    _next: int = 1
    _is_through: bool = False

    async def work(self) -> None:
        while not self._is_through and self._next <= ENOUGH:
            number, self._next = self._next, self._next + 1
            end = await play(self.folder / f"{self.when}-{number}", self.access, self.api, Axe(number, self.when))
            if end.axe.fell_at is None:
                self._is_through = True
                continue
            self.struck += 1
            self._compare(number, end)

    def _compare(self, number: int, end: End) -> None:
        for name in ("first", "second"):
            found = differences(getattr(self.expected, name), getattr(end, name))
            if found:
                where = f"killed {self.when} write {number} ({end.axe.fell_at}), the {name} version differs:"
                self.complaints.append("\n".join([where, *found[:30]]))
