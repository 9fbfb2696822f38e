"""Lists in pages and at versions; watches from any version, restricted by labels, with bookmarks, and Gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controller.sandbox import SandboxCluster
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api, ApiError
from tests.sandbox.contract.objects import Object, config_map

ROOT_CA = "kube-root-ca.crt"
SECONDS = 20


def labelled(name: str, **labels: str) -> Object:
    body = config_map(name, x="1")
    body["metadata"]["labels"] = {"mine": "yes", **labels}
    return body


def names(listed: Object) -> list[str]:
    return [one["metadata"]["name"] for one in listed["items"]]


async def first(events: AsyncIterator[Object], *, kind: str = "") -> Object:
    async with asyncio.timeout(SECONDS):
        async for event in events:
            if not kind or event["type"] == kind:
                return event
    raise AssertionError("the watch ended")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("tier=front", ["a"]),
        ("mine,tier!=front", ["b", "c"]),
        ("tier in (front, back)", ["a", "b"]),
        ("mine,tier notin (front)", ["b", "c"]),
        ("mine,!tier", ["c"]),
    ],
)
async def test_labels_select(api: Api, selector: str, expected: list[str]) -> None:
    for body in (labelled("a", tier="front"), labelled("b", tier="back"), labelled("c")):
        await api.apply(body)
    assert names(await api.list("v1", "ConfigMap", labelSelector=selector)) == expected


async def test_a_list_in_pages_shows_one_moment(api: Api) -> None:
    for name in "abcde":
        await api.apply(labelled(name))
    page = await api.list("v1", "ConfigMap", labelSelector="mine", limit="2")
    assert names(page) == ["a", "b"]
    await api.delete(labelled("d"))
    await api.apply(labelled("cc"))
    rest = await api.list("v1", "ConfigMap", labelSelector="mine", **{"continue": page["metadata"]["continue"]})
    assert names(rest) == ["c", "d", "e"]
    assert rest["metadata"]["resourceVersion"] == page["metadata"]["resourceVersion"]
    assert "continue" not in rest["metadata"]


async def test_a_list_over_all_namespaces_is_sorted(api: Api, access: KubeAccess) -> None:
    await api.apply(labelled("z", own=access.namespace))
    await api.apply(labelled("a", own=access.namespace))
    found = await api.list("v1", "ConfigMap", namespace="*", labelSelector=f"own={access.namespace}")
    assert names(found) == ["a", "z"]


async def test_a_watch_from_a_list_misses_nothing(api: Api) -> None:
    listed = await api.list("v1", "ConfigMap", labelSelector="mine")
    await api.apply(labelled("a"))
    version = listed["metadata"]["resourceVersion"]
    async with api.watch("v1", "ConfigMap", labelSelector="mine", resourceVersion=version) as events:
        assert (await first(events))["type"] == "ADDED"
        live = await api.patch(labelled("a"), {"data": {"x": "2"}})
        event = await first(events)
        assert (event["type"], event["object"]["data"]) == ("MODIFIED", {"x": "2"})
        assert event["object"]["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]
        await api.delete(labelled("a"))
        event = await first(events)
        assert event["type"] == "DELETED"
        assert int(event["object"]["metadata"]["resourceVersion"]) > int(live["metadata"]["resourceVersion"])


async def test_an_object_that_loses_its_label_is_deleted_for_the_watch(api: Api) -> None:
    live = await api.apply(labelled("a"))
    version = live["metadata"]["resourceVersion"]
    async with api.watch("v1", "ConfigMap", labelSelector="mine=yes", resourceVersion=version) as events:
        await api.patch(labelled("a"), {"metadata": {"labels": {"mine": "no"}}})
        event = await first(events)
        assert event["type"] == "DELETED"
        assert event["object"]["metadata"]["labels"] == {"mine": "yes"}
        await api.patch(labelled("a"), {"metadata": {"labels": {"mine": "yes"}}})
        assert (await first(events))["type"] == "ADDED"


async def test_initial_events_end_with_a_bookmark(api: Api) -> None:
    for name in "ab":
        await api.apply(labelled(name))
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    seen: list[tuple[str, Any]] = []
    async with api.watch("v1", "ConfigMap", labelSelector="mine", **query) as events:
        async with asyncio.timeout(SECONDS):
            async for event in events:
                meta = event["object"]["metadata"]
                seen.append((event["type"], meta.get("name") or meta["annotations"]))
                if event["type"] == "BOOKMARK":
                    break
    assert seen == [("ADDED", "a"), ("ADDED", "b"), ("BOOKMARK", {"k8s.io/initial-events-end": "true"})]


async def test_initial_events_need_a_version_match(api: Api) -> None:
    with pytest.raises(ApiError) as refused:
        async with api.watch("v1", "ConfigMap", sendInitialEvents="true"):
            pass
    assert (refused.value.code, refused.value.reason) == (422, "Invalid")


async def test_a_watch_without_a_version_begins_with_what_is_there(api: Api) -> None:
    await api.apply(labelled("a"))
    async with api.watch("v1", "ConfigMap", labelSelector="mine") as events:
        event = await first(events)
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "a")


async def test_a_watch_ends_after_its_time(api: Api) -> None:
    async with (
        api.watch("v1", "ConfigMap", labelSelector="none", timeoutSeconds="1") as events,
        asyncio.timeout(SECONDS),
    ):
        assert [event async for event in events] == []


async def test_a_watch_of_metadata_shows_no_content(api: Api) -> None:
    await api.apply(labelled("a"))
    path = await api.path("v1", "ConfigMap")
    accept = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
    listed = await api.request("GET", path, query={"labelSelector": "mine"}, headers=accept)
    assert (listed["kind"], listed["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    (one,) = listed["items"]
    assert set(one) - {"kind", "apiVersion"} == {"metadata"}


async def test_a_watch_from_before_a_compaction_is_gone(tmp_path: Any) -> None:
    """Not on the real one: etcd's compaction comes every five minutes."""
    async with SandboxCluster() as sandbox:
        access = KubeAccess(
            server=sandbox.server, kubeconfig=tmp_path, ca=None, token=sandbox.token, namespace="default"
        )
        async with Api.connect(access) as api:
            old = (await api.apply(config_map()))["metadata"]["resourceVersion"]
            await api.apply(config_map(x="2"))
            sandbox.compact()
            async with api.watch("v1", "ConfigMap", resourceVersion=old) as events:
                event = await first(events)
            assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
            with pytest.raises(ApiError) as refused:
                await api.list("v1", "ConfigMap", resourceVersion=old, resourceVersionMatch="Exact")
            assert refused.value.code == 410
