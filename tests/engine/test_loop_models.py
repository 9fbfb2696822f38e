"""Models of the platform's own, from the commit that writes them to the records that tell what they say."""

from __future__ import annotations

from typing import Any

import pytest

from controller.documents import Dialect, read
from controller.engine import PlacementReconciled, PlatformRejected
from tests.fixtures.loop import Loop, config_map

pytestmark = pytest.mark.slow

MODEL = "models/ConfigMap.yaml"


async def attributes(loop: Loop, name: str) -> Any:
    path = f"cmdb/dev/shop/home/{loop.namespace}/ConfigMap/{name}.yaml"
    text = await loop.host.show("platform", path, branch="converge-status")
    return read(text.encode(), path=path, dialect=Dialect.KUBERNETES)[0].value["attributes"]  # type: ignore[index,call-overload]


async def told_anew(loop: Loop, mark: int, name: str) -> None:
    def holds(event: PlacementReconciled) -> bool:
        model = event.report.models.get("ConfigMap")
        return model is not None and model.guarded == {name}

    await loop.until(PlacementReconciled, holds, since=mark)


@pytest.mark.parametrize("place", ["sandbox"], indirect=True)  # no kind of cluster differs in what is recorded
async def test_records_follow_the_commit_that_writes_a_model_and_a_wrong_one_leaves_it_in_force(loop: Loop) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", region="east", API_TOKEN="canary")})
    await loop.platform({"shop": {}})
    async with loop.start() as controller:
        await loop.synced("shop")
        await controller.settled()
        plain = await attributes(loop, "a")
        mark = loop.mark()
        await loop.host.commit("platform", {MODEL: b"attributes:\n  region: data.region\n"}, message="Tell regions")
        await told_anew(loop, mark, "region")
        await controller.settled()
        assert await attributes(loop, "a") == {**plain, "region": "east"}
        in_force = await loop.host.head("platform", "main")

        wrong = b"attributes:\n  region: data.region\n  token: data.API_TOKEN\n"
        await loop.host.commit("platform", {MODEL: wrong}, message="Tell tokens")
        rejected = await loop.until(PlatformRejected)
        assert rejected.in_force == in_force
        assert str(rejected.problems[0]).startswith(f"{MODEL}:3: attributes.token: ")
        await controller.settled()
        assert await attributes(loop, "a") == {**plain, "region": "east"}

        mark = loop.mark()
        await loop.host.commit("platform", {MODEL: b"attributes:\n  area: data.region\n"}, message="Tell areas")
        await told_anew(loop, mark, "area")
        await controller.settled()
        assert await attributes(loop, "a") == {**plain, "area": "east"}
        head = await loop.host.head("platform", "converge-status")
    async with loop.start() as controller:  # a new one tells the same
        await loop.synced("shop", since=loop.mark())
        await controller.settled()
        assert await loop.host.head("platform", "converge-status") == head
