"""Watches of a TLS cluster: many idle streams of few connections, on a real API server."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from controller.model import Transient
from controller.targets.kubernetes.connection import Connection, Request
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.fixtures.waiting import eventually
from tests.targets.kubernetes.observing import login_to, proxy_to

pytestmark = pytest.mark.cluster


def watch(access: KubeAccess, label: str = "") -> Request:
    query = (("watch", "true"), ("labelSelector", label), ("timeoutSeconds", "120"))
    return Request("GET", f"/api/v1/namespaces/{access.namespace}/configmaps", query)


async def test_more_watches_than_a_connection_takes_all_hear_at_once(cluster: KubeAccess, api: Api) -> None:
    heard: dict[int, int] = {}
    async with proxy_to(cluster) as proxy, Connection("t", login_to(cluster, server=proxy.address)) as connection:

        async def follow(number: int) -> None:
            async for _ in connection.watch(watch(cluster, f"n=n{number}")):
                heard[number] = heard.get(number, 0) + 1

        tasks = [asyncio.create_task(follow(number)) for number in range(250)]
        await eventually(lambda: len(heard) == 250)  # each was accepted
        assert proxy.accepted == 3
        for number in (125, 249, 0, 90):  # one event each, while all others stay silent
            meta = {"name": f"c{number}", "labels": {"n": f"n{number}"}}
            await api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
            await eventually(lambda number=number: heard[number] == 2, deadline_seconds=5)
        assert sum(heard.values()) == 254
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_reader_that_sleeps_holds_up_nobody_else(cluster: KubeAccess, api: Api) -> None:
    async with Connection("t", login_to(cluster)) as connection:
        async with (
            aclosing(connection.watch(watch(cluster, "who=slow"))) as slow,
            aclosing(connection.watch(watch(cluster, "who=quick"))) as quick,
        ):
            assert await anext(slow) == b""
            assert await anext(quick) == b""
            filler = "x" * 900_000
            for number in range(4):  # more than a stream's window holds
                meta = {"name": f"s{number}", "labels": {"who": "slow"}}
                await api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": filler}})
            meta = {"name": "q", "labels": {"who": "quick"}}
            await api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
            async with asyncio.timeout(10):
                assert b'"name":"q"' in await anext(quick)
                found = [await anext(slow) for _ in range(4)]
        assert [len(one) > 900_000 for one in found] == [True] * 4


async def test_a_lost_connection_ends_all_its_watches(cluster: KubeAccess) -> None:
    async with proxy_to(cluster) as proxy, Connection("t", login_to(cluster, server=proxy.address)) as connection:
        watches = [connection.watch(watch(cluster, f"n=n{number}")) for number in range(5)]
        for one in watches:
            assert await anext(one) == b""
        proxy.cut()
        for one in watches:
            with pytest.raises(Transient):
                await anext(one)
        again = connection.watch(watch(cluster))
        assert await anext(again) == b""
        await again.aclose()


async def test_a_watch_ends_when_the_server_ends_it(cluster: KubeAccess) -> None:
    request = Request(
        "GET", f"/api/v1/namespaces/{cluster.namespace}/secrets", (("watch", "1"), ("timeoutSeconds", "1"))
    )
    async with Connection("t", login_to(cluster)) as connection, asyncio.timeout(20):
        assert [line async for line in connection.watch(request)] == [b""]


async def test_a_refused_watch_is_an_error_event(cluster: KubeAccess) -> None:
    async with Connection("t", login_to(cluster)) as connection:
        found = [line async for line in connection.watch(Request("GET", "/api/v1/nothings", (("watch", "1"),)))]
    assert len(found) == 1
    assert b'"code":404' in found[0]
