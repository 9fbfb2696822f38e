"""A version of an API that goes away under objects that live on: nothing is pruned, and the status says what to do."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controller.model import Result, SyncStatus
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.fixtures.loop import Loop, config_map, dump

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

DEFINITION = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")


def version(name: str, *, served: bool, storage: bool) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {"name": name, "served": served, "storage": storage, "schema": {"openAPIV3Schema": schema}}


def definition(group: str, *versions: dict[str, Any]) -> dict[str, Any]:
    names = {"kind": "Widget", "plural": "widgets", "singular": "widget"}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": list(versions)}
    return {"apiVersion": DEFINITION[0], "kind": DEFINITION[1], "metadata": {"name": f"widgets.{group}"}, "spec": spec}


def is_established(live: dict[str, Any] | None) -> bool:
    conditions = (live or {}).get("status", {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


@pytest.fixture
async def group(live: Api) -> AsyncIterator[str]:
    """Serve Widgets as v1beta1 and v1, in a group of the test's own."""
    group = f"g{secrets.token_hex(4)}.example.com"
    made = definition(group, version("v1beta1", served=True, storage=True), version("v1", served=True, storage=False))
    await live.create(made)
    await live.until(*DEFINITION, made["metadata"]["name"], is_established)
    yield group
    await live.delete(made)


def widget(group: str, served_as: str, name: str = "w") -> bytes:
    metadata = {"name": name}
    return dump({"apiVersion": f"{group}/{served_as}", "kind": "Widget", "metadata": metadata, "spec": {"size": 1}})


@pytest.mark.parametrize("place", ["real"], indirect=True)
async def test_a_version_that_is_no_longer_served_stops_its_application_and_prunes_nothing(
    loop: Loop, place: KubeAccess, live: Api, group: str
) -> None:
    beta, now = f"{group}/v1beta1", f"{group}/v1"
    await loop.host.create("shop", {"deploy/w.yaml": widget(group, "v1beta1"), "deploy/a.yaml": config_map("a", x="1")})
    await loop.host.create(
        "other", {"deploy/x.yaml": widget(group, "v1beta1", "x"), "deploy/b.yaml": config_map("b", x="1")}
    )
    await loop.platform({"shop": {}, "other": {}})
    async with loop.start():
        await loop.synced("shop")
        await loop.synced("other")
        before = await live.get(now, "Widget", "w")
        mark = loop.mark()
        moved = [version("v1beta1", served=False, storage=False), version("v1", served=True, storage=True)]
        await live.patch(definition(group), {"spec": {"versions": moved}})
        await stopped(loop, beta, now, since=mark)
        assert (await live.get(now, "Widget", "w"))["metadata"]["uid"] == before["metadata"]["uid"]

    mark = loop.mark()
    async with loop.start():  # one that never saw the old version served
        await stopped(loop, beta, now, since=mark)
        mark = loop.mark()
        commit = await loop.host.commit("shop", {"deploy/w.yaml": widget(group, "v1")})
        report = await loop.synced("shop", commit=commit, since=mark)
        assert not [one for one in report.objects if one.result is Result.PRUNED]
        after = await live.get(now, "Widget", "w")
        assert (after["metadata"]["uid"], after["spec"]) == (before["metadata"]["uid"], {"size": 1})

        commit = await loop.host.commit("other", {"deploy/x.yaml": None})
        await loop.synced("other", commit=commit, since=mark)
        await live.until(now, "Widget", "x", lambda one: one is None)


async def stopped(loop: Loop, beta: str, now: str, *, since: int) -> None:
    """Wait until the status of both says what to do, and is no error that passes."""
    for application in ("shop", "other"):
        failed = await loop.report(application, SyncStatus.FAILED, since=since)
        assert f"Widget is not served as {beta}, only as {now}. Write one of these." in str(failed)
