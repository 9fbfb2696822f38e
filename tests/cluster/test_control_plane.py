"""What the other tests rely on: the control plane works, its workloads become ready, and what shall fail fails."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.access import KubeAccess
from tests.cluster.api import Api, ApiError
from tests.cluster.kubectl import Kubectl

pytestmark = pytest.mark.cluster


def deployment(image: str, *, replicas: int = 2) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
        },
    }  # fmt: skip


def job(image: str) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"},
        "spec": {
            "backoffLimit": 0,
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "once", "image": image}]}},
        },
    }  # fmt: skip


def has_condition(kind: str) -> Any:
    def holds(live: dict[str, Any] | None) -> bool:
        conditions = ((live or {}).get("status") or {}).get("conditions", ())
        return any(one["type"] == kind and one["status"] == "True" for one in conditions)

    return holds


async def test_a_deployment_becomes_available(api: Api) -> None:
    await api.apply(deployment("nginx:1.27"))
    live = await api.until(
        "apps/v1", "Deployment", "web", lambda live: live and live.get("status", {}).get("readyReplicas") == 2
    )
    assert live


async def test_an_image_that_cannot_be_pulled_never_becomes_ready(api: Api) -> None:
    await api.apply(deployment("fail.example/pull/web:1", replicas=1))
    pods = await waiting_pods(api, "ImagePullBackOff")
    assert pods["status"]["phase"] == "Pending"


async def test_a_crashing_container_shows_a_crash_loop(api: Api) -> None:
    await api.apply(deployment("fail.example/crash/web:1", replicas=1))
    pod = await waiting_pods(api, "CrashLoopBackOff")
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 3


async def waiting_pods(api: Api, reason: str) -> dict[str, Any]:
    listed = await api.list("v1", "Pod")
    async with api.watch("v1", "Pod", resourceVersion=listed["metadata"]["resourceVersion"]) as events:
        for pod in listed["items"]:
            if reason in str(pod["status"]):
                return pod
        async for event in events:
            if reason in str(event["object"]["status"]):
                return event["object"]
    raise AssertionError("the watch ended")


async def test_jobs_complete_and_fail(api: Api) -> None:
    await api.apply(job("busybox:1"))
    await api.until("batch/v1", "Job", "once", has_condition("Complete"))
    failing = job("fail.example/crash/busybox:1")
    failing["metadata"]["name"] = "never"
    await api.apply(failing)
    await api.until("batch/v1", "Job", "never", has_condition("Failed"))


async def test_a_deleted_pod_goes_and_is_replaced(api: Api) -> None:
    await api.apply(deployment("nginx:1.27", replicas=1))
    await api.until("apps/v1", "Deployment", "web", has_condition("Available"))
    (pod,) = (await api.list("v1", "Pod"))["items"]
    await api.delete(pod)
    await api.until("v1", "Pod", pod["metadata"]["name"], lambda live: live is None)
    await api.until("apps/v1", "Deployment", "web", has_condition("Available"))


async def test_a_foreign_field_is_a_conflict_that_names_its_owner(api: Api) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"x": "1"}}
    await api.apply(body, manager="one")
    with pytest.raises(ApiError) as refused:
        await api.apply({**body, "data": {"x": "2"}}, manager="two")
    assert refused.value.code == 409
    assert [cause["field"] for cause in refused.value.causes] == [".data.x"]


async def test_kubectl_works_in_the_namespace(kubectl: Kubectl, cluster: KubeAccess) -> None:
    await kubectl("create", "configmap", "c", "--from-literal=x=1")
    done = await kubectl("get", "configmap", "c", "-o", "jsonpath={.metadata.namespace}/{.data.x}")
    assert done.out == f"{cluster.namespace}/1"
