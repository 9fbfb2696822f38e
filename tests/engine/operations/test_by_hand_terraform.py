"""`converge apply` of a group that has a cloud and a cluster: one hand for both, and the value between them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.engine import PlacementReconciled
from tests.cluster.api import Api
from tests.engine.operations.conftest import Person
from tests.fixtures.loop import Loop, config_map
from tests.fixtures.states import BRANCH, Keys
from tests.fixtures.terraform import FakeCloud

pytestmark = [pytest.mark.terraform, pytest.mark.slow, pytest.mark.timeout(500)]

MODULE = """resource "fake_thing" "web" {
  name = "web"
  body = "BODY"
}
output "url" {
  value = fake_thing.web.url
}
"""
URL = {"from": "cloud.url", "to": "ConfigMap/settings", "field": "data.URL"}
WHY = ("apply", "dev/shop", "--why", "The region is away.")


def files(fake: FakeCloud, body: str = "one") -> dict[str, bytes]:
    return {
        "deploy/settings.yaml": config_map("settings", x="1"),
        "deploy/infra/main.tf": fake.module(MODULE.replace("BODY", body)),
    }


async def platform(loop: Loop, fake: FakeCloud, sync: Mapping[str, Any] | None = None) -> None:
    cloud = {"terraform": {"backend": fake.backend, "interval": "1h", **fake.asked}}
    targets = {"home": {"kubernetes": {}}, "cloud": cloud}
    await loop.platform({"shop": {"inputs": [URL]}}, spec={"targets": targets}, sync=sync)


async def placements(loop: Loop) -> dict[str, Any]:
    status = yaml.safe_load(await loop.host.show("platform", "status/dev/shop.yaml", branch="converge-status"))
    return {one["target"]: one for one in status["placements"]}


async def test_a_cloud_and_what_takes_its_output_are_applied_by_hand_and_the_controller_has_nothing_to_do(
    loop: Loop, live: Api, person: Person, fake_cloud: FakeCloud
) -> None:
    commit = await loop.host.create("shop", files(fake_cloud))
    await platform(loop, fake_cloud, {"pending": "approve"})
    refused = await person.types(*WHY, "--yes")
    assert (refused.returncode, fake_cloud.get("web")) == (3, None)
    done = await person.types(*WHY, "--yes", "--despite", "approval")
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    thing, settings = fake_cloud.get("web"), await live.get("v1", "ConfigMap", "settings")
    assert (thing or {})["body"] == "one"
    assert settings["data"] == {"x": "1", "URL": "https://web.example.com"}
    told = await placements(loop)
    assert {target: one["byHand"]["by"] for target, one in told.items()} == dict.fromkeys(
        ("cloud", "home"), person.author
    )
    assert {one["applied"]["application"] for one in told.values()} == {commit}
    state = (fake_cloud.states / "dev-shop.tfstate").read_bytes()
    async with loop.start() as controller:
        await controller.settled()
    assert (fake_cloud.states / "dev-shop.tfstate").read_bytes() == state
    reports = [one.report for one in loop.events if isinstance(one, PlacementReconciled)]
    assert not any(one.drifted for one in reports)
    assert {target: one["byHand"] for target, one in (await placements(loop)).items()} == {
        target: one["byHand"] for target, one in told.items()
    }


async def test_a_state_in_git_is_applied_by_hand_while_it_is_suspended(
    loop: Loop, person: Person, fake_cloud: FakeCloud, tmp_path: Path
) -> None:
    keys = Keys()
    keys.write(tmp_path / "credentials")
    kept = {"credentials": "states", "recipients": list(keys.recipients)}
    targets = {"cloud": {"terraform": {"stateInGit": kept, "interval": "1h"}}}
    entry = {"targets": ["cloud"], "path": "deploy/infra"}
    commit = await loop.host.create("shop", files(fake_cloud))
    await loop.platform({"shop": entry}, spec={"targets": targets})
    assert "converge suspend dev/shop" in await person.is_refused(*WHY, "--yes")
    await loop.platform({"shop": entry}, spec={"targets": targets, "suspend": True})
    done = await person.types(*WHY, "--yes", "--despite", "suspension")
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    state = keys.recover(await loop.host.read("platform", "states/dev/shop/cloud.age", branch=BRANCH))
    assert [one["name"] for one in state["resources"]] == ["web"]
    await loop.platform({"shop": entry}, spec={"targets": targets})
    async with loop.start() as controller:
        await loop.synced("shop", commit=commit)
        await controller.settled()
    sealed = await loop.host.read("platform", "states/dev/shop/cloud.age", branch=BRANCH)
    assert keys.recover(sealed)["serial"] == state["serial"]
