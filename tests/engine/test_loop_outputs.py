"""One revision with a cloud and a cluster: what terraform gives out reaches the workload's configuration."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml

from controller.engine import PlacementReconciled
from controller.model import SyncStatus
from tests.cluster.api import Api
from tests.fixtures.canary import converge
from tests.fixtures.loop import Loop, config_map, dump
from tests.fixtures.terraform import FakeCloud
from tests.fixtures.tofu import both_tools
from tests.fixtures.waiting import eventually

pytestmark = [pytest.mark.terraform, pytest.mark.slow, pytest.mark.timeout(400)]

MODULE = """
resource "fake_thing" "web" {
  name = "NAME"
  body = "one"
}
variable "token" {
  sensitive = true
}
output "url" {
  value = fake_thing.web.url
}
output "token" {
  value     = var.token
  sensitive = true
}
"""
SECRET = dump({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "type": "Opaque"})


@pytest.fixture(autouse=True)
def _credentials(loop: Loop) -> None:
    folder = loop.directory / "credentials" / "keys"
    folder.mkdir()
    (folder / "TF_VAR_token").write_text("s3cr3t-canary\n")


async def platform(loop: Loop, fake: FakeCloud, *inputs: dict[str, str], **said: Any) -> None:
    asked = {"backend": fake.backend, "interval": "5s", "destroy": "auto", "credentials": ["keys"], **fake.asked}
    targets = {"home": {"kubernetes": {}}, "cloud": {"terraform": asked}}
    await loop.platform({"shop": {"inputs": list(inputs)}}, spec={"targets": targets}, **said)


URL = {"from": "cloud.url", "to": "ConfigMap/settings", "field": "data.URL"}
TOKEN = {"from": "cloud.token", "to": "Secret/keys", "field": "data.TOKEN"}


def files(fake: FakeCloud, name: str = "web") -> dict[str, bytes]:
    return {
        "deploy/settings.yaml": config_map("settings", x="1"),
        "deploy/keys.yaml": SECRET,
        "deploy/infra/main.tf": fake.module(MODULE.replace("NAME", name)),
    }


@both_tools
async def test_an_output_reaches_a_config_map_and_follows_when_it_moves(
    loop: Loop, live: Api, fake_cloud: FakeCloud
) -> None:
    await loop.host.create("shop", files(fake_cloud))
    await platform(loop, fake_cloud, URL, TOKEN)
    async with loop.start() as controller:
        found = await live.until("v1", "ConfigMap", "settings", bool)
        assert found is not None
        assert found["data"] == {"x": "1", "URL": "https://web.example.com"}
        secret = await live.until("v1", "Secret", "keys", bool)
        assert secret is not None
        assert base64.b64decode(secret["data"]["TOKEN"]) == b"s3cr3t-canary"
        await loop.host.commit("shop", files(fake_cloud, "net"))
        await live.until(
            "v1", "ConfigMap", "settings", lambda one: one and one["data"]["URL"] == "https://net.example.com"
        )
        await controller.settled()
    names = await loop.host.names("platform", branch="converge-status")
    texts = [await loop.host.show("platform", name, branch="converge-status") for name in names]
    encoded = base64.b64encode(b"s3cr3t-canary").decode()
    assert not any("s3cr3t-canary" in text or encoded in text for text in texts)


async def test_what_takes_an_output_waits_until_it_is_there(loop: Loop, live: Api, fake_cloud: FakeCloud) -> None:
    await loop.host.create("shop", files(fake_cloud))
    fail = fake_cloud.mark("web", "fail")
    await platform(loop, fake_cloud, URL)
    async with loop.start():
        waiting = await loop.report("shop", SyncStatus.PENDING)
        assert waiting.placement.target == "home"
        assert "waits for the output cloud.url" in waiting.reason
        fail.unlink()
        await loop.host.commit("shop", {"deploy/infra/other.tf": b"# again\n"})
        await live.until("v1", "ConfigMap", "settings", bool)


@pytest.mark.parametrize("place", ["sandbox"], indirect=True)
async def test_an_approval_is_of_values_that_were_shown(loop: Loop, live: Api, fake_cloud: FakeCloud) -> None:
    await loop.host.create("shop", files(fake_cloud))
    await platform(loop, fake_cloud, URL, sync={"pending": "approve"})
    key = loop.directory / "credentials" / "plan-keys" / "dev"
    key.parent.mkdir()
    key.write_text("a key of this test alone")
    approve = ("approve", "dev/shop", "--author", "Ann <ann@example.com>")
    told = await converge(loop, *approve)
    assert "takes cloud.url, which nobody gives out yet" in told
    assert len(await approved(loop)) == 1  # the cloud's: no value of the cluster's was shown
    async with loop.start():
        await eventually(lambda: fake_cloud.get("web") is not None, deadline_seconds=60)
        mark = loop.mark()
        waiting = await loop.until(PlacementReconciled, waits_at_home)
        assert "sha256:" in waiting.report.reason
        told = await converge(loop, *approve)
        assert "which nobody gives out yet" not in told
        await loop.until(PlacementReconciled, is_synced_at_home, since=mark)
    assert (await live.get("v1", "ConfigMap", "settings"))["data"]["URL"] == "https://web.example.com"
    assert "Nothing to do" in await converge(loop, "plan", "dev/shop")


async def approved(loop: Loop) -> list[str]:
    return list(yaml.safe_load(await loop.host.show("platform", "approvals/dev/shop.yaml"))["plans"])


def waits_at_home(event: PlacementReconciled) -> bool:
    report = event.report
    return report.placement.target == "home" and report.sync is SyncStatus.AWAITING_APPROVAL


def is_synced_at_home(event: PlacementReconciled) -> bool:
    return event.report.placement.target == "home" and event.report.sync is SyncStatus.SYNCED


async def test_a_sensitive_output_goes_into_a_secret_alone(loop: Loop, fake_cloud: FakeCloud) -> None:
    await loop.host.create("shop", files(fake_cloud))
    await platform(loop, fake_cloud, {**TOKEN, "to": "ConfigMap/settings"})
    async with loop.start():
        failed = await loop.report("shop", SyncStatus.FAILED)
        assert "cloud.token is sensitive" in failed.reason
        assert "environments/dev.yaml" in failed.reason
