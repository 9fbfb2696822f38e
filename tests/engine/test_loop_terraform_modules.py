"""Modules of another repository of the platform, from a commit there to the cloud, by the mirror alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controller.engine import Folders, Heads, PlacementReconciled, PlatformAccepted, Workshop
from controller.git import Mirrors
from controller.model import Result, SyncStatus
from controller.render import ModuleFolder, ModuleHead
from controller.runtime import CredentialStore, SystemClock
from controller.sandbox import GitHost
from tests.fixtures.loop import Loop
from tests.fixtures.terraform import FakeCloud
from tests.fixtures.tofu import both_tools

pytestmark = [pytest.mark.terraform, pytest.mark.slow, pytest.mark.timeout(400)]

THING = """terraform {
  required_providers {
    fake = { source = "tf.test/t/fake" }
  }
}
resource "fake_thing" "web" {
  name = "web"
  body = "BODY"
}
"""


@pytest.fixture
def loop(git_host: GitHost, tmp_path: Path) -> Loop:
    mirrors = Mirrors(tmp_path / "mirrors", CredentialStore(tmp_path / "credentials"))
    heads = Heads(mirrors, SystemClock(), seconds=0.2)
    return Loop(git_host, tmp_path, "default", workshop=Workshop({ModuleHead: heads, ModuleFolder: Folders(mirrors)}))


def lent(body: str) -> dict[str, bytes]:
    return {
        "web/main.tf": b'module "thing" {\n  source = "../thing"\n}\n',
        "thing/main.tf": THING.replace("BODY", body).encode(),
    }


async def platform(loop: Loop, fake: FakeCloud, *modules: str) -> None:
    entry = {"targets": ["cloud"], "path": "infra"}
    target: dict[str, Any] = {"terraform": {"backend": fake.backend, "interval": "1h", **fake.asked}}
    commit = await loop.platform(
        {"shop": entry},
        spec={"targets": {"cloud": target}},
        repositories={"shop": {"may": {"modules": list(modules), "kinds": ["terraform/*"]}}},
        more={"modules": {"url": loop.host.url("modules")}},
    )
    if any(isinstance(one, PlatformAccepted) for one in loop.events):
        await loop.until(PlatformAccepted, lambda event: event.commit == commit)


@both_tools
async def test_a_module_of_another_repository_follows_its_branch_where_the_platform_allows_it(
    loop: Loop, fake_cloud: FakeCloud
) -> None:
    await loop.host.create("modules", lent("one"))
    source = f"git::{loop.host.url('modules')}//web?ref=main"
    call = f'module "web" {{\n  source = "{source}"\n}}\n'
    await loop.host.create("shop", {"infra/main.tf": fake_cloud.module(call)})
    await platform(loop, fake_cloud)
    async with loop.start():
        refused = await loop.report("shop", SyncStatus.FAILED)
        line = fake_cloud.head.count("\n") + 2
        assert f"infra/main.tf:{line}: " in refused.reason
        assert source in refused.reason
        mark = loop.mark()
        await platform(loop, fake_cloud, "git::http*")
        await loop.synced("shop", since=mark)
        assert (fake_cloud.get("web") or {})["body"] == "one"
        mark = loop.mark()
        await loop.host.commit("modules", {"notes.txt": b"of no module\n"})
        await loop.host.commit("modules", lent("two"))
        moved = await loop.until(PlacementReconciled, has_changed_the_thing, since=mark)
        assert moved.report.sync is SyncStatus.SYNCED
        assert (fake_cloud.get("web") or {})["body"] == "two"


def has_changed_the_thing(event: PlacementReconciled) -> bool:
    """Tell a run that changed it from one that looked again, as after the commit that touches no module."""
    name = "module.web.module.thing.fake_thing.web"
    return any(one.result is Result.CONFIGURED for one in event.report.objects if one.key.name == name)
