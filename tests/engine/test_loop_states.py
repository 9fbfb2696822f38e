"""States in git under the whole controller: the records remember which state there was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from controller.model import SyncStatus
from controller.sandbox import GitHost
from tests.fixtures.loop import Loop
from tests.fixtures.states import BRANCH, RECORDS, Keys
from tests.fixtures.terraform import FakeCloud

pytestmark = [pytest.mark.terraform, pytest.mark.slow, pytest.mark.timeout(400)]

RECORD = "cmdb/dev/shop/cloud/_cluster/Workspace.terraform/shop.yaml"


def files(fake: FakeCloud, body: str) -> dict[str, bytes]:
    return {"infra/main.tf": fake.module(f'resource "fake_thing" "web" {{\n  name = "web"\n  body = "{body}"\n}}\n')}


async def test_a_state_older_than_the_recorded_one_is_refused_also_by_a_controller_that_saw_none(
    git_host: GitHost, fake_cloud: FakeCloud, tmp_path: Path
) -> None:
    loop, keys = Loop(git_host, tmp_path, "default"), Keys()
    keys.write(tmp_path / "credentials")
    kept = {"credentials": "states", "recipients": list(keys.recipients)}
    await loop.host.create("shop", files(fake_cloud, "one"))
    entry = {"targets": ["cloud"], "path": "infra"}
    target = {"terraform": {"stateInGit": kept, "interval": "1h"}}
    await loop.platform({"shop": entry}, spec={"targets": {"cloud": target}})
    async with loop.start() as controller:
        await loop.synced("shop")
        older = await loop.host.head("platform", BRANCH)
        change = await loop.host.commit("shop", files(fake_cloud, "two"))
        await loop.synced("shop", commit=change)
        await controller.settled()
    record = yaml.safe_load(await loop.host.show("platform", RECORD, branch=RECORDS))
    state = keys.recover(await loop.host.read("platform", "states/dev/shop/cloud.age", branch=BRANCH))
    assert (record["attributes"]["lineage"], record["attributes"]["serial"]) == (state["lineage"], state["serial"])
    assert older is not None
    await loop.host.move_branch("platform", BRANCH, older)
    shutil.rmtree(tmp_path / "cache")
    mark = loop.mark()
    async with loop.start():
        failed = await loop.report("shop", SyncStatus.FAILED, since=mark)
    assert "was recorded before" in failed.reason
