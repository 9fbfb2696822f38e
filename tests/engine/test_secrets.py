"""A secret value is planted, and everything that Converge writes or says is searched for it (rule 9)."""

from __future__ import annotations

import base64

import pytest

from controller.engine import Exported
from tests.cluster.api import Api
from tests.fixtures.canary import CANARY, converge, every_object, everything_kept, found_in
from tests.fixtures.loop import Loop, config_map, dump

pytestmark = pytest.mark.slow


def secret(value: str) -> bytes:
    return dump(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "db"},
            "type": "Opaque",
            "stringData": {"password": value},
        }
    )


async def test_a_secret_value_surfaces_nowhere(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/db.yaml": secret(CANARY), "deploy/a.yaml": config_map("a", x="1")})
    exports = {
        "catalog": {"as": "backstage", "branch": "catalog"},
        "imports": {"as": "easyops", "branch": "imports"},
        "tables": {"as": "csv", "branch": "tables"},
    }
    await loop.platform({"shop": {}}, platform={"exports": exports, "review": {"branches": ["review/*"]}})
    told = await converge(loop, "run", "--once", "--log-level", "debug", "--log-format", "json")
    assert "placement.reconciled" in told
    stored = await live.get("v1", "Secret", "db")
    assert base64.b64decode(stored["data"]["password"]).decode() == CANARY  # it did reach the cluster

    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}}
    await live.patch(body, {"stringData": {"password": CANARY + "-edited"}}, fieldManager="kubectl-edit")
    for command in ("plan", "diff", "render", "status"):
        which = ("dev/shop",) if command in ("diff", "render") else ()
        told += await converge(loop, command, *which)
    told += await converge(loop, "plan", "--output", "json")
    for command in ("query", "history", "show", "verify"):
        which = {"query": ("kind=Secret", "-o", "yaml"), "verify": ()}.get(command, ("dev/shop",))
        told += await converge(loop, command, *which)
    told += await converge(loop, "accept", "dev/shop", "--dry-run")
    told += await converge(loop, "run", "--once", "--log-level", "debug")
    await loop.host.commit("shop", {"deploy/db.yaml": secret(CANARY) + b"bogus: [\n"})
    told += await converge(loop, "run", "--once", "--log-level", "debug")
    assert found_in(told) == []

    names = await loop.host.names("platform", branch="converge-status")
    assert any(name.endswith("/Secret/db.yaml") for name in names)
    records = "\n".join([await loop.host.show("platform", name, branch="converge-status") for name in names])
    history = "\n".join(await loop.host.log("platform", "converge-status", form="%B"))
    assert found_in(records + history) == []
    async with loop.start():
        for name in exports:
            await loop.until(Exported, lambda event, name=name: event.export == name)  # type: ignore[misc]
    assert found_in("\n".join(map(repr, loop.events))) == []
    assert {"catalog", "imports", "tables"} <= set(await loop.host.branches("platform"))
    assert found_in(await every_object(loop.host.path("platform"))) == []
    assert found_in(everything_kept(loop.directory / "cache")) == []
