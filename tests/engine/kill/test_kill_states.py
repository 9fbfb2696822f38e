"""A controller that is killed anywhere around an apply neither loses nor forks a state that is kept in git.

It is killed alone, so that its terraform goes on, or with all that it started; then started again and left alone. What
must hold: one lineage, each version named by the next, the last one what the cloud holds, and nothing made twice.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from controller.sandbox import GitHost
from tests.fixtures.processes import Converge, kill_tree
from tests.fixtures.proxy import Cut, Exchange, Proxy
from tests.fixtures.states import BRANCH, Keys
from tests.fixtures.terraform import FakeCloud
from tests.fixtures.waiting import eventually

pytestmark = [pytest.mark.terraform, pytest.mark.slow, pytest.mark.timeout(500)]

PATH = "states/dev/shop/cloud.age"
Kill = Callable[[int], None]


def kill_alone(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@dataclass
class Scene:
    host: GitHost
    proxy: Proxy
    cloud: FakeCloud
    keys: Keys
    folder: Path

    async def begin(self) -> None:
        self.keys.write(self.folder / "credentials")
        url = self.proxy.url
        platform: dict[str, Any] = {
            "apiVersion": "converge/v1", "kind": "Platform", "metadata": {"name": "acme"},
            "spec": {"installation": "3c9e0f0a-6d0e", "repositories": {"shop": {"url": f"{url}/shop.git"}}},
        }  # fmt: skip
        kept = {"credentials": "states", "recipients": list(self.keys.recipients)}
        environment: dict[str, Any] = {
            "apiVersion": "converge/v1", "kind": "Environment", "metadata": {"name": "dev"},
            "spec": {
                "targets": {"cloud": {"terraform": {"stateInGit": kept, "interval": "1h"}}},
                "applications": {
                    "shop": {"repository": "shop", "path": "infra", "revision": "main", "targets": ["cloud"]}
                },
            },
        }  # fmt: skip
        thing = 'resource "fake_thing" "web" {\n  name = "web"\n  body = "one"\n}\n'
        await self.host.create("shop", {"infra/main.tf": self.cloud.module(thing)})
        files = {"converge.yaml": platform, "environments/dev.yaml": environment}
        await self.host.create("platform", {name: yaml.safe_dump(one).encode() for name, one in files.items()})

    async def change(self) -> None:
        thing = 'resource "fake_thing" "web" {\n  name = "web"\n  body = "two"\n}\n'
        await self.host.commit("shop", {"infra/main.tf": self.cloud.module(thing)})

    async def start(self) -> Converge:
        return await Converge.start(
            "run", "--once", "--timeout", "120", "--interval", "1", "--log-level", "debug",
            "--platform", f"{self.proxy.url}/platform.git",
            "--credentials", str(self.folder / "credentials"),
            "--cache", str(self.folder / "cache"),
            log=self.folder / "log",
            variables={"CONVERGE_TERRAFORM_CONFIG": str(self.cloud.configuration)},
        )  # fmt: skip

    async def settle(self) -> None:
        process = await self.start()
        status = await process.ended(seconds=150)
        assert status == 0, process.tail()

    def spooled(self) -> list[Path]:
        return list((self.folder / "cache" / "states").glob("*/*.state"))

    async def assert_whole(self, body: str) -> None:
        """Hold the branch's history against itself, and its end against the cloud."""
        assert not self.spooled()
        commits = await self.host.log("platform", BRANCH)
        headers = []
        for commit in reversed(commits):
            await self.host.move_branch("platform", "looked-at", commit)  # type: ignore[arg-type]
            headers.append(
                msgspec.json.decode((await self.host.read("platform", PATH, branch="looked-at")).split(b"\n")[0])
            )
        for before, one in itertools.pairwise(headers):
            assert one["after"] == {"lineage": before["lineage"], "serial": before["serial"]}
        state = self.keys.recover(await self.host.read("platform", PATH, branch=BRANCH))
        (resource,) = state["resources"]
        thing = self.cloud.get("web")
        assert thing is not None
        attributes = resource["instances"][0]["attributes"]
        assert (attributes["id"], attributes["body"], thing["body"]) == ("id-web", body, body)


@pytest.fixture
async def scene(fake_cloud: FakeCloud, git_host: GitHost, tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene_at(git_host, fake_cloud, tmp_path) as found:
        yield found


@asynccontextmanager
async def scene_at(host: GitHost, cloud: FakeCloud, folder: Path) -> AsyncIterator[Scene]:
    async with Proxy(host.url("x").removesuffix("/x.git")) as proxy:
        scene = Scene(host, proxy, cloud, Keys(), folder)
        await scene.begin()
        yield scene


async def test_killed_while_terraform_works_the_state_is_what_terraform_left(scene: Scene) -> None:
    await scene.settle()
    await scene.change()
    hold = scene.cloud.mark("web", "hold")
    process = await scene.start()
    await eventually((scene.cloud.folder / "web.held").exists, deadline_seconds=90)
    kill_alone(process.process.pid)
    await process.ended()
    again = await scene.start()  # while the other's terraform is at work: it is waited for
    hold.unlink()
    assert await again.ended(seconds=150) == 0, again.tail()
    await scene.assert_whole("two")


@pytest.mark.parametrize("kill", [kill_alone, kill_tree], ids=["alone", "with_its_children"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_at_the_push_of_a_state(scene: Scene, kill: Kill, when: str) -> None:
    """`before`: the state is in the spool alone; `after`: on the branch, and nobody here knows."""
    await scene.settle()
    await scene.change()
    process: Converge | None = None
    fell = asyncio.Event()

    async def strike(exchange: Exchange) -> None:
        if process is not None and exchange.is_push and scene.spooled() and not fell.is_set():
            fell.set()
            kill(process.process.pid)
            raise Cut

    setattr(scene.proxy, when, strike)
    process = await scene.start()
    assert await process.ended(seconds=150) < 0
    assert fell.is_set()
    await scene.settle()
    await scene.assert_whole("two")


@pytest.mark.parametrize("kill", [kill_alone, kill_tree], ids=["alone", "with_its_children"])
@pytest.mark.parametrize("gone", [False, True], ids=["as_soon_as_it_is_in_the_spool", "as_soon_as_it_is_out_of_it"])
async def test_killed_around_the_spool(scene: Scene, kill: Kill, *, gone: bool) -> None:
    """Out of the spool is before terraform is answered, or right after it: whichever, the end is the same."""
    await scene.settle()
    await scene.change()
    process = await scene.start()
    await eventually(lambda: scene.spooled() or process.process.returncode is not None, deadline_seconds=90)
    if gone:
        await eventually(lambda: not scene.spooled() or process.process.returncode is not None, deadline_seconds=90)
    kill(process.process.pid)
    await process.ended()
    await scene.settle()
    await scene.assert_whole("two")


async def test_killed_before_any_state_was_there_nothing_is_made_twice(scene: Scene) -> None:
    process: Converge | None = None

    async def strike(exchange: Exchange) -> None:
        nonlocal process
        if process is not None and exchange.is_push and scene.spooled():
            kill_tree(process.process.pid)
            process = None
            raise Cut

    scene.proxy.before = strike
    process = started = await scene.start()
    assert await started.ended(seconds=150) < 0
    made = json.loads((scene.cloud.folder / "web.json").read_text())
    await scene.settle()
    await scene.assert_whole("one")
    assert json.loads((scene.cloud.folder / "web.json").read_text()) == made
