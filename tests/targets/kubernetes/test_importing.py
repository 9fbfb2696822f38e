"""What runs in a namespace comes out as somebody wrote it, and renders to no difference."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from controller.documents import Dialect, read, write
from controller.model import Stalled
from controller.targets.kubernetes import Imported, import_from
from controller.targets.kubernetes.connection import Connection
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.targets.kubernetes.observing import login_to
from tests.targets.kubernetes.placing import Body, config_map, deployment, placed, service
from tests.targets.kubernetes.test_adopting import client_side
from tests.targets.kubernetes.test_hooks import job
from tests.targets.kubernetes.test_releasing import autoscaler

pytestmark = pytest.mark.slow


async def imported(access: KubeAccess) -> dict[str, Imported]:
    async with Connection("test", login_to(access)) as connection:
        return {one.file_name: one for one in (await import_from(connection, access.namespace)).objects}


def rich(namespace: str) -> Body:
    body = deployment("web", namespace, replicas=2)
    pod = body["spec"]["template"]["spec"]
    pod["containers"][0] |= {
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 5},
        "imagePullPolicy": "Always",
        "volumeMounts": [{"name": "config", "mountPath": "/etc/web"}, {"name": "scratch", "mountPath": "/tmp"}],
    }
    pod["volumes"] = [{"name": "config", "configMap": {"name": "a"}}, {"name": "scratch", "emptyDir": {}}]
    pod["terminationGracePeriodSeconds"] = 60
    return body


def without_namespace(body: Body) -> Body:
    metadata = {name: value for name, value in body["metadata"].items() if name != "namespace"}
    return {**body, "metadata": metadata}


def everything(namespace: str) -> list[Body]:
    claim: Body = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": namespace},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "none-such",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    stateful = {**deployment("db", namespace), "kind": "StatefulSet"}
    stateful["spec"] = {**stateful["spec"], "serviceName": "db"}
    headless = service("db", namespace)
    headless["spec"]["clusterIP"] = "None"
    return [
        config_map("a", namespace, x="1"), rich(namespace), service("web", namespace), headless, stateful, claim,
        autoscaler("web", namespace),
    ]  # fmt: skip


async def test_what_people_wrote_comes_out_as_they_wrote_it(access: KubeAccess) -> None:
    bodies = everything(access.namespace)
    async with Api.connect(access) as api:
        for body in bodies:
            await client_side(api, body)
        await api.until("apps/v1", "Deployment", "web", lambda one: one and one.get("status", {}).get("readyReplicas"))
    found = await imported(access)
    assert sorted(found) == [
        "configmap-a.yaml", "deployment-web.yaml", "horizontalpodautoscaler-web.yaml",
        "persistentvolumeclaim-data.yaml", "service-db.yaml", "service-web.yaml", "statefulset-db.yaml",
    ]  # fmt: skip
    for body in bodies:
        name = f"{body['kind'].lower()}-{body['metadata']['name']}.yaml"
        assert found[name].body == without_namespace(body)


async def test_what_comes_out_is_taken_over_without_a_change(access: KubeAccess) -> None:
    async with Api.connect(access) as api:
        for body in everything(access.namespace):
            await client_side(api, body)
    found = await imported(access)
    async with placed(access) as place:
        bodies = [_in(access.namespace, read_back(one)) for one in found.values()]
        plan = await place.plan(*bodies)
        assert not [one.objection for one in plan.objects if one.objection]
        changed = {
            (one.key.kind, change.path[0], str(change.path[1]))
            for one in plan.objects
            for change in one.changes
            if change.path[0] != "metadata"
        }
        assert changed == set()


def read_back(one: Imported) -> Body:
    value: Any = read(write(one.body), path=one.file_name, dialect=Dialect.KUBERNETES)[0].value
    return dict(value)


def _in(namespace: str, body: Body) -> Body:
    return {**body, "metadata": {**body["metadata"], "namespace": namespace}}


async def test_secrets_are_placeholders_and_children_and_noise_stay_out(access: KubeAccess) -> None:
    secret: Body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": access.namespace},
        "data": {"password": base64.b64encode(b"canary-7431").decode()},
    }
    async with Api.connect(access) as api:
        await api.create(secret)
        await api.create({**secret, "metadata": {**secret["metadata"], "name": "r"}, "type": "helm.sh/release.v1"})
        await api.create(job("once", access.namespace))
        await api.create(deployment("web", access.namespace))
        await api.until("apps/v1", "Deployment", "web", lambda one: one and one.get("status", {}).get("readyReplicas"))
    found = await imported(access)
    assert sorted(found) == ["deployment-web.yaml", "job-once.yaml", "secret-s.yaml"]
    body = found["secret-s.yaml"].body
    assert body["stringData"] == {"password": "REPLACE-ME"}
    assert body["metadata"]["annotations"] == {"converge/apply": "once"}
    assert "canary" not in repr(found)
    assert "selector" not in found["job-once.yaml"].body["spec"]


async def test_a_namespace_that_is_not_there_is_told(access: KubeAccess) -> None:
    async with Connection("test", login_to(access)) as connection:
        with pytest.raises(Stalled, match="no namespace nowhere"):
            await import_from(connection, "nowhere")
