"""A controller that is asked to end (SIGTERM) while an apply runs: the apply ends first, and nothing is left behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.sandbox import GitHost
from tests.fixtures.processes import Converge, tree_of
from tests.fixtures.terraform import FakeCloud
from tests.fixtures.waiting import eventually

pytestmark = [pytest.mark.terraform, pytest.mark.slow, pytest.mark.timeout(400)]

THING = 'resource "fake_thing" "web" {\n  name = "web"\n  body = "one"\n}\n'


async def begin(host: GitHost, cloud: FakeCloud) -> None:
    platform: dict[str, Any] = {
        "apiVersion": "converge/v1",
        "kind": "Platform",
        "metadata": {"name": "acme"},
        "spec": {"installation": "3c9e0f0a-6d0e", "repositories": {"shop": {"url": host.url("shop")}}},
    }
    entry = {"repository": "shop", "path": "infra", "revision": "main", "targets": ["cloud"]}
    environment: dict[str, Any] = {
        "apiVersion": "converge/v1",
        "kind": "Environment",
        "metadata": {"name": "dev"},
        "spec": {
            "targets": {"cloud": {"terraform": {"backend": cloud.backend, "interval": "1h"}}},
            "applications": {"shop": entry},
        },
    }
    await host.create("shop", {"infra/main.tf": cloud.module(THING)})
    files = {"converge.yaml": platform, "environments/dev.yaml": environment}
    await host.create("platform", {name: yaml.safe_dump(one).encode() for name, one in files.items()})


async def start(host: GitHost, cloud: FakeCloud, folder: Path, *arguments: str) -> Converge:
    options = ("--platform", host.url("platform"), "--cache", str(folder / "cache"), "--interval", "1")
    return await Converge.start(
        "run",
        *arguments,
        *options,
        "--credentials",
        str(folder / "credentials"),
        log=folder / "log",
        variables={"CONVERGE_TERRAFORM_CONFIG": str(cloud.configuration)},
    )


def living(processes: list[int]) -> list[int]:
    return [one for one in processes if Path(f"/proc/{one}").exists()]


async def test_an_apply_ends_before_the_controller_and_the_next_one_has_nothing_to_do(
    git_host: GitHost, fake_cloud: FakeCloud, tmp_path: Path
) -> None:
    await begin(git_host, fake_cloud)
    hold = fake_cloud.mark("web", "hold")
    process = await start(git_host, fake_cloud, tmp_path)
    await eventually((fake_cloud.folder / "web.held").exists, deadline_seconds=90)
    children = tree_of(process.process.pid)[1:]
    process.process.terminate()
    hold.unlink()
    assert await process.ended() == 0, process.tail()
    assert not living(children)
    state = (fake_cloud.states / "dev-shop.tfstate").read_bytes()
    assert [one["name"] for one in json.loads(state)["resources"]] == ["web"]
    status = yaml.safe_load(await git_host.show("platform", "status/dev/shop.yaml", branch="converge-status"))
    assert status["sync"] == "Synced"
    again = await start(git_host, fake_cloud, tmp_path, "--once", "--timeout", "120")
    assert await again.ended(seconds=150) == 0, again.tail()
    assert (fake_cloud.states / "dev-shop.tfstate").read_bytes() == state
