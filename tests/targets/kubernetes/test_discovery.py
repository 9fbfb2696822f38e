"""Which kinds there are: aggregated and group by group, and what a miss means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from controller.model import Stalled, Transient, Waiting
from controller.targets.kubernetes.connection import Connection
from controller.targets.kubernetes.credentials import Login
from controller.targets.kubernetes.discovery import Discovery, Resource
from tests.cluster.access import KubeAccess
from tests.targets.kubernetes.observing import login_to

THING = Resource("example.com", "v2", "Thing", "things", namespaced=True)


def test_paths() -> None:
    node = Resource("", "v1", "Node", "nodes", namespaced=False)
    pod = Resource("", "v1", "Pod", "pods", namespaced=True)
    assert node.path(name="a") == "/api/v1/nodes/a"
    assert node.path() == "/api/v1/nodes"
    assert pod.path("ns", "a") == "/api/v1/namespaces/ns/pods/a"
    assert pod.path("ns") == "/api/v1/namespaces/ns/pods"
    assert pod.path() == "/api/v1/pods"
    assert THING.path("ns", "a") == "/apis/example.com/v2/namespaces/ns/things/a"
    assert (THING.api_version, THING.group_kind) == ("example.com/v2", "Thing.example.com")
    assert (pod.api_version, pod.group_kind) == ("v1", "Pod")


@pytest.mark.cluster
async def test_a_real_server_tells_everything_in_two_requests(cluster: KubeAccess) -> None:
    async with Connection("hz", login_to(cluster)) as connection:
        discovery = Discovery(connection)
        assert (await discovery.resource("v1", "Service")).path("n", "s") == "/api/v1/namespaces/n/services/s"
        assert (await discovery.group_kind("autoscaling", "HorizontalPodAutoscaler")).version == "v2"
        assert not (await discovery.resource("rbac.authorization.k8s.io/v1", "ClusterRole")).namespaced
        with pytest.raises(Stalled, match=r"hz: Deployment is not served as apps/v1beta1, only as apps/v1\."):
            await discovery.resource("apps/v1beta1", "Deployment")
        with pytest.raises(Stalled, match="serves no PodSecurityPolicy in policy/v1beta1"):
            await discovery.resource("policy/v1beta1", "PodSecurityPolicy")
        with pytest.raises(Waiting, match=r"no CustomResourceDefinition gives Thing\.example\.com"):
            await discovery.resource("example.com/v1", "Thing")


class Server:
    """An API server before aggregated discovery, with one custom group in two versions, and one that is down."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.has_thing = True
        self.refusal = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if self.refusal:
            return web.Response(status=self.refusal)
        if request.path == "/apis/down.example.com/v1":
            return web.Response(status=503)
        found = self.documents().get(request.path)
        return web.json_response(found, status=200 if found is not None else 404)

    def documents(self) -> dict[str, Any]:
        thing = {"name": "things", "kind": "Thing", "namespaced": True}
        things = [thing, {**thing, "name": "things/status"}] if self.has_thing else []
        versions = [{"version": "v1"}, {"version": "v2"}]
        groups = [
            {"name": "example.com", "versions": versions, "preferredVersion": {"version": "v2"}},
            {"name": "down.example.com", "versions": [{"version": "v1"}], "preferredVersion": {"version": "v1"}},
        ]
        core = [{"name": "pods", "kind": "Pod", "namespaced": True}]
        return {
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "groups": groups},
            "/api/v1": {"resources": core},
            "/apis/example.com/v1": {"resources": things},
            "/apis/example.com/v2": {"resources": things},
        }


@asynccontextmanager
async def old_server() -> AsyncIterator[tuple[Server, Discovery]]:
    server = Server()
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    login = Login(server=f"http://127.0.0.1:{runner.addresses[0][1]}")

    async def source() -> Login:
        return login

    try:
        async with Connection("old", source) as connection:
            yield server, Discovery(connection)
    finally:
        await runner.cleanup()


async def test_an_older_server_is_asked_group_by_group() -> None:
    async with old_server() as (_, discovery):
        assert await discovery.group_kind("example.com", "Thing") == THING
        assert (await discovery.resource("example.com/v1", "Thing")).version == "v1"
        assert (await discovery.resource("v1", "Pod")).plural == "pods"


async def test_a_group_that_does_not_answer_leaves_its_kinds_unknown_and_the_others_known() -> None:
    async with old_server() as (_, discovery):
        with pytest.raises(Transient, match=r"Gone\.down\.example\.com"):
            await discovery.resource("down.example.com/v1", "Gone")
        assert await discovery.resource("example.com/v2", "Thing") == THING


async def test_a_kind_that_arrives_is_found_at_the_next_question() -> None:
    async with old_server() as (server, discovery):
        server.has_thing = False
        with pytest.raises(Waiting):
            await discovery.resource("example.com/v2", "Thing")
        server.has_thing = True
        assert await discovery.resource("example.com/v2", "Thing") == THING


async def test_what_is_known_is_not_asked_again_and_misses_ask_together() -> None:
    async with old_server() as (server, discovery):
        await discovery.resource("v1", "Pod")
        await discovery.resource("v1", "Pod")
        assert server.asked.count("/apis") == 1
        missing = [discovery.resource("example.com/v9", f"Kind{number}") for number in range(20)]
        await asyncio.gather(*missing, return_exceptions=True)
        assert server.asked.count("/apis") <= 3


@pytest.mark.parametrize(("status", "error"), [(401, Stalled), (403, Stalled), (500, Transient)])
async def test_a_server_that_does_not_tell_is_no_missing_kind(status: int, error: type[Exception]) -> None:
    async with old_server() as (server, discovery):
        await discovery.resource("v1", "Pod")
        server.refusal = status
        with pytest.raises(error, match=f"old: GET /api.*: {status}"):
            await discovery.resource("v1", "Nothing")
        assert (await discovery.resource("v1", "Pod")).kind == "Pod"
