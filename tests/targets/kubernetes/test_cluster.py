"""A cluster as the engine sees it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from controller.model import Stalled, Transient
from controller.targets import Target
from controller.targets.kubernetes import Cluster
from controller.targets.kubernetes.connection import Connection, Request
from controller.targets.kubernetes.credentials import Login
from tests.cluster.access import KubeAccess
from tests.targets.kubernetes.placing import config_map, login_of, placed

pytestmark = pytest.mark.cluster


async def test_another_cluster_than_the_known_one_is_stalled_and_nothing_is_written(cluster: KubeAccess) -> None:
    async with placed(cluster, uid="another") as place:
        body = config_map("a", place.namespace, x="1")
        for call in (
            place.target.observe(place.placement),
            place.target.placements(),
            place.plan(body),
        ):
            with pytest.raises(Stalled, match="this is another cluster than before"):
                await call
        assert place.sent.writes == []


async def test_a_cluster_is_known_by_its_uid(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        await place.target.placements()
        uid = place.target.uid
    async with placed(cluster, uid=uid) as place:
        assert await place.target.placements() == ()


async def test_many_who_look_at_once_ask_once_who_it_is(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        place.sent.clear()
        await asyncio.gather(*(place.target.observe(place.placement) for _ in range(20)))
        assert place.sent.count("GET", part="kube-system") <= 1


async def test_there_is_doubt_whenever_another_server_may_answer(cluster: KubeAccess) -> None:
    doubts: list[str] = []
    logins = [login_of(cluster), replace(login_of(cluster), server="https://127.0.0.1:9")]

    async def source() -> Login:
        return logins.pop(0)

    async with Connection("t", source, doubt=lambda: doubts.append("")) as connection:
        await connection.send(Request("GET", "/version"))
        assert len(doubts) == 1  # a login
        await connection.send(Request("GET", "/version"))
        assert len(doubts) == 1
        ends_soon = (("watch", "true"), ("timeoutSeconds", "1"))
        async for _ in connection.watch(Request("GET", "/api/v1/namespaces", ends_soon)):
            pass
        assert len(doubts) == 2  # a watch that ended
        assert connection._line is not None
        connection._line.login_expires_at = 0.0
        with pytest.raises(Transient):
            await connection.send(Request("GET", "/version"))
        assert len(doubts) == 4  # another login, and a connection that was lost


async def test_placements_are_named_by_their_parents(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        await place.sync(config_map("a", place.namespace, x="1"))
        assert await place.target.placements() == (place.placement,)


def test_a_cluster_is_a_target(cluster: KubeAccess) -> None:
    def is_target(_target: type[Target]) -> None: ...

    is_target(Cluster)
