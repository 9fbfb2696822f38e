"""Exports through the whole loop: what runs is on a branch and in another system, and what is gone is gone there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from controller.engine import Exported
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
