"""A whole namespace is imported, with what controllers, Helm and operators put beside what people wrote."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from controller.documents import Dialect, read, write
from controller.model import Adopt, MemoryTree, ObjectKey, RepositoryName, format_path
from controller.render import build
from controller.targets.kubernetes import Imported, import_from
from controller.targets.kubernetes.connection import Connection
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.targets.kubernetes.observing import login_to
from tests.targets.kubernetes.placing import Body, config_map, deployment, placed, service
from tests.targets.kubernetes.test_adopting import by_helm, client_side, server_side
from tests.targets.kubernetes.test_releasing import autoscaler

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

CANARY = "canary-import-8123"
MARKS = frozenset({
    "metadata.annotations", "metadata.labels", 'metadata.annotations["converge/owner"]',
    'metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]',
    'metadata.annotations["meta.helm.sh/release-name"]', 'metadata.annotations["meta.helm.sh/release-namespace"]',
    'metadata.labels["applyset.kubernetes.io/part-of"]', 'metadata.labels["converge/installation"]',
})  # fmt: skip
OTHERS = frozenset({
    "configmap-kube-root-ca.crt.yaml", "serviceaccount-default.yaml", "secret-robot-token.yaml", "secret-release.yaml",
    "persistentvolumeclaim-data-db-0.yaml", "configmap-child.yaml", "configmap-left.yaml",
})  # fmt: skip


def of(api_version: str, kind: str, name: str, **rest: Any) -> Body:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **rest}


def pod_template(name: str, **spec: Any) -> Body:
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "nginx:1"}], **spec}}


def claim(name: str) -> Body:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return of("v1", "PersistentVolumeClaim", name, spec=spec)


def workloads(ns: str) -> list[Body]:
    labels = {"matchLabels": {"app": "db"}}
    stateful = {"serviceName": "db", "replicas": 1, "selector": labels, "template": pod_template("db"),
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim("data")["spec"]}]}  # fmt: skip
    job = {"template": pod_template("once", restartPolicy="Never")}
    return [
        deployment("web", ns, replicas=2),
        of("apps/v1", "StatefulSet", "db", spec=stateful),
        of("apps/v1", "DaemonSet", "agent", spec={"selector": {"matchLabels": {"app": "agent"}},
                                                 "template": pod_template("agent")}),
        of("apps/v1", "ReplicaSet", "bare", spec={"selector": {"matchLabels": {"app": "bare"}}, "replicas": 1,
                                                 "template": pod_template("bare")}),
        of("batch/v1", "Job", "once", spec=job),
        of("batch/v1", "CronJob", "nightly", spec={"schedule": "* * * * *", "jobTemplate": {"spec": job}}),
        autoscaler("web", ns),
        of("policy/v1", "PodDisruptionBudget", "web", spec={"minAvailable": 1,
                                                           "selector": {"matchLabels": {"app": "web"}}}),
        claim("files"),
        of("v1", "PodTemplate", "mould", template=pod_template("mould")),
    ]  # fmt: skip


def traffic(ns: str) -> list[Body]:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"host": "shop.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    node = service("node", ns)
    node["spec"] |= {"type": "NodePort", "ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81}]}
    headless = service("db", ns)
    headless["spec"]["clusterIP"] = "None"
    ports = [{"name": "pg", "port": 5432}]
    return [
        service("web", ns),
        node,
        headless,
        of("v1", "Service", "elsewhere", spec={"type": "ExternalName", "externalName": "db.example.com"}),
        of("v1", "Service", "outside", spec={"ports": [{"name": "pg", "port": 5432}]}),
        of("discovery.k8s.io/v1", "EndpointSlice", "outside-1", addressType="IPv4", ports=ports,
           endpoints=[{"addresses": ["192.0.2.7"]}]) | {"metadata": {"name": "outside-1", "labels": {
               "kubernetes.io/service-name": "outside"}}},
        of("networking.k8s.io/v1", "Ingress", "web", spec={"ingressClassName": "nginx", "rules": [rule]}),
        of("networking.k8s.io/v1", "NetworkPolicy", "deny", spec={"podSelector": {}}),
    ]  # fmt: skip


def rights(ns: str) -> list[Body]:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    subject = {"kind": "ServiceAccount", "name": "robot", "namespace": ns}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "team:reader"}
    return [
        of("v1", "ServiceAccount", "robot"),
        of("rbac.authorization.k8s.io/v1", "Role", "team:reader", rules=rules),
        of("rbac.authorization.k8s.io/v1", "RoleBinding", "reader", roleRef=role, subjects=[subject]),
        of("v1", "ResourceQuota", "bounds", spec={"hard": {"count/widgets.example.com": "100"}}),
        of("v1", "LimitRange", "bounds", spec={"limits": [{"type": "Container", "default": {"cpu": "500m"}}]}),
    ]


def configuration(ns: str) -> list[Body]:
    return [
        config_map("settings", ns, x="1", y=""),
        of("v1", "Secret", "password", type="Opaque", data={"p": base64.b64encode(CANARY.encode()).decode()}),
    ]


@asynccontextmanager
async def operator(api: Api) -> AsyncIterator[str]:
    """Serve a kind that some operator brings, named Service as a cluster's own kind is; give its group."""
    group = f"g{secrets.token_hex(4)}.example.com"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "Service", "plural": "services", "singular": "service"}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    definition = of("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"services.{group}", spec=spec)
    await api.create(definition)
    await api.until(
        definition["apiVersion"], definition["kind"], definition["metadata"]["name"],
        lambda one: one and any(c["type"] == "Established" and c["status"] == "True"
                                for c in one.get("status", {}).get("conditions") or ()),
    )  # fmt: skip
    try:
        yield group
    finally:
        await api.delete(definition)


async def whole(api: Api, group: str) -> None:
    """Make everything, by every tool, and wait until the controllers put their part beside it."""
    ns = api.access.namespace
    for number, body in enumerate((*configuration(ns), *rights(ns), *traffic(ns), *workloads(ns))):
        await (client_side, server_side, by_helm)[number % 3](api, body)
    await client_side(api, of(f"{group}/v1", "Service", "web", spec={"size": 3}))
    owner = await api.get(f"{group}/v1", "Service", "web")
    mark = {"apiVersion": f"{group}/v1", "kind": "Service", "name": "web", "uid": owner["metadata"]["uid"]}
    child = config_map("child", ns, x="1")
    await api.create({**child, "metadata": {**child["metadata"], "ownerReferences": [mark]}})
    annotation = {"kubernetes.io/service-account.name": "robot"}
    token = of("v1", "Secret", "robot-token", type="kubernetes.io/service-account-token")
    await api.create({**token, "metadata": {**token["metadata"], "annotations": annotation}})
    await api.create(of("v1", "Secret", "release", type="helm.sh/release.v1"))
    await api.patch(owner, {"metadata": {"finalizers": [f"{group}/cleanup"]}}, fieldManager="widget-operator")
    for kind, name, ready in (("Deployment", "web", "readyReplicas"), ("ReplicaSet", "bare", "readyReplicas")):
        await api.until("apps/v1", kind, name, lambda one, ready=ready: one and one.get("status", {}).get(ready))  # type: ignore[misc]
    await api.until("v1", "PersistentVolumeClaim", "data-db-0", bool)
    await api.until("batch/v1", "Job", "once", lambda one: one and one.get("status", {}).get("succeeded"))
    await api.until("v1", "ServiceAccount", "default", bool)
    await api.until("v1", "ConfigMap", "kube-root-ca.crt", bool)


async def imported(access: KubeAccess) -> tuple[Imported, ...]:
    async with Connection("test", login_to(access)) as connection:
        return (await import_from(connection, access.namespace)).objects


def rendered(found: tuple[Imported, ...], namespace: str) -> list[Body]:
    """Build what was imported as an application with `namespace:` is built."""
    files = {f"deploy/{one.file_name}": write(one.body) for one in found}
    head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    tree = MemoryTree({**files, "deploy/kustomization.yaml": write({**head, "resources": [
        one.removeprefix("deploy/") for one in sorted(files)]})}, RepositoryName("shop"))  # fmt: skip
    built = read(build(tree, "deploy"), path="built", dialect=Dialect.KUBERNETES)
    bodies: list[Any] = [dict(one.value) for one in built]  # type: ignore[arg-type]
    return [{**one, "metadata": {**one["metadata"], "namespace": namespace}} for one in bodies]


async def states(api: Api, keys: Iterable[ObjectKey], versions: Mapping[ObjectKey, str]) -> dict[str, Any]:
    """Give who each object is and what it says, without its metadata's marks and its moving status."""
    found = {}
    for key in keys:
        live = await api.get(versions[key], key.kind, key.name)
        rest = {name: value for name, value in live.items() if name not in {"metadata", "status"}}
        found[str(key)] = (live["metadata"]["uid"], rest)
    pods = (await api.list("v1", "Pod"))["items"]
    return {**found, "pods": {one["metadata"]["uid"] for one in pods if one["metadata"]["labels"]["app"] != "once"}}


async def test_all_that_a_namespace_holds_renders_to_no_difference(cluster: KubeAccess) -> None:
    ns = cluster.namespace
    async with Api.connect(cluster) as api, operator(api) as group:
        await whole(api, group)
        found = await imported(cluster)
        names = {one.file_name: one for one in found}
        assert not set(names) & OTHERS
        assert len(names) == len(found)
        written = [*configuration(ns)[:1], *rights(ns)[:-1], *traffic(ns), *workloads(ns)]
        assert {(one["kind"], one["metadata"]["name"]) for one in written} <= {
            (one.key.kind, one.key.name) for one in found
        }
        for body in written:
            metadata = {name: value for name, value in body["metadata"].items() if name != "namespace"}
            assert {**body, "metadata": metadata} in [as_written(one.body) for one in found], body
        assert len({one.key.group_kind for one in found}) >= 20
        assert [write(one.body) for one in await imported(cluster)] == [write(one.body) for one in found]
        bodies = rendered(found, ns)
        assert CANARY not in str(bodies)

        versions = {one.key: one.body["apiVersion"] for one in found}
        before = await states(api, versions, versions)
        async with placed(cluster) as place:
            place.policy(adopt=Adopt.TAKE_OVER)
            plan = await place.plan(*bodies)
            assert not [one.objection for one in plan.objects if one.objection]
            assert {format_path(change.path) for one in plan.objects for change in one.changes} <= MARKS
            assert (await place.apply(plan)).failure is None
            assert (await place.plan(*bodies)).is_empty
        assert await states(api, versions, versions) == before


def as_written(body: Body) -> Body:
    """Leave out what the server said for somebody: a Job's labels are those of its pods."""
    if body["kind"] != "Job":
        return body
    return {**body, "metadata": {name: value for name, value in body["metadata"].items() if name != "labels"}}
