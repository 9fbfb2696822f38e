"""What single objects ask for, through the whole loop: to be shared, to leave fields to others, to stay for a while."""

from __future__ import annotations

from typing import Any

import pytest

from controller.engine import PlacementReconciled
from controller.model import SyncStatus
from tests.cluster.api import Api
from tests.fixtures.loop import Loop, dump

pytestmark = pytest.mark.slow


def settings(name: str, *, x: str = "1", **asked: str) -> bytes:
    annotations = {f"converge/{key}": value for key, value in asked.items()}
    metadata = {"name": name, "annotations": annotations}
    return dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"x": x, "w": "1"}})


async def names(live: Api) -> set[str]:
    return {one["metadata"]["name"] for one in (await live.list("v1", "ConfigMap"))["items"]}


async def test_a_shared_object_is_written_by_one_and_taken_away_with_the_last(loop: Loop, live: Api) -> None:
    common = {"deploy/common.yaml": settings("common", share="true")}
    for name in ("shop", "other"):
        await loop.host.create(name, {**common, "deploy/own.yaml": settings(name)})
    await loop.platform({"shop": {}, "other": {}})
    async with loop.start() as controller:
        await controller.settled()
        assert {one.sync for one in controller.board.all()} == {SyncStatus.SYNCED}
        for name, left in (("shop", True), ("other", False)):
            mark = loop.mark()
            commit = await loop.host.commit(name, {"deploy/common.yaml": None}, message="Drop it")
            controller.poke()
            await loop.synced(name, commit=commit, since=mark)
            await controller.settled()
            assert ("common" in await names(live)) is left
        assert {one.sync for one in controller.board.all()} == {SyncStatus.SYNCED}


async def test_fields_that_somebody_holds_are_left_to_him_where_an_object_says_so(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": settings("a", ignore="*")})
    await loop.platform({"shop": {}})
    async with loop.start() as controller:
        await loop.synced("shop")
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
        await live.patch(body, {"data": {"x": "by hand"}}, fieldManager="kubectl-edit")
        mark = loop.mark()
        commit = await loop.host.commit("shop", {"deploy/a.yaml": settings("a", x="2", ignore="*") + b"  z: new\n"})
        controller.poke()
        await loop.synced("shop", commit=commit, since=mark)
        await controller.settled()
        assert (await live.get("v1", "ConfigMap", "a"))["data"] == {"x": "by hand", "w": "1", "z": "new"}


async def test_an_object_may_stay_until_its_whole_application_goes(loop: Loop, live: Api) -> None:
    files = {"deploy/a.yaml": settings("a", prune="withApplication"), "deploy/b.yaml": settings("b")}
    await loop.host.create("shop", files)
    await loop.platform({"shop": {}})
    async with loop.start() as controller:
        await loop.synced("shop")
        mark = loop.mark()
        commit = await loop.host.commit("shop", {"deploy/a.yaml": None}, message="Drop it")
        controller.poke()
        await loop.synced("shop", commit=commit, since=mark)
        await controller.settled()
        assert "a" in await names(live)
        await loop.platform({"shop": {"state": "absent"}})
        controller.poke()
        await loop.until(PlacementReconciled, lambda event: event.report.retired)
        assert not {"a", "b"} & await names(live)
