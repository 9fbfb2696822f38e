"""An OAM Application with a Terraform component: what that gives out reaches the components that take it in."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from controller.engine import PlacementReconciled
from controller.model import SyncStatus
from tests.cluster.api import Api
from tests.fixtures.canary import converge
from tests.fixtures.loop import Loop, dump
from tests.fixtures.terraform import FakeCloud

pytestmark = [pytest.mark.terraform, pytest.mark.slow, pytest.mark.timeout(400)]

SECRET = "s3cr3t-canary"
MODULE = """
variable "name" {}
variable "token" {
  sensitive = true
}
resource "fake_thing" "web" {
  name = var.name
  body = "one"
}
output "url" {
  value = fake_thing.web.url
}
output "token" {
  value     = var.token
  sensitive = true
}
"""
TAKEN = "output.status.apply.outputs.{}.value"


def web(*inputs: dict[str, Any], **said: Any) -> dict[str, Any]:
    properties = {"image": "registry.example.com/web:1", "env": [{"name": "URL"}]}
    return {"name": "web", "type": "webservice", "properties": properties, "inputs": list(inputs), **said}


def keys() -> dict[str, Any]:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}}
    return {
        "name": "keys",
        "type": "k8s-objects",
        "properties": {"objects": [body]},
        "inputs": [{"from": "token", "parameterKey": "objects[0].stringData.TOKEN"}],
    }


def application(fake: FakeCloud, *components: dict[str, Any], name: str = "web") -> bytes:
    thing = {
        "name": "thing",
        "type": "terraform",
        "properties": {
            "hcl": fake.module(MODULE).decode(),
            "variables": {"name": name},
            "writeConnectionSecretToRef": {"name": "thing-outputs"},
        },
        "outputs": [{"name": one, "valueFrom": TAKEN.format(one)} for one in ("url", "token")],
    }
    return dump(
        {
            "apiVersion": "core.oam.dev/v1beta1",
            "kind": "Application",
            "metadata": {"name": "shop"},
            "spec": {"components": [thing, *components]},
        }
    )


URL = {"from": "url", "parameterKey": "env[0].value"}


async def platform(loop: Loop, fake: FakeCloud, **said: Any) -> None:
    folder = loop.directory / "credentials" / "keys"
    folder.mkdir()
    (folder / "TF_VAR_token").write_text(SECRET)
    asked = {"backend": fake.backend, "interval": "5s", "destroy": "auto", "credentials": ["keys"], **fake.asked}
    targets = {"home": {"kubernetes": {}}, "cloud": {"terraform": asked}}
    await loop.platform({"shop": {}}, spec={"targets": targets}, **said)


def url_of(deployment: Any) -> str:
    (env,) = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    return str(env["value"])


def ended(target: str, *states: SyncStatus) -> Any:
    def holds(event: PlacementReconciled) -> bool:
        return event.report.placement.target == target and event.report.sync in states

    return holds


@pytest.mark.parametrize("place", ["sandbox"], indirect=True)
async def test_an_output_reaches_components_and_follows_when_it_moves(
    loop: Loop, live: Api, fake_cloud: FakeCloud
) -> None:
    files = {"deploy/app.yaml": application(fake_cloud, web(URL), keys())}
    await loop.host.create("shop", files)
    fail = fake_cloud.mark("web", "fail")
    await platform(loop, fake_cloud)
    told = await converge(loop, "plan", "dev/shop")
    assert "takes cloud.url, cloud.token" in told or "takes cloud.token, cloud.url" in told
    async with loop.start() as controller:
        waiting = (await loop.until(PlacementReconciled, ended("home", SyncStatus.PENDING))).report
        assert "waits for the output cloud." in waiting.reason
        fail.unlink()
        await loop.host.commit("shop", {"deploy/note.txt": b"again\n"})
        found = await live.until("apps/v1", "Deployment", "web", bool)
        assert url_of(found) == "https://web.example.com"
        for name, key in (("keys", "TOKEN"), ("thing-outputs", "token")):
            secret = await live.until("v1", "Secret", name, bool)
            assert base64.b64decode(secret["data"][key]).decode() == SECRET
        await loop.host.commit("shop", {"deploy/app.yaml": application(fake_cloud, web(URL), keys(), name="net")})
        await live.until("apps/v1", "Deployment", "web", lambda one: one and url_of(one) == "https://net.example.com")
        await controller.settled()
        assert "Nothing to do" in await converge(loop, "plan", "dev/shop")
    names = await loop.host.names("platform", branch="converge-status")
    texts = [await loop.host.show("platform", name, branch="converge-status") for name in names]
    encoded = base64.b64encode(SECRET.encode()).decode()
    assert not any(SECRET in text or encoded in text for text in texts)
    assert SECRET not in str(loop.events)


@pytest.mark.parametrize("place", ["sandbox"], indirect=True)
async def test_a_sensitive_output_that_leaves_secrets_is_refused(loop: Loop, fake_cloud: FakeCloud) -> None:
    token = {"from": "token", "parameterKey": "env[0].value"}
    await loop.host.create("shop", {"deploy/app.yaml": application(fake_cloud, web(token))})
    await platform(loop, fake_cloud)
    async with loop.start():
        failed = (await loop.until(PlacementReconciled, ended("home", SyncStatus.FAILED))).report
        assert "cloud.token is sensitive" in failed.reason
        assert "deploy/app.yaml" in failed.reason
        assert SECRET not in failed.reason
