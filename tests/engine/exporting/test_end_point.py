"""The talk with an end point, over HTTP: what is sent again, what is not, and what nobody hears of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from controller.engine.exporting.carrying import EndPoint
from controller.model import Export, Secret, Stalled, Transient
from controller.records.exporters.easyops import EasyOps
from controller.runtime import Credential
from tests.engine.exporting.cmdb import Cmdb, serving
from tests.engine.make import WHERE
from tests.fixtures.clock import ManualClock
from tests.records.exporters.shop import SHOP, WEB, instance

TOKEN = "canary-4f1d-token"


class Impatient(ManualClock):
    """A clock on which a pause is over at once; it counts them."""

    async def sleep(self, seconds: float) -> None:
        self.pauses = [*getattr(self, "pauses", []), seconds]
        await asyncio.sleep(0)


@pytest.fixture
async def cmdb() -> AsyncIterator[Cmdb]:
    async with serving(Cmdb(token=TOKEN)) as found:
        yield found


def end_point(cmdb: Cmdb, token: str = TOKEN, clock: Impatient | None = None) -> EndPoint:
    export = Export(name="cmdb", exporter="easyops", url=cmdb.url, credentials="easyops", origin=WHERE)
    return EndPoint(export, lambda: Credential("easyops", {"token": Secret(token)}), clock or Impatient())


async def test_instances_are_there_by_their_keys_and_twice_is_once(cmdb: Cmdb) -> None:
    for _ in range(2):
        await end_point(cmdb).carry(EasyOps().push(SHOP, ()))
    assert cmdb.known() == sorted(one.key for one in SHOP)


async def test_what_is_gone_is_deleted_and_stays_so(cmdb: Cmdb) -> None:
    await end_point(cmdb).carry(EasyOps().push(SHOP, ()))
    gone = instance(WEB, "Deployment.apps", retired=True)
    for _ in range(2):
        await end_point(cmdb).carry(EasyOps().push((), (gone,)))
    assert WEB not in cmdb.known()
    assert len(cmdb.known()) == len(SHOP) - 1


@pytest.mark.parametrize("trouble", [0, 429, 500, 503])
async def test_a_hiccup_is_asked_again_and_does_nothing_twice(cmdb: Cmdb, trouble: int) -> None:
    cmdb.troubles = [trouble, trouble]
    clock = Impatient()
    await end_point(cmdb, clock=clock).carry(EasyOps().push(SHOP, ()))
    assert cmdb.known() == sorted(one.key for one in SHOP)
    assert len(clock.pauses) == 2


async def test_an_end_point_that_stays_away_is_transient_after_some_tries(cmdb: Cmdb) -> None:
    cmdb.troubles = [503] * 100
    with pytest.raises(Transient, match="answer 503"):
        await end_point(cmdb).carry(EasyOps().push(SHOP, ()))
    assert len(cmdb.requests) == 6


async def test_a_refusal_is_not_asked_again_and_tells_no_token(cmdb: Cmdb) -> None:
    with pytest.raises(Stalled, match="answer 401") as caught:
        await end_point(cmdb, "another-canary").carry(EasyOps().push(SHOP, ()))
    assert len(cmdb.requests) == 1
    assert "canary" not in str(caught.value)
    assert "canary" not in repr(caught.value.__context__)


async def test_a_redirect_is_not_followed(cmdb: Cmdb) -> None:
    cmdb.troubles = [302]
    with pytest.raises(Stalled, match="answer 302"):
        await end_point(cmdb).carry(EasyOps().push(SHOP, ()))
    assert len(cmdb.requests) == 1
