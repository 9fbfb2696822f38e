"""Our own commits start no run, also where somebody lets an application follow them by another address (rule 8)."""

from __future__ import annotations

import asyncio

import pytest

from controller.engine import RevisionFound
from controller.model import SyncStatus
from tests.fixtures.loop import Loop, config_map

pytestmark = pytest.mark.slow


async def test_an_application_that_follows_the_records_is_refused_once_and_nothing_goes_round(loop: Loop) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="0")})
    await loop.platform({"shop": {}})
    async with loop.start() as controller:
        await loop.synced("shop")
        await controller.settled()
    mirrored = {"mirror": {"url": str(loop.host.path("platform"))}}  # the same repository, which its URL does not tell
    entry = {"repository": "mirror", "revision": "converge-status", "path": "status"}
    await loop.platform({"shop": {}, "round": entry}, repositories=mirrored)
    async with loop.start() as controller:
        told = await loop.report("round", SyncStatus.FAILED)
        assert "holds what Converge records" in told.reason
        for number in range(1, 4):  # each a commit of ours, which the other address brings back
            mark = loop.mark()
            commit = await loop.host.commit("shop", {"deploy/a.yaml": config_map("a", x=str(number))})
            await loop.synced("shop", commit=commit)
            await controller.settled()
            head = await loop.host.head("platform", "converge-status")
            await loop.until(RevisionFound, lambda event, at=head: event.commit == at, since=mark)  # type: ignore[misc]
        await controller.settled()
        head = await loop.host.head("platform", "converge-status")
        for _ in range(3):
            controller.poke()
            await asyncio.sleep(0)
        await controller.settled()
        assert await loop.host.head("platform", "converge-status") == head
        log = await loop.host.log("platform", "converge-status", form="%B")
        assert sum("Placement: dev/round@home" in message for message in log) == 1
