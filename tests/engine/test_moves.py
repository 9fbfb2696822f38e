"""An object that moves between applications is adopted before it is pruned; one that is being deleted is not Synced."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from controller.engine.claims import Claims
from controller.model import Health, ObjectKey, Stalled, SyncStatus
from tests.cluster.api import Api
from tests.engine.make import desired, manifest, placement
from tests.fixtures.loop import Loop, config_map

pytestmark = pytest.mark.slow

SHOP, OTHER = placement("shop"), placement("other")


def test_what_a_suitor_waits_for_moves_and_wakes_him() -> None:
    woken = []
    claims = Claims(woken.append)
    claims.expect([SHOP, OTHER])
    claims.claim(desired(manifest("web"), ref=SHOP))
    with pytest.raises(Stalled):
        claims.claim(desired(manifest("web"), ref=OTHER))
    assert woken == []
    claims.claim(desired(ref=SHOP))
    assert woken == [OTHER]
    key = manifest("web").key
    assert claims.neighbours(SHOP, [key]).moving == {key}
    assert claims.neighbours(OTHER, []).unknown == {OTHER}
    claims.claim(desired(manifest("web"), ref=OTHER))
    assert claims.neighbours(SHOP, [key, ObjectKey("", "Secret", "shop", "x")]).moving == {key}
    assert claims.neighbours(OTHER, []).unknown == frozenset()


async def test_whoever_deletes_waits_for_all_that_a_commit_moved_with_him() -> None:
    claims = Claims()
    claims.expect([SHOP, OTHER, placement("elsewhere", target="sh")])
    waiting = asyncio.create_task(claims.others_decided(SHOP))
    await asyncio.sleep(0)
    assert not waiting.done()
    claims.claim(desired(manifest("web"), ref=OTHER))
    await waiting


def test_a_suit_ends_with_who_made_it() -> None:
    claims = Claims()
    claims.claim(desired(manifest("web"), ref=SHOP))
    with contextlib.suppress(Stalled):
        claims.claim(desired(manifest("web"), ref=OTHER))
    claims.release(OTHER)
    assert claims.neighbours(SHOP, [manifest("web").key]).moving == frozenset()


async def uid(live: Api, name: str) -> str:
    return str((await live.get("v1", "ConfigMap", name))["metadata"]["uid"])


async def never_gone(live: Api, name: str, version: str) -> None:
    """Watch an object, and fail when it is deleted."""
    query = {"fieldSelector": f"metadata.name={name}", "resourceVersion": version}
    async with live.watch("v1", "ConfigMap", **query) as events:
        async for event in events:
            assert event["type"] != "DELETED"


ONE_REPOSITORY: dict[str, dict[str, Any]] = {
    "one": {"repository": "shop", "path": "one"},
    "two": {"repository": "shop", "path": "two"},
}


@pytest.mark.parametrize(("giver", "taker"), [("one", "two"), ("two", "one")])
async def test_an_object_that_moves_in_one_commit_is_never_deleted(
    loop: Loop, live: Api, giver: str, taker: str
) -> None:
    files = {f"{giver}/a.yaml": config_map("a", x="1"), f"{giver}/b.yaml": config_map("b", x="1")}
    await loop.host.create("shop", {**files, f"{taker}/c.yaml": config_map("c", x="1")})
    await loop.platform(ONE_REPOSITORY)
    async with loop.start():
        await loop.synced("one")
        await loop.synced("two")
        before, mark = await live.get("v1", "ConfigMap", "a"), loop.mark()
        watching = asyncio.create_task(never_gone(live, "a", before["metadata"]["resourceVersion"]))
        moved = {f"{giver}/a.yaml": None, f"{taker}/a.yaml": config_map("a", x="2")}
        commit = await loop.host.commit("shop", moved)
        await loop.synced(taker, commit=commit, since=mark)
        await live.until("v1", "ConfigMap", "a", lambda one: one and one["data"] == {"x": "2"})
        await loop.synced(giver, commit=commit, since=mark)
        assert not watching.done()
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        after = await live.get("v1", "ConfigMap", "a")
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert f"dev/{taker}@home" in after["metadata"]["annotations"]["converge/owner"]


async def test_an_object_of_an_application_that_leaves_git_moves_to_the_one_that_names_it(
    loop: Loop, live: Api
) -> None:
    await loop.host.create("shop", {"one/a.yaml": config_map("a", x="1"), "two/b.yaml": config_map("b", x="1")})
    await loop.platform(ONE_REPOSITORY)
    async with loop.start():
        await loop.synced("one")
        await loop.synced("two")
        before, mark = await uid(live, "a"), loop.mark()
        await loop.host.commit("shop", {"two/a.yaml": config_map("a", x="1")})
        await loop.report("two", SyncStatus.FAILED, since=mark)
        mark = loop.mark()
        await loop.platform({"two": ONE_REPOSITORY["two"]})
        await loop.synced("two", since=mark)
        await live.until(
            "v1",
            "ConfigMap",
            "a",
            lambda one: one and "dev/two@home" in one["metadata"]["annotations"]["converge/owner"],
        )
        assert await uid(live, "a") == before


async def test_what_is_being_deleted_is_told_and_not_called_synced(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}})
    async with loop.start():
        await loop.synced("shop")
        body = await live.get("v1", "ConfigMap", "a")
        mark = loop.mark()
        await live.patch(body, {"metadata": {"finalizers": ["example.com/stuck"]}})
        await live.delete(body)
        report = await loop.report("shop", SyncStatus.DRIFTED, since=mark)
        assert report.health is Health.TERMINATING
        assert "example.com/stuck" in report.objects[0].health_reason
        mark = loop.mark()
        await live.patch(body, {"metadata": {"finalizers": None}})
        await loop.synced("shop", since=mark)
        assert await uid(live, "a") != body["metadata"]["uid"]
