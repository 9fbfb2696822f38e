"""The merge as the approval, through the whole loop: what was planned for a branch is applied when it is merged."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from controller.engine import RecordsPushed
from controller.model import SyncStatus
from tests.cluster.api import Api
from tests.fixtures.loop import Loop, config_map

pytestmark = pytest.mark.slow


async def begin(loop: Loop) -> None:
    keys = loop.directory / "credentials" / "plan-keys"
    keys.mkdir()
    (keys / "dev").write_bytes(b"k" * 32)
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    sync = {"pending": "approve", "approvals": {"byReview": True}}
    await loop.platform({"shop": {}}, sync=sync, platform={"review": {"branches": ["review/*"]}})


async def approve_the_first(loop: Loop) -> None:
    waiting = await loop.report("shop", SyncStatus.AWAITING_APPROVAL)
    plan = next(word for word in waiting.reason.split() if word.startswith("sha256:"))
    await loop.host.commit("platform", {"approvals/dev/shop.yaml": f"plans: ['{plan}']\n".encode()})
    await loop.synced("shop")


async def propose(loop: Loop, x: str) -> dict[str, bytes]:
    """Push a branch for review, and wait until its plan is recorded."""
    files = {"deploy/a.yaml": config_map("a", x=x)}
    head = await loop.host.head("shop")
    assert head is not None
    await loop.host.move_branch("shop", "review/next", head)
    tip = await loop.host.commit("shop", files, branch="review/next", message="Next")
    mark = 0
    while True:
        await loop.until(RecordsPushed, since=mark)
        mark = loop.mark()
        if "reviews/shop" in "\n".join(await loop.host.names("platform", branch="converge-status")):
            (path,) = [
                one for one in await loop.host.names("platform", branch="converge-status") if one.startswith("reviews/")
            ]
            told = yaml.safe_load(await loop.host.show("platform", path, branch="converge-status"))
            if told["commit"] == tip:
                assert [one["placement"] for one in told["plans"]] == ["dev/shop@home"]
                return files


async def data(live: Api) -> Any:
    return (await live.get("v1", "ConfigMap", "a"))["data"]


async def test_a_merge_that_leads_to_the_plan_that_was_recorded_needs_no_other_yes(loop: Loop, live: Api) -> None:
    await begin(loop)
    async with loop.start():
        await approve_the_first(loop)
        files = await propose(loop, "2")
        assert await data(live) == {"x": "1"}
        merged = await loop.host.commit("shop", files, message="Merge the review")  # as a squash does: another commit
        await loop.synced("shop", commit=merged)
    assert await data(live) == {"x": "2"}


async def test_a_merge_that_leads_to_another_plan_waits_for_a_yes_of_its_own(loop: Loop, live: Api) -> None:
    await begin(loop)
    async with loop.start():
        await approve_the_first(loop)
        files = await propose(loop, "2")
        await loop.host.delete_branch("shop", "review/next")
        more = {**files, "deploy/b.yaml": config_map("b", y="1")}
        mark = loop.mark()
        await loop.host.commit("shop", more, message="Merge something else")
        await loop.report("shop", SyncStatus.AWAITING_APPROVAL, since=mark)
    assert await data(live) == {"x": "1"}
