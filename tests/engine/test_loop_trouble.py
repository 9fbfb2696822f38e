"""A real cluster that refuses, holds on to things, or asks to be left in peace: what the whole loop says."""

from __future__ import annotations

import asyncio
import json
import ssl

import pytest

from controller.engine import PlacementReconciled
from controller.model import ApplicationName, EnvironmentName, Health, PlacementRef, SyncStatus, TargetName
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.engine.kill.scene import kubeconfig
from tests.fixtures.loop import Loop, config_map
from tests.fixtures.proxy import Exchange, Proxy, Refused
from tests.fixtures.waiting import eventually
from tests.targets.kubernetes.test_policies import WORDS, bound, in_force, until_refused, version_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.cluster,
    pytest.mark.parametrize("place", ["real"], indirect=True),
]

FINALIZER = "example.com/stuck"
PEACE_SECONDS = 45.0  # longer than one request may take, so that it is the loop that waits


def named(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


def ref(application: str) -> PlacementRef:
    return PlacementRef(EnvironmentName("dev"), ApplicationName(application), TargetName("home"))


async def test_a_server_that_asks_for_time_gets_it_and_nobody_else_waits(
    loop: Loop, place: KubeAccess, live: Api
) -> None:
    for name in ("busy", "shop"):
        await loop.host.create(name, {f"deploy/{name}.yaml": config_map(name, x="1")})
    await loop.platform({"busy": {}, "shop": {}})
    context = ssl.create_default_context(cafile=str(place.ca))
    async with Proxy(place.server, context=context) as proxy:
        path = loop.directory / "credentials" / "kubeconfig" / "kubeconfig"
        path.write_text(json.dumps(kubeconfig(proxy.url, place.token)))
        refused: list[float] = []

        async def busy(exchange: Exchange) -> None:
            if exchange.method == "PATCH" and "/configmaps/busy" in exchange.path:
                refused.append(asyncio.get_running_loop().time())
                raise Refused(429, (("Retry-After", str(int(PEACE_SECONDS))),))

        async with loop.start() as controller:
            await loop.synced("busy")
            await loop.synced("shop")
            mark, proxy.before = loop.mark(), busy
            await loop.host.commit("busy", {"deploy/busy.yaml": config_map("busy", x="2")}, message="Not now")
            told = await loop.report("busy", SyncStatus.SYNCING, since=mark)
            assert "429" in told.reason
            await eventually(lambda: ref("busy") in controller._queue._due)
            assert controller._queue._due[ref("busy")] >= refused[-1] + PEACE_SECONDS

            commit = await loop.host.commit("shop", {"deploy/shop.yaml": config_map("shop", x="2")}, message="Now")
            await loop.synced("shop", commit=commit, since=mark)
            await live.patch(named("shop"), {"data": {"x": "by hand"}}, fieldManager="kubectl-edit")
            await live.until("v1", "ConfigMap", "shop", lambda one: one and one["data"] == {"x": "2"})
            assert len(refused) == 1  # it was left in peace all the while
            proxy.before = nothing
            commit = await loop.host.commit("busy", {"deploy/busy.yaml": config_map("busy", x="3")}, message="Again")
            await loop.synced("busy", commit=commit, since=mark)


async def test_a_policys_denial_is_told_in_its_own_words_and_tried_again_when_it_is_gone(
    loop: Loop, live: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.engine.runner.STALLED_SECONDS", 1.0)  # that a policy goes is no event of ours
    version = await version_of(live, "ValidatingAdmissionPolicy")
    rule = {"expression": "has(object.data) && 'owner' in object.data", "message": WORDS}
    policy = bound(version, "ValidatingAdmissionPolicy", loop.namespace, validations=[rule])
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}})
    async with in_force(live, *policy):
        await until_refused(live, {**named("probe"), "data": {"x": "1"}})
        async with loop.start():
            denied = await loop.report("shop", SyncStatus.FAILED)
            assert WORDS in denied.reason
            mark = loop.mark()
            for one in reversed(policy):
                await live.delete(one)
            await loop.synced("shop", since=mark)
    assert (await live.get("v1", "ConfigMap", "a"))["data"] == {"x": "1"}


def is_held(event: PlacementReconciled) -> bool:
    return event.report.health is Health.TERMINATING


async def nothing(_exchange: Exchange) -> None:
    return


async def test_what_holds_up_a_deletion_is_named_and_an_ending_namespace_is_waited_for(
    loop: Loop, live: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.engine.runner.WAITING_SECONDS", 1.0)  # a namespace's return is no event of ours
    first, second = config_map("a", x="1"), config_map("b", x="1")
    await loop.host.create("shop", {"deploy/a.yaml": first, "deploy/b.yaml": second})
    await loop.platform({"shop": {}}, sync={"healthTimeout": "2s"})
    async with loop.start():
        await loop.synced("shop")
        await live.patch(named("b"), {"metadata": {"finalizers": [FINALIZER]}})
        mark = loop.mark()
        await loop.host.commit("shop", {"deploy/b.yaml": None}, message="Drop b")
        held = await loop.until(PlacementReconciled, is_held, since=mark)
        assert held.report.sync is SyncStatus.PENDING
        assert "ConfigMap" in held.report.reason
        assert FINALIZER in held.report.reason
        mark = loop.mark()
        await live.patch(named("b"), {"metadata": {"finalizers": None}})
        await loop.synced("shop", since=mark)

        await live.create({**named("theirs"), "metadata": {"name": "theirs", "finalizers": [FINALIZER]}})
        mark = loop.mark()
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": loop.namespace}}
        await live.delete(namespace)
        ending = await loop.report("shop", SyncStatus.PENDING, since=mark)
        assert "is being deleted" in ending.reason
        assert loop.namespace in ending.reason
        mark = loop.mark()
        await live.patch(named("theirs"), {"metadata": {"finalizers": None}})
        await live.until("v1", "Namespace", loop.namespace, lambda one: one is None)
        await live.create(namespace)
        await loop.synced("shop", since=mark)
        assert (await live.get("v1", "ConfigMap", "a"))["data"] == {"x": "1"}
