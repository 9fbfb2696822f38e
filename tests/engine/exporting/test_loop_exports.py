"""Exports through the whole loop: what runs is on a branch and in another system, and what is gone is gone there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from controller.engine import Exported, PlacementReconciled
from tests.engine.exporting.cmdb import Cmdb, serving
from tests.fixtures.loop import Loop, config_map, deployment
from tests.fixtures.waiting import eventually

pytestmark = pytest.mark.slow
TOKEN = "canary-9c2e-token"


@pytest.fixture
async def cmdb() -> AsyncIterator[Cmdb]:
    async with serving(Cmdb(token=TOKEN)) as found:
        yield found


async def test_files_and_an_end_point_follow_what_runs_and_what_goes(loop: Loop, cmdb: Cmdb) -> None:
    folder = loop.directory / "credentials" / "easyops"
    folder.mkdir()
    (folder / "token").write_text(TOKEN)
    exports = {
        "catalog": {"as": "backstage", "branch": "catalog", "settings": {"owner": "platform"}},
        "tables": {"as": "csv", "branch": "tables", "models": ["ConfigMap"]},
        "cmdb": {"as": "easyops", "url": cmdb.url, "credentials": "easyops"},
    }
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1"), "deploy/b.yaml": deployment("b")})
    await loop.platform({"shop": {}}, platform={"exports": exports})
    async with loop.start():
        await loop.synced("shop")
        for name in exports:
            await loop.until(Exported, lambda event, name=name: event.export == name)  # type: ignore[misc]
        assert await loop.host.names("platform", branch="tables") == ["ConfigMap.csv"]
        assert "dev/shop.yaml" in await loop.host.names("platform", branch="catalog")
        key = f"dev/shop/home/{loop.namespace}/ConfigMap/a"
        assert key in cmdb.known()
        mark = loop.mark()
        await loop.host.commit("shop", {"deploy/a.yaml": None})
        await eventually(lambda: key not in cmdb.known(), deadline_seconds=60.0)
        while await loop.host.names("platform", branch="tables"):
            await loop.until(Exported, lambda event: event.export == "tables", since=mark)
            mark = loop.mark()
    log = await loop.host.log("platform", "catalog", form="%B")
    shown = "".join([*log, *map(str, loop.events)])
    assert TOKEN not in shown


async def test_what_left_git_while_the_end_point_was_away_goes_there_once_also_after_a_restart(
    loop: Loop, cmdb: Cmdb
) -> None:
    folder = loop.directory / "credentials" / "easyops"
    folder.mkdir()
    (folder / "token").write_text(TOKEN)
    exports = {
        "catalog": {"as": "backstage", "branch": "catalog", "settings": {"owner": "platform"}},
        "cmdb": {"as": "easyops", "url": cmdb.url, "credentials": "easyops"},
    }
    for name in ("shop", "other"):
        await loop.host.create(name, {"deploy/a.yaml": config_map(name, x="1")})
    await loop.platform({"shop": {}, "other": {}}, platform={"exports": exports})
    async with loop.start() as controller:
        await eventually(lambda: {"dev/other", "dev/shop"} <= {*cmdb.known()}, deadline_seconds=60.0)
        cmdb.troubles = [503] * 10_000
        mark = loop.mark()
        await loop.platform({"other": {}}, platform={"exports": exports}, more={"shop": {"url": loop.host.url("shop")}})
        await loop.until(PlacementReconciled, lambda event: event.report.retired, since=mark)
        await controller.settled()
    assert of_shop(cmdb)
    cmdb.troubles.clear()
    cmdb.requests.clear()
    mark = loop.mark()
    async with loop.start():
        await eventually(lambda: not of_shop(cmdb), deadline_seconds=60.0)
        await loop.until(Exported, lambda event: event.export == "cmdb", since=mark)
        deletions = [one for one in cmdb.requests if one.startswith("DELETE")]
        mark = loop.mark()
        await loop.host.commit("other", {"deploy/a.yaml": config_map("other", x="2"), "deploy/b.yaml": config_map("b")})
        key = f"dev/other/home/{loop.namespace}/ConfigMap/b"
        await eventually(lambda: key in cmdb.known(), deadline_seconds=60.0)
        assert [one for one in cmdb.requests if one.startswith("DELETE")] == deletions
        await loop.until(Exported, lambda event: event.export == "catalog", since=mark)
    assert not [one for one in await loop.host.names("platform", branch="catalog") if "shop" in one]
    assert len(cmdb.known()) == len({*cmdb.known()})


def of_shop(cmdb: Cmdb) -> list[str]:
    return [one for one in cmdb.known() if one.startswith("dev/shop")]
