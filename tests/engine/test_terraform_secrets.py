"""A value is planted in a cloud, and everything that Converge writes or says is searched for it (rule 9).

It goes in as a credential, stands in resources, their plans and the state, and comes out into a Secret: terraform knows
it everywhere. Providers quote it in their errors; a person edits the resource that holds it.
"""

from __future__ import annotations

import base64

import pytest

from controller.targets.terraform.surroundings import MEMORY, work_folder
from tests.cluster.api import Api
from tests.fixtures.canary import CANARY, converge, every_object, everything_kept, found_in
from tests.fixtures.loop import Loop, dump
from tests.fixtures.states import Keys
from tests.fixtures.terraform import FakeCloud

pytestmark = [pytest.mark.terraform, pytest.mark.slow, pytest.mark.timeout(500)]

MODULE = """
variable "token" {
  sensitive = true
}
resource "fake_thing" "web" {
  name  = "web"
  body  = var.token
  token = var.token
  tags  = { password = "x${var.token}y" }
}
output "token" {
  value     = fake_thing.web.token
  sensitive = true
}
"""
WRONG = """
resource "terraform_data" "parsed" {
  input = jsondecode(var.token)
}
resource "terraform_data" "checked" {
  lifecycle {
    precondition {
      condition     = var.token == ""
      error_message = "not ${nonsensitive(var.token)}, and not ${nonsensitive(jsonencode(var.token))}"
    }
  }
}
"""


@pytest.mark.parametrize("place", ["sandbox"], indirect=True)
async def test_what_terraform_knows_surfaces_nowhere(loop: Loop, live: Api, fake_cloud: FakeCloud) -> None:
    keys = Keys()
    keys.write(loop.directory / "credentials")
    folder = loop.directory / "credentials" / "keys"
    folder.mkdir()
    (folder / "TF_VAR_token").write_text(CANARY)
    kept = {"credentials": "states", "recipients": list(keys.recipients)}
    cloud = {"terraform": {"stateInGit": kept, "interval": "1h", "credentials": ["keys"]}}
    secret = dump({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "type": "Opaque"})
    module = fake_cloud.module(MODULE)
    await loop.host.create("shop", {"deploy/keys.yaml": secret, "deploy/infra/main.tf": module})
    takes = {"from": "cloud.token", "to": "Secret/keys", "field": "data.TOKEN"}
    targets = {"home": {"kubernetes": {}}, "cloud": cloud}
    await loop.platform({"shop": {"inputs": [takes]}}, spec={"targets": targets})

    fail = fake_cloud.mark("web", "fail")
    fail.write_text("quote")
    told = await converge(loop, "run", "--once", "--log-level", "debug", "--log-format", "json")
    assert "is not wanted, and neither is" in told
    fail.unlink()
    told += await converge(loop, "run", "--once", "--log-level", "debug", "--log-format", "console")
    stored = await live.get("v1", "Secret", "keys")
    assert base64.b64decode(stored["data"]["TOKEN"]).decode() == CANARY, told  # it did go all the way
    web = fake_cloud.get("web")
    assert web is not None
    assert web["tags"]["password"] == f"x{CANARY}y"

    fake_cloud.edit("web", body=f"{CANARY}, by hand", token=f"{CANARY}, too")
    for command in (["plan"], ["diff", "dev/shop"], ["status"], ["history", "dev/shop"]):
        told += await converge(loop, *command)
    told += await converge(loop, "query", "target=cloud", "-o", "yaml")
    await loop.host.commit("shop", {"deploy/infra/more.tf": WRONG.encode()})
    told += await converge(loop, "plan", "--output", "json")
    told += await converge(loop, "run", "--once", "--log-level", "debug")
    assert "more.tf" in told
    assert found_in(told) == []
    assert {"converge-status", "converge-state"} <= set(await loop.host.branches("platform"))
    for repository in ("platform", "shop"):
        assert found_in(await every_object(loop.host.path(repository))) == []
    assert found_in(everything_kept(loop.directory / "cache")) == []
    assert not work_folder(loop.directory / "cache" / "terraform", MEMORY).exists()
