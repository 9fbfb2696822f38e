"""What is written when, on a real control plane: namespaces and definitions, stages, waves."""

from __future__ import annotations

import asyncio

import pytest

from controller.model import (
    Cause,
    Health,
    Permitted,
    Plan,
    Result,
    Stalled,
    State,
    Transient,
    Waiting,
)
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.fixtures.waiting import eventually
from tests.targets.kubernetes.placing import Body, Place, config_map, deployment, placed, service

pytestmark = pytest.mark.cluster


async def test_nothing_comes_after_the_first_failing_stage_and_every_failure_of_it_is_told(
    cluster: KubeAccess,
) -> None:
    async with placed(cluster) as place:
        place.policy(preflight=False)
        ns = place.namespace
        bodies = [service("one", ns, port=99999), service("two", ns, port=99998), deployment("web", ns)]
        applied = await place.sync(config_map("first", ns, x="1"), *bodies)

        results = {one.key.name: one.result for one in applied.outcomes}
        assert results == {
            "first": Result.CREATED,
            "one": Result.FAILED,
            "two": Result.FAILED,
            "web": Result.SKIPPED,
        }
        assert isinstance(applied.failure, Stalled)
        assert "99999" in str(applied.failure)
        assert "99998" in str(applied.failure)
        observation = await place.target.observe(place.placement)
        assert observation.applied is None


async def test_a_missing_namespace_is_stalled_unless_the_entry_creates_it(cluster: KubeAccess, api: Api) -> None:
    name = f"{cluster.namespace}-new"
    async with placed(cluster) as place:
        with pytest.raises(Stalled, match="createNamespace: true"):
            await place.plan(config_map("a", name, x="1"))
        place.entry(namespace=name, create_namespace=True)
        applied = await place.sync(config_map("a", name, x="1"))
        assert applied.is_complete
        plan = await place.plan()
        assert all(one.key.kind != "Namespace" for one in plan.objects)
    await api.request("DELETE", f"/api/v1/namespaces/{name}")


async def test_a_namespace_and_what_lives_in_it_come_in_one_revision(cluster: KubeAccess) -> None:
    name = f"{cluster.namespace}-own"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    async with placed(cluster) as place:
        applied = await place.sync(config_map("a", name, x="1"), namespace)
        assert applied.is_complete
        assert [one.key.kind for one in applied.outcomes] == ["Namespace", "ConfigMap"]


def definition(group: str) -> Body:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": "Widget", "plural": "widgets"},
            "scope": "Namespaced",
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}},
            ],
        },
    }


async def test_a_definition_and_its_objects_come_in_one_revision_and_go_in_one(cluster: KubeAccess, api: Api) -> None:
    group = f"{cluster.namespace}.example.com"
    metadata = {"name": "w", "namespace": cluster.namespace}
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": metadata, "spec": {"size": 1}}
    async with placed(cluster) as place:
        applied = await place.sync(widget, definition(group))
        assert applied.failure is None
        assert [one.key.kind for one in applied.outcomes] == ["CustomResourceDefinition", "Widget"]
        assert (await place.plan(widget, definition(group))).is_empty
        place.entry(state=State.ABSENT)
        gone = await place.sync(commit="b")
        assert gone.failure is None
        assert [one.key.kind for one in gone.outcomes] == ["Widget", "CustomResourceDefinition", "ConfigMap"]
        assert await place.target.placements() == ()


async def test_a_kind_that_nothing_defines_waits_for_its_definition(cluster: KubeAccess) -> None:
    body = {
        "apiVersion": "nobody.example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "x", "namespace": cluster.namespace},
    }
    async with placed(cluster) as place:
        with pytest.raises(Waiting, match=r"Thing\.nobody\.example\.com"):
            await place.plan(body)


async def test_a_later_wave_waits_for_the_health_of_the_earlier_one(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        ns = place.namespace
        order: list[str] = []

        def note(request: object) -> None:
            path = getattr(request, "path", "")
            if path.endswith("/deployments/second") and ("dryRun", "All") not in getattr(request, "query", ()):
                members = place.target._cache.members(place.placement)
                order.extend(str(one.health) for one in members if one.key.name == "first")

        place.sent.on_request = note
        applied = await place.sync(deployment("second", ns, wave=1), deployment("first", ns))

        assert applied.failure is None
        assert order == [Health.HEALTHY]


async def test_a_wave_that_does_not_become_healthy_is_said_at_the_deadline(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        place.policy(health_seconds=1)
        ns = place.namespace
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "never", "namespace": ns},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "",
                "volumeName": "none-such",
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }
        applied = await place.sync(claim, deployment("second", ns, wave=1))

        assert isinstance(applied.failure, Waiting)
        assert "never" in str(applied.failure)
        assert [one.result for one in applied.outcomes] == [Result.CREATED, Result.SKIPPED]


async def test_a_newer_commit_ends_a_wait(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        ns = place.namespace
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "never", "namespace": ns},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "none-such",
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }
        plan = await place.plan(claim, deployment("second", ns, wave=1))
        superseded = asyncio.Event()
        task = asyncio.create_task(place.target.apply(Permitted(plan), place.application, superseded=superseded))
        await eventually(lambda: place.sent.count("PATCH", part="never", is_dry=False))
        superseded.set()
        applied = await task

        assert isinstance(applied.failure, Transient)


async def test_a_created_namespace_that_somebody_deleted_comes_back_with_what_was_in_it(
    cluster: KubeAccess, api: Api
) -> None:
    name = f"{cluster.namespace}-gone"
    async with placed(cluster) as place:
        place.entry(namespace=name, create_namespace=True)
        body = config_map("a", name, x="1")
        assert (await place.sync(body)).is_complete
        await api.request("DELETE", f"/api/v1/namespaces/{name}")
        await api.until("v1", "Namespace", name, lambda one: one is None)
        await eventually(lambda: not place.target._cache.members(place.placement))
        with pytest.raises((Transient, Waiting)):  # it has gone, or the server says for a moment that it still goes
            await place.plan(body)
        plan = await planned(place, body)
        assert [(one.key.kind, one.cause) for one in plan.objects] == [
            ("Namespace", Cause.PENDING),
            ("ConfigMap", Cause.DRIFT),
        ]
        assert (await place.apply(plan)).is_complete
    await api.request("DELETE", f"/api/v1/namespaces/{name}")


async def planned(place: Place, body: Body) -> Plan:
    """Plan until the server knows that a namespace has gone."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await place.plan(body)
            except (Transient, Waiting):
                await asyncio.sleep(0.02)


async def test_a_wave_that_is_no_number_stops_the_plan(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        body = config_map("a", place.namespace, x="1")
        body["metadata"]["annotations"] = {"converge/wave": "soon"}
        with pytest.raises(Stalled, match="whole number"):
            await place.plan(body)


async def test_a_changed_definition_is_written_before_its_objects_are_looked_at(cluster: KubeAccess) -> None:
    group = f"{cluster.namespace}.example.com"
    strict = definition(group)
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    strict["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema
    wider = definition(group)
    wider_schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"size": {"type": "integer"}, "colour": {"type": "string"}}}
        },
    }
    wider["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = wider_schema
    metadata = {"name": "w", "namespace": cluster.namespace}
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": metadata, "spec": {"size": 1}}
    async with placed(cluster) as place:
        assert (await place.sync(widget, strict)).failure is None
        coloured = {**widget, "spec": {"size": 1, "colour": "red"}}
        assert (await place.sync(coloured, wider, commit="b")).failure is None
        place.entry(state=State.ABSENT)
        assert (await place.sync(commit="c")).failure is None
