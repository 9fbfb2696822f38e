"""A cluster as the engine sees it."""

from __future__ import annotations

import asyncio

import pytest

from controller.model import Stalled
from controller.targets import Target
from controller.targets.kubernetes import Cluster
from controller.targets.kubernetes.credentials import Login
from controller.targets.kubernetes.identity import Identity
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


async def test_a_server_that_changes_behind_a_context_is_asked_who_it_is(cluster: KubeAccess) -> None:
    servers = [cluster.server, cluster.server, "https://elsewhere"]

    async def source() -> Login:
        login = login_of(cluster)
        return Login(server=servers.pop(0), ca=login.ca, authorization=login.authorization)

    identity = Identity("prod/hz")
    login = identity.watching(source)
    await login()
    identity.is_certain = True
    await login()
    assert identity.is_certain
    await login()
    assert not identity.is_certain


async def test_placements_are_named_by_their_parents(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        await place.sync(config_map("a", place.namespace, x="1"))
        assert await place.target.placements() == (place.placement,)


def test_a_cluster_is_a_target(cluster: KubeAccess) -> None:
    def is_target(_target: type[Target]) -> None: ...

    is_target(Cluster)
