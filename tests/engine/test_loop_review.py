"""The merge as the approval, through the whole loop: what was planned for a branch is applied when it is merged."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from controller.engine import DriftFound, RecordsPushed
from controller.model import SyncStatus
from tests.cluster.api import Api
from tests.engine.operations.conftest import Person, person  # noqa: F401  # a fixture
from tests.fixtures.loop import Loop, config_map

pytestmark = pytest.mark.slow


SYNC = {"pending": "approve", "approvals": {"byReview": True}}
REVIEW = {"review": {"branches": ["review/*"]}}


def keep_plan_key(loop: Loop) -> None:
    """Let plans have the same hash whoever makes them."""
    keys = loop.directory / "credentials" / "plan-keys"
    keys.mkdir(parents=True, exist_ok=True)
    (keys / "dev").write_bytes(b"k" * 32)


async def begin(loop: Loop, **sync: str) -> None:
    keep_plan_key(loop)
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1"), "deploy/c.yaml": config_map("c", z="1")})
    await loop.platform({"shop": {}}, sync={**SYNC, **sync}, platform=REVIEW)


async def approve_the_first(loop: Loop) -> None:
    waiting = await loop.report("shop", SyncStatus.AWAITING_APPROVAL)
    plan = next(word for word in waiting.reason.split() if word.startswith("sha256:"))
    await loop.host.commit("platform", {"approvals/dev/shop.yaml": f"plans: ['{plan}']\n".encode()})
    await loop.synced("shop")


async def propose(loop: Loop, files: dict[str, bytes], branch: str = "review/next") -> None:
    """Push a branch for review, and wait until its plan is recorded."""
    mark = loop.mark()
    head = await loop.host.head("shop")
    assert head is not None
    await loop.host.move_branch("shop", branch, head)
    tip = await loop.host.commit("shop", files, branch=branch, message="Next")
    while tip not in await reviewed(loop):
        await loop.until(RecordsPushed, since=mark)
        mark = loop.mark()


async def reviewed(loop: Loop) -> set[str]:
    """Give the commits of branches whose plan of the shop is recorded."""
    names = await loop.host.names("platform", branch="converge-status")
    told = [
        yaml.safe_load(await loop.host.show("platform", one, branch="converge-status"))
        for one in names
        if one.startswith("reviews/shop/")
    ]
    return {one["commit"] for one in told if [plan["placement"] for plan in one["plans"]]}


async def data(live: Api) -> Any:
    return (await live.get("v1", "ConfigMap", "a"))["data"]


async def test_a_merge_that_leads_to_the_plan_that_was_recorded_needs_no_other_yes(
    loop: Loop,
    live: Api,
    person: Person,  # noqa: F811
) -> None:
    await begin(loop)
    async with loop.start() as controller:
        await approve_the_first(loop)
        files = {"deploy/a.yaml": config_map("a", x="2")}
        await propose(loop, files)
        assert await data(live) == {"x": "1"}
        merged = await loop.host.commit("shop", files, message="Merge the review")  # as a squash does: another commit
        await loop.synced("shop", commit=merged)
        await controller.settled()
    assert await data(live) == {"x": "2"}
    proofs = await person.reads("verify", "dev/shop")
    assert [(one["verdict"], one["reasons"]) for one in proofs] == [("proven", [])] * len(proofs)


async def test_a_merge_that_leads_to_another_plan_waits_for_a_yes_of_its_own(loop: Loop, live: Api) -> None:
    await begin(loop)
    async with loop.start():
        await approve_the_first(loop)
        files = {"deploy/a.yaml": config_map("a", x="2")}
        await propose(loop, files)
        await loop.host.delete_branch("shop", "review/next")
        more = {**files, "deploy/b.yaml": config_map("b", y="1")}
        mark = loop.mark()
        await loop.host.commit("shop", more, message="Merge something else")
        await loop.report("shop", SyncStatus.AWAITING_APPROVAL, since=mark)
    assert await data(live) == {"x": "1"}


async def test_a_merge_after_which_the_live_world_moved_asks_again_and_names_the_review(loop: Loop, live: Api) -> None:
    await begin(loop, drift="report")
    async with loop.start():
        await approve_the_first(loop)
        files = {"deploy/a.yaml": config_map("a", x="2")}
        await propose(loop, files)
        mark = loop.mark()
        body = await live.get("v1", "ConfigMap", "c")
        await live.patch(body, {"data": {"z": "9"}}, fieldManager="kubectl-edit")
        await loop.until(DriftFound, since=mark)
        mark = loop.mark()
        await loop.host.commit("shop", files, message="Merge the review")
        waiting = await loop.report("shop", SyncStatus.AWAITING_APPROVAL, since=mark)
        assert "reviewed was another plan, review/next (sha256:" in waiting.reason
        (changed,) = [one for one in waiting.objects if one.drift]
        assert [(one.path, one.before) for one in changed.drift] == [(("data", "z"), "9")]
    assert await data(live) == {"x": "1"}
