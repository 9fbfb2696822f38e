"""What a cluster makes of our fields on their way in: webhooks and policies that rewrite them, versions it converts.

None of it is drift, and none of it is applied again and again.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from controller.model import Cause
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.fixtures.tls import Identity
from tests.fixtures.waiting import eventually
from tests.fixtures.webhooks import Object, webhooks
from tests.targets.kubernetes.placing import Body, Place, config_map, deployment, placed, service

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

MIRROR = "mirror.example.com/"


class Meddler:
    """A webhook as mesh and security products are: a mirror, a sidecar in front, marks that differ every time."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def __call__(self, body: Object) -> None:
        annotations = body["metadata"].setdefault("annotations", {})
        annotations["policy.example.com/number"] = str(next(self._numbers))
        if body["kind"] != "Deployment" and "x" not in body.get("data", {}):
            return
        if body["kind"] != "Deployment":
            body["data"]["x"] = body["data"]["x"].upper()
            body["data"].pop("unwanted", None)
            return
        pod = body["spec"]["template"]["spec"]
        ours = [one for one in pod["containers"] if one["name"] != "sidecar"]
        for one in ours:
            one["image"] = MIRROR + one["image"].removeprefix(MIRROR)
            one["env"] = sorted(one.get("env", []), key=lambda each: str(each["name"]), reverse=True)
        pod["containers"] = [{"name": "sidecar", "image": "proxy:1"}, *ours]


def registration(name: str, namespace: str, url: str, identity: Identity) -> Body:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": "rewrite.example.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "clientConfig": {"url": f"{url}/rewrite", "caBundle": identity.bundle},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": [
                    {
                        "apiGroups": ["", "apps"],
                        "apiVersions": ["*"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["configmaps", "deployments"],
                    }
                ],
            }
        ],
    }


@asynccontextmanager
async def meddled(api: Api, identity: Identity, url: str) -> AsyncIterator[None]:
    """Have a namespace's objects rewritten, from the moment on in which the server does so."""
    namespace = api.access.namespace
    body = registration(namespace, namespace, url, identity)
    await api.create(body)
    try:
        probe = config_map("probe", namespace, x="a")
        for number in itertools.count():
            if (await api.create({**probe, "metadata": {"name": f"probe-{number}"}}))["data"]["x"] == "A":
                break
        yield
    finally:
        await api.delete(body)


def nothing(_body: Object, _version: str) -> None:
    return


async def has_rest(place: Place, *bodies: Body) -> None:
    """Hold that there is nothing to do, and that finding this out costs no request."""
    place.sent.clear()
    plan = await place.plan(*bodies)
    assert plan.is_empty, [(str(one.key), one.changes, one.objection) for one in plan.objects]
    assert place.sent.without_lease == []


async def told_as_applied(place: Place, *bodies: Body) -> None:
    """Wait until a restarted controller follows each kind in the version in which it was applied."""
    wanted = {(one["kind"], one["apiVersion"]) for one in bodies}

    def is_told() -> bool:
        members = place.target._cache.members(place.placement)
        return {(one.key.kind, one.api_version) for one in members} == wanted

    await eventually(is_told)


async def heard(place: Place, api: Api, body: Body) -> None:
    """Wait until our view of an object is the server's."""
    live = await api.get(body["apiVersion"], body["kind"], body["metadata"]["name"])
    version = int(live["metadata"]["resourceVersion"])
    name = body["metadata"]["name"]

    def is_there() -> bool:
        found = [one for one in place.target._cache.members(place.placement) if one.key.name == name]
        return any(one.key.kind == body["kind"] and int(one.resource_version) >= version for one in found)

    await eventually(is_there)


async def test_what_a_webhook_makes_of_our_fields_is_no_drift_and_an_edit_beside_it_is(
    cluster: KubeAccess, api: Api, loopback_tls: Identity
) -> None:
    async with webhooks(loopback_tls, rewrite=Meddler(), convert=nothing) as url, meddled(api, loopback_tls, url):
        namespace = cluster.namespace
        bodies = [config_map("a", namespace, x="one", y="1", unwanted="z"), deployment("web", namespace)]
        async with placed(cluster) as place:
            assert (await place.sync(*bodies)).failure is None
            await has_rest(place, *bodies)
            await api.patch(bodies[1], {"metadata": {"annotations": {"note": "theirs"}}}, fieldManager="somebody")
            await heard(place, api, bodies[1])
            await has_rest(place, *bodies)

            await api.patch(bodies[0], {"data": {"y": "by hand", "x": "by hand"}}, fieldManager="mallory")
            await heard(place, api, bodies[0])
            plan = await place.plan(*bodies)
            (one,) = [one for one in plan.objects if one.changes]
            told = [(each.path, each.before, each.after, each.cause) for each in one.changes]
            assert told == [
                (("data", "x"), "BY HAND", "ONE", Cause.DRIFT),
                (("data", "y"), "by hand", "1", Cause.DRIFT),
            ]
            assert (await place.apply(plan)).failure is None
            await heard(place, api, bodies[0])
            await has_rest(place, *bodies)

            newer = [
                config_map("a", namespace, x="two", y="1", unwanted="z"),
                deployment("web", namespace, image="n:2"),
            ]
            plan = await place.plan(*newer, commit="b")
            told = {str(each.path[-1]): each.after for one in plan.objects for each in one.changes}
            assert told == {"x": "TWO", "image": f"{MIRROR}n:2"}
            assert (await place.apply(plan)).failure is None
            await has_rest(place, *newer)
        async with placed(cluster) as place:
            assert (await place.plan(*newer, commit="b")).is_empty  # the order that it changed is looked at once
            await has_rest(place, *newer)


def definition(group: str, url: str, identity: Identity) -> Body:
    """Define Widgets: v1 says a size in words, v2, which is stored, in numbers."""
    note = {"note": {"type": "string"}}
    said = {"v1": {"size": {"type": "string"}} | note, "v2": {"cpu": {"type": "integer"}} | note}
    conversion = {
        "conversionReviewVersions": ["v1"],
        "clientConfig": {"url": f"{url}/convert", "caBundle": identity.bundle},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": "Widget", "plural": "widgets"},
            "scope": "Namespaced",
            "conversion": {"strategy": "Webhook", "webhook": conversion},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == "v2",
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {"spec": {"type": "object", "properties": properties}},
                        }
                    },
                }
                for version, properties in said.items()
            ],
        },
    }


SIZES = {"small": 1, "large": 8}


def between_versions(body: Object, wanted: str) -> None:
    spec = body.get("spec", {})
    if wanted.endswith("/v2") and "size" in spec:
        spec["cpu"] = SIZES[spec.pop("size")]
    elif wanted.endswith("/v1") and "cpu" in spec:
        spec["size"] = {number: name for name, number in SIZES.items()}.get(spec.pop("cpu"), "small")


def widget(name: str, namespace: str, version: str, group: str, **spec: Any) -> Body:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": f"{group}/{version}", "kind": "Widget", "metadata": metadata, "spec": spec}


async def test_an_object_that_a_webhook_converts_is_as_applied_in_whatever_version(
    cluster: KubeAccess, api: Api, loopback_tls: Identity
) -> None:
    group = f"{cluster.namespace}.example.com"
    namespace = cluster.namespace
    async with webhooks(loopback_tls, rewrite=lambda _body: None, convert=between_versions) as url:
        crd = definition(group, url, loopback_tls)
        await api.create(crd)
        try:
            await api.until(
                "apiextensions.k8s.io/v1", "CustomResourceDefinition", crd["metadata"]["name"], is_established
            )
            await served(api, group)
            first = widget("a", namespace, "v1", group, size="small")
            async with placed(cluster) as place:
                assert (await place.sync(first)).failure is None
                await has_rest(place, first)
                newer = widget("a", namespace, "v2", group, cpu=1)
                await api.patch(newer, {"spec": {"note": "theirs"}}, fieldManager="an-operator")
                await heard(place, api, first)
                assert (await place.plan(first)).is_empty
                await has_rest(place, first)
                await api.patch(newer, {"spec": {"cpu": 8}}, fieldManager="mallory")
                await heard(place, api, first)
                plan = await place.plan(first)
                (one,) = plan.objects
                assert [(each.path, each.before, each.after, each.cause) for each in one.changes] == [
                    (("spec", "size"), "large", "small", Cause.DRIFT)
                ]
                assert (await place.apply(plan)).failure is None
                await heard(place, api, first)
                await has_rest(place, first)
                await api.patch(newer, {"spec": {"cpu": 8}}, fieldManager="mallory")
                await heard(place, api, first)
                both = {**first, "metadata": {**first["metadata"], "labels": {"a": "b"}}}
                plan = await place.plan(both, commit="c")
                assert {str(each.path[-1]): each.cause for one in plan.objects for each in one.changes} == {
                    "size": Cause.DRIFT,
                    "a": Cause.PENDING,
                }
                assert (await place.apply(plan)).failure is None
                await heard(place, api, both)
                await has_rest(place, both)
                assert (await place.sync(first, commit="d")).failure is None
            async with placed(cluster) as place:
                await told_as_applied(place, first)
                await has_rest(place, first)
                plan = await place.plan(newer, commit="b")
                assert not [one.objection for one in plan.objects if one.objection]
                assert (await place.apply(plan)).failure is None
                assert (await place.plan(newer, commit="b")).is_empty
                await has_rest(place, newer)
                live = await api.get(f"{group}/v2", "Widget", "a")
                assert live["spec"] == {"cpu": 1, "note": "theirs"}
        finally:
            await api.delete(crd)
            await api.until(
                "apiextensions.k8s.io/v1", "CustomResourceDefinition", crd["metadata"]["name"], lambda one: one is None
            )


def is_established(body: Object | None) -> bool:
    conditions = ((body or {}).get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


async def served(api: Api, group: str) -> None:
    found: set[str] = set()
    while not {"v1", "v2"} <= found:
        listed = await api.request("GET", "/apis")
        versions = [one["versions"] for one in listed["groups"] if one["name"] == group]
        found = {each["version"] for one in versions for each in one}


def spoken_otherwise(namespace: str) -> list[Body]:
    """Say things in ways that a server stores in other words."""
    web = deployment("web", namespace, replicas=2)
    pod = web["spec"]["template"]["spec"]
    pod["containers"][0] |= {
        "resources": {
            "requests": {"cpu": "1000m", "memory": "1024Mi", "ephemeral-storage": "1e9"},
            "limits": {"cpu": 2, "memory": "2048Mi", "ephemeral-storage": "2.0G"},
        },
        "ports": [{"containerPort": 8080}],
        "command": [],
        "securityContext": {"privileged": None},
    }
    pod["volumes"] = [{"name": "scratch", "emptyDir": {"sizeLimit": "1024Mi"}}]
    web["metadata"]["creationTimestamp"] = None
    web["status"] = {}
    secret: Body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": namespace},
        "data": {"a": base64.b64encode(b"one").decode(), "b": base64.b64encode(b"two").decode()},
    }
    scaler: Body = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "other", "namespace": namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "elsewhere"},
            "minReplicas": 1,
            "maxReplicas": 4,
            "targetCPUUtilizationPercentage": 70,
        },
    }
    quota: Body = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q", "namespace": namespace},
        "spec": {"hard": {"cpu": "64000m", "memory": "65536Mi", "pods": 100}},
    }
    bounds: Body = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "l", "namespace": namespace},
        "spec": {"limits": [{"type": "Container", "max": {"cpu": "8000m"}, "defaultRequest": {"memory": "0.5Gi"}}]},
    }
    claim: Body = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "c", "namespace": namespace},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "none",
            "resources": {"requests": {"storage": "1024Mi"}},
        },
    }
    policy: Body = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "n", "namespace": namespace},
        "spec": {"podSelector": {}, "ingress": [{}], "policyTypes": ["Ingress"]},
    }
    return [web, secret, scaler, quota, bounds, claim, policy, service("web", namespace)]


async def test_what_is_said_otherwise_than_it_is_stored_is_as_applied(cluster: KubeAccess, api: Api) -> None:
    bodies = spoken_otherwise(cluster.namespace)
    async with placed(cluster) as place:
        assert (await place.sync(*bodies)).failure is None
        await has_rest(place, *bodies)
        for body in bodies:
            touched = {"metadata": {"annotations": {"note": "theirs"}}}
            await api.patch({**body, "apiVersion": at_another(body)}, touched, fieldManager="somebody")
        for body in bodies:
            await heard(place, api, body)
        await has_rest(place, *bodies)
        scaler = next(one for one in bodies if one["kind"] == "HorizontalPodAutoscaler")
        target = {"type": "Utilization", "averageUtilization": 99}
        metrics = {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]}
        await api.patch({**scaler, "apiVersion": at_another(scaler)}, {"spec": metrics}, fieldManager="mallory")
        await heard(place, api, scaler)
        plan = await place.plan(*bodies)
        (change,) = [each for one in plan.objects for each in one.changes]
        assert (change.path[-1], change.before, change.after) == ("targetCPUUtilizationPercentage", 99, 70)
        assert change.editor is not None
        assert change.editor.manager == "mallory"
        assert (await place.apply(plan)).failure is None
        await heard(place, api, scaler)
        await has_rest(place, *bodies)
    async with placed(cluster) as place:
        await told_as_applied(place, *bodies)
        await has_rest(place, *bodies)


def at_another(body: Body) -> str:
    """Give another version in which an object is served, where there is one."""
    return "autoscaling/v2" if body["kind"] == "HorizontalPodAutoscaler" else str(body["apiVersion"])
