"""From a merged commit to a cloud and back to records: a real terraform, real git, the whole controller."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.engine import DriftFound, RecordsPushed
from controller.model import Cause, SyncStatus
from controller.sandbox import GitHost
from tests.engine.test_loop_review import REVIEW, SYNC, approve_the_first, keep_plan_key, propose
from tests.fixtures.loop import Loop, dump
from tests.fixtures.state_server import state_server
from tests.fixtures.terraform import FakeCloud
from tests.fixtures.tofu import both_tools
from tests.fixtures.waiting import eventually

pytestmark = [pytest.mark.terraform, pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def loop(git_host: GitHost, tmp_path: Path) -> Loop:
    """Give a git host and no cluster: the cloud is the only target."""
    return Loop(git_host, tmp_path, "default")


THING = 'resource "fake_thing" "{name}" {{\n  name = "{name}"\n  body = "{body}"\n}}\n'
SECONDS = 2


def module(fake: FakeCloud, **bodies: str) -> bytes:
    return fake.module("".join(THING.format(name=name, body=body) for name, body in bodies.items()))


async def platform(
    loop: Loop, fake: FakeCloud, *, files: Mapping[str, bytes | None] | None = None, **said: Any
) -> None:
    """Commit a platform whose one target is a cloud, with one application on it."""
    asked = {**fake.asked, **said.pop("terraform", {})}
    target = {"terraform": {"backend": fake.backend, "interval": f"{SECONDS}s", **asked}}
    entry = {"targets": ["cloud"], "path": "infra", **said.pop("entry", {})}
    applications = {} if said.pop("is_gone", False) else {"shop": entry}
    await loop.platform(
        applications, sync=said.pop("sync", None), files=files, spec={"targets": {"cloud": target}}, **said
    )


def body(fake: FakeCloud, name: str) -> str | None:
    thing = fake.get(name)
    return thing["body"] if thing else None


async def recorded(loop: Loop) -> Any:
    return yaml.safe_load(await loop.host.show("platform", "status/dev/shop.yaml", branch="converge-status"))


def approval(plan: str) -> bytes:
    return dump({"plans": [{"plan": plan}]})


def plan_in(reason: str) -> str:
    return next(word for word in reason.replace(",", " ").replace(";", " ").split() if word.startswith("sha256:"))


async def test_a_commit_is_planned_applied_and_recorded(loop: Loop, fake_cloud: FakeCloud) -> None:
    commit = await loop.host.create("shop", {"infra/main.tf": module(fake_cloud, web="one")})
    await platform(loop, fake_cloud)
    async with loop.start() as controller:
        await loop.synced("shop", commit=commit)
        assert body(fake_cloud, "web") == "one"
        change = await loop.host.commit("shop", {"infra/main.tf": module(fake_cloud, web="two")})
        await loop.synced("shop", commit=change)
        assert body(fake_cloud, "web") == "two"
        await controller.settled()
    (placement,) = (await recorded(loop))["placements"]
    assert placement["applied"]["application"] == change
    assert {one["name"] for one in placement["objects"]} == {"shop", "fake_thing.web"}
    names = await loop.host.names("platform", branch="converge-status")
    record = next(one for one in names if one.startswith("cmdb/dev/shop/cloud/") and "fake_thing" in one)
    instance = yaml.safe_load(await loop.host.show("platform", record, branch="converge-status"))
    assert instance["attributes"]["id"] == "id-web"
    assert {"type": "partOf", "target": "dev/shop/cloud/_cluster/Workspace.terraform/shop"} in instance["relations"]


async def test_a_hand_edit_is_named_and_taken_back_within_its_interval(loop: Loop, fake_cloud: FakeCloud) -> None:
    await loop.host.create("shop", {"infra/main.tf": module(fake_cloud, web="one")})
    await platform(loop, fake_cloud)
    async with loop.start():
        await loop.synced("shop")
        mark = loop.mark()
        fake_cloud.edit("web", body="by hand")
        drift = await loop.until(DriftFound, since=mark)
        assert [(one.path, one.before, one.after, one.cause) for one in drift.changes] == [
            (("body",), "by hand", "one", Cause.DRIFT)
        ]
        await eventually(lambda: body(fake_cloud, "web") == "one", deadline_seconds=60)


@both_tools
async def test_drift_is_taken_back_while_a_change_waits_for_its_approval(loop: Loop, fake_cloud: FakeCloud) -> None:
    await loop.host.create("shop", {"infra/main.tf": module(fake_cloud, web="one", db="one")})
    await platform(loop, fake_cloud)
    async with loop.start():
        await loop.synced("shop")
        await platform(loop, fake_cloud, sync={"pending": "approve"})
        mark = loop.mark()
        change = await loop.host.commit("shop", {"infra/main.tf": module(fake_cloud, web="one", db="two")})
        waiting = await loop.report("shop", SyncStatus.AWAITING_APPROVAL, since=mark)
        fake_cloud.edit("web", body="by hand")
        mark = loop.mark()
        await loop.until(DriftFound, since=mark)
        await eventually(lambda: body(fake_cloud, "web") == "one", deadline_seconds=60)
        assert body(fake_cloud, "db") == "one"
        await platform(
            loop,
            fake_cloud,
            sync={"pending": "approve"},
            files={"approvals/dev/shop.yaml": approval(plan_in(waiting.reason))},
        )
        await loop.synced("shop", commit=change)
        assert body(fake_cloud, "db") == "two"


async def test_an_approval_of_another_plan_applies_nothing(loop: Loop, fake_cloud: FakeCloud) -> None:
    await loop.host.create("shop", {"infra/main.tf": module(fake_cloud, web="one")})
    await platform(loop, fake_cloud, sync={"pending": "approve"})
    async with loop.start():
        first = await loop.report("shop", SyncStatus.AWAITING_APPROVAL)
        mark = loop.mark()
        change = await loop.host.commit("shop", {"infra/main.tf": module(fake_cloud, web="two")})
        await loop.until(RecordsPushed, since=mark)
        second = await loop.report("shop", SyncStatus.AWAITING_APPROVAL, since=mark)
        assert plan_in(first.reason) != plan_in(second.reason)
        mark = loop.mark()
        stale = {"approvals/dev/shop.yaml": approval(plan_in(first.reason))}
        await platform(loop, fake_cloud, sync={"pending": "approve"}, files=stale)
        await loop.report("shop", SyncStatus.AWAITING_APPROVAL, since=mark)
        assert fake_cloud.get("web") is None
        right = {"approvals/dev/shop.yaml": approval(plan_in(second.reason))}
        await platform(loop, fake_cloud, sync={"pending": "approve"}, files=right)
        await loop.synced("shop", commit=change)
        assert body(fake_cloud, "web") == "two"


async def test_a_merge_applies_the_plan_that_was_reviewed_and_asks_again_when_the_cloud_moved(
    loop: Loop, fake_cloud: FakeCloud
) -> None:
    keep_plan_key(loop)
    await loop.host.create("shop", {"infra/main.tf": module(fake_cloud, web="one")})
    await platform(loop, fake_cloud, sync={**SYNC, "drift": "report"}, platform=REVIEW)
    async with loop.start():
        await approve_the_first(loop)
        files = {"infra/main.tf": module(fake_cloud, web="two")}
        await propose(loop, files)
        assert body(fake_cloud, "web") == "one"
        await loop.synced("shop", commit=await loop.host.commit("shop", files, message="Merge the review"))
        assert body(fake_cloud, "web") == "two"
        files = {"infra/main.tf": module(fake_cloud, web="two", db="one")}
        await propose(loop, files, branch="review/more")
        fake_cloud.edit("web", body="by hand")
        mark = loop.mark()
        await loop.host.commit("shop", files, message="Merge the second review")
        waiting = await loop.report("shop", SyncStatus.AWAITING_APPROVAL, since=mark)
        assert "review/more (sha256:" in waiting.reason
        assert (body(fake_cloud, "web"), body(fake_cloud, "db")) == ("by hand", None)


async def test_a_branch_that_could_not_be_planned_is_planned_when_its_states_are_back(
    loop: Loop, fake_cloud: FakeCloud
) -> None:
    keep_plan_key(loop)
    await loop.host.create("shop", {"infra/main.tf": module(fake_cloud, web="one")})
    async with state_server() as states:
        backend = {"type": states.backend.type, "config": dict(states.backend.config)}
        said = {"sync": SYNC, "platform": REVIEW, "terraform": {"backend": backend}}
        await platform(loop, fake_cloud, **said)
        async with loop.start():
            await approve_the_first(loop)
            states.is_away = True
            mark = loop.mark()
            async with asyncio.TaskGroup() as tasks:
                files = {"infra/main.tf": module(fake_cloud, web="two")}
                proposed = tasks.create_task(propose(loop, files))
                while not await problems(loop):
                    await loop.until(RecordsPushed, since=mark)
                    mark = loop.mark()
                states.is_away = False
                await proposed
            assert not await problems(loop)


async def problems(loop: Loop) -> list[str]:
    """Give why branches of the shop could not be planned, as the records tell it."""
    names = await loop.host.names("platform", branch="converge-status")
    told = [
        yaml.safe_load(await loop.host.show("platform", one, branch="converge-status"))
        for one in names
        if one.startswith("reviews/shop/")
    ]
    return [problem["what"] for one in told for problem in one.get("problems", ())]


async def test_what_destroys_waits_for_its_own_approval(loop: Loop, fake_cloud: FakeCloud) -> None:
    await loop.host.create("shop", {"infra/main.tf": module(fake_cloud, web="one", db="one")})
    await platform(loop, fake_cloud)
    async with loop.start():
        await loop.synced("shop")
        mark = loop.mark()
        change = await loop.host.commit("shop", {"infra/main.tf": module(fake_cloud, web="one")})
        waiting = await loop.report("shop", SyncStatus.AWAITING_APPROVAL, since=mark)
        assert "fake_thing.db is destroyed" in waiting.reason
        assert body(fake_cloud, "db") == "one"
        yes = {"approvals/dev/shop.yaml": approval(plan_in(waiting.reason))}
        await platform(loop, fake_cloud, files=yes)
        await loop.synced("shop", commit=change)
        assert fake_cloud.get("db") is None


async def test_an_application_that_leaves_git_is_destroyed_with_an_approval(loop: Loop, fake_cloud: FakeCloud) -> None:
    await loop.host.create("shop", {"infra/main.tf": module(fake_cloud, web="one")})
    await platform(loop, fake_cloud)
    async with loop.start():
        await loop.synced("shop")
        mark = loop.mark()
        await platform(loop, fake_cloud, is_gone=True)
        waiting = await loop.report("shop", SyncStatus.AWAITING_APPROVAL, since=mark)
        assert body(fake_cloud, "web") == "one"
        mark = loop.mark()
        yes = {"approvals/dev/shop.yaml": approval(plan_in(waiting.reason))}
        await platform(loop, fake_cloud, is_gone=True, files=yes)
        await eventually(lambda: fake_cloud.get("web") is None, deadline_seconds=60)
        retired = await loop.report("shop", SyncStatus.SYNCED, since=mark)
        assert retired.retired


async def test_state_absent_destroys_what_a_deleted_folder_had(loop: Loop, fake_cloud: FakeCloud) -> None:
    await loop.host.create("shop", {"infra/main.tf": module(fake_cloud, web="one"), "README.md": b"shop\n"})
    await platform(loop, fake_cloud)
    async with loop.start():
        await loop.synced("shop")
        mark = loop.mark()
        await loop.host.commit("shop", {"infra/main.tf": None})
        await loop.report("shop", SyncStatus.FAILED, since=mark)
        assert body(fake_cloud, "web") == "one"
        await platform(loop, fake_cloud, entry={"state": "absent"})
        await eventually(lambda: fake_cloud.get("web") is None, deadline_seconds=60)


async def test_a_broken_module_says_where_and_harms_nobody(loop: Loop, fake_cloud: FakeCloud) -> None:
    await loop.host.create("shop", {"infra/main.tf": module(fake_cloud, web="one")})
    await platform(loop, fake_cloud)
    async with loop.start():
        await loop.synced("shop")
        mark = loop.mark()
        wrong = module(fake_cloud, web="one") + b'output "x" {\n  value = fake_thing.nobody.id\n}\n'
        await loop.host.commit("shop", {"infra/main.tf": wrong})
        failed = await loop.report("shop", SyncStatus.FAILED, since=mark)
        assert "infra/main.tf:14" in failed.reason
    assert body(fake_cloud, "web") == "one"


async def test_after_a_restart_nothing_is_applied_again(loop: Loop, fake_cloud: FakeCloud) -> None:
    commit = await loop.host.create("shop", {"infra/main.tf": module(fake_cloud, web="one")})
    await platform(loop, fake_cloud)
    async with loop.start():
        await loop.synced("shop", commit=commit)
    state = (fake_cloud.states / "dev-shop.tfstate").read_bytes()
    mark = loop.mark()
    async with loop.start():
        await loop.synced("shop", commit=commit, since=mark)
    assert (fake_cloud.states / "dev-shop.tfstate").read_bytes() == state


async def test_an_application_that_left_git_while_nobody_looked_is_found_by_its_record(
    loop: Loop, fake_cloud: FakeCloud
) -> None:
    await loop.host.create("shop", {"infra/main.tf": module(fake_cloud, web="one")})
    await platform(loop, fake_cloud)
    async with loop.start() as controller:
        await loop.synced("shop")
        await controller.settled()
    await platform(loop, fake_cloud, is_gone=True)
    mark = loop.mark()
    async with loop.start():
        waiting = await loop.report("shop", SyncStatus.AWAITING_APPROVAL, since=mark)
        assert body(fake_cloud, "web") == "one"
        yes = {"approvals/dev/shop.yaml": approval(plan_in(waiting.reason))}
        await platform(loop, fake_cloud, is_gone=True, files=yes)
        await eventually(lambda: fake_cloud.get("web") is None, deadline_seconds=60)
