"""Workloads become ready, roll, fail, complete: what health is read from."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.api import Api
from tests.sandbox.contract.objects import Object, deployment, settled

TEMPLATE = {"metadata": {"labels": {"app": "w"}}, "spec": {"containers": [{"name": "w", "image": "nginx:1"}]}}


def workload(kind: str, **spec: Any) -> Object:
    selector = {"matchLabels": {"app": "w"}}
    return {
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "w"},
        "spec": {"selector": selector, "template": TEMPLATE, **spec},
    }  # fmt: skip


def job(image: str = "busybox:1", **spec: Any) -> Object:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "j", "image": image}]}}
    return {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
        "spec": {"backoffLimit": 0, "template": template, **spec},
    }  # fmt: skip


def condition(live: Object | None, kind: str) -> Object:
    conditions = (live or {}).get("status", {}).get("conditions") or ()
    return next((one for one in conditions if one["type"] == kind), {})


async def test_a_deployment_becomes_available(api: Api) -> None:
    await api.apply(deployment(replicas=3))
    live = await settled(api)
    status = live["status"]
    assert {name: status[name] for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")} == {
        "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3,
    }  # fmt: skip
    assert condition(live, "Available")["reason"] == "MinimumReplicasAvailable"
    assert live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"


async def test_a_new_image_rolls_a_new_replica_set(api: Api) -> None:
    await api.apply(deployment())
    await settled(api)
    await api.apply(deployment(image="nginx:2"))
    live = await settled(api)
    assert live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    sets = (await api.list("apps/v1", "ReplicaSet"))["items"]
    assert sorted(one["spec"]["replicas"] for one in sets) == [0, 2]


async def test_an_old_image_again_takes_its_old_replica_set(api: Api) -> None:
    for image in ("nginx:1", "nginx:2", "nginx:1"):
        await api.apply(deployment(image=image))
        live = await settled(api)
    assert live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    assert len((await api.list("apps/v1", "ReplicaSet"))["items"]) == 2


async def test_scaling_changes_the_pods_and_no_replica_set(api: Api) -> None:
    await api.apply(deployment(replicas=3))
    await settled(api)
    await api.apply(deployment(replicas=1))
    await settled(api)
    assert len((await api.list("apps/v1", "ReplicaSet"))["items"]) == 1
    await api.apply(deployment(replicas=0))
    await settled(api)


async def test_a_rollout_that_fails_keeps_what_runs(api: Api) -> None:
    await api.apply(deployment(replicas=2))
    await settled(api)
    body = deployment(replicas=2, image="fail.example/pull/web:1")
    body["spec"]["progressDeadlineSeconds"] = 1
    await api.apply(body)
    live = await api.until(
        "apps/v1", "Deployment", "web",
        # On a busy machine the deadline passes before the new pods are counted.
        lambda live: condition(live, "Progressing").get("reason") == "ProgressDeadlineExceeded"
        and live["status"].get("updatedReplicas") == 1,
    )  # fmt: skip
    assert live is not None
    assert live["status"]["availableReplicas"] == 2
    assert condition(live, "Progressing")["status"] == "False"


@pytest.mark.parametrize(
    ("image", "reason"),
    [("fail.example/pull/web:1", "ImagePullBackOff"), ("fail.example/crash/web:1", "CrashLoopBackOff")],
)
async def test_a_pod_says_why_it_is_not_ready(api: Api, image: str, reason: str) -> None:
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "p", "image": image}]},
    }  # fmt: skip
    await api.apply(pod)
    live = await api.until("v1", "Pod", "p", lambda live: live and live["status"].get("containerStatuses"))
    assert live is not None
    assert live["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == reason
    assert condition(live, "Ready")["status"] == "False"


async def test_a_stateful_set_has_pods_with_ordinals(api: Api) -> None:
    await api.apply(workload("StatefulSet", serviceName="w", replicas=3))

    def is_done(live: Object | None) -> bool:
        status = (live or {}).get("status", {})
        return status.get("readyReplicas") == 3 and status.get("currentRevision") == status.get("updateRevision")

    live = await api.until("apps/v1", "StatefulSet", "w", is_done)
    assert live is not None
    assert live["status"]["observedGeneration"] == live["metadata"]["generation"]
    names = [one["metadata"]["name"] for one in (await api.list("v1", "Pod"))["items"]]
    assert names == ["w-0", "w-1", "w-2"]


async def test_a_stateful_set_rolls(api: Api) -> None:
    body = workload("StatefulSet", serviceName="w", replicas=2)
    await api.apply(body)
    await api.until("apps/v1", "StatefulSet", "w", lambda live: live and live["status"].get("readyReplicas") == 2)
    changed = {**TEMPLATE, "spec": {"containers": [{"name": "w", "image": "nginx:2"}]}}
    live = await api.apply({**body, "spec": {**body["spec"], "template": changed}})
    generation = live["metadata"]["generation"]

    def is_rolled(live: Object | None) -> bool:
        status = (live or {}).get("status", {})
        is_seen = status.get("observedGeneration") == generation
        return is_seen and status.get("updatedReplicas") == status.get("readyReplicas") == 2

    await api.until("apps/v1", "StatefulSet", "w", is_rolled)
    images = {one["spec"]["containers"][0]["image"] for one in (await api.list("v1", "Pod"))["items"]}
    assert images == {"nginx:2"}


async def test_a_daemon_set_has_a_pod_per_node(api: Api) -> None:
    await api.apply(workload("DaemonSet"))
    live = await api.until(
        "apps/v1", "DaemonSet", "w", lambda live: live and live["status"].get("numberAvailable") == 1
    )
    assert live is not None
    assert live["status"]["desiredNumberScheduled"] == live["status"]["updatedNumberScheduled"] == 1


async def test_a_job_completes(api: Api) -> None:
    await api.apply(job(completions=2, parallelism=2))
    live = await api.until("batch/v1", "Job", "j", lambda live: condition(live, "Complete").get("status") == "True")
    assert live is not None
    assert live["status"]["succeeded"] == 2
    assert live["status"]["completionTime"]


async def test_a_job_fails(api: Api) -> None:
    await api.apply(job("fail.example/crash/busybox:1"))
    live = await api.until("batch/v1", "Job", "j", lambda live: condition(live, "Failed").get("status") == "True")
    assert condition(live, "Failed")["reason"] == "BackoffLimitExceeded"


async def test_a_job_goes_after_its_time(api: Api) -> None:
    await api.apply(job(ttlSecondsAfterFinished=0))
    await api.until("batch/v1", "Job", "j", lambda live: live is None)


async def test_a_suspended_job_waits(api: Api) -> None:
    await api.apply(job(suspend=True))
    live = await api.until("batch/v1", "Job", "j", lambda live: condition(live, "Suspended").get("status") == "True")
    assert live is not None
    assert "active" not in live["status"]
    await api.apply(job(suspend=False))
    await api.until("batch/v1", "Job", "j", lambda live: condition(live, "Complete").get("status") == "True")


async def test_a_budget_counts_its_pods(api: Api) -> None:
    await api.apply(deployment(replicas=2))
    budget = {
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    }  # fmt: skip
    await api.apply(budget)
    live = await api.until(
        "policy/v1", "PodDisruptionBudget", "b",
        lambda live: live and live.get("status", {}).get("disruptionsAllowed") == 1,
    )  # fmt: skip
    assert live is not None
    assert (live["status"]["currentHealthy"], live["status"]["expectedPods"]) == (2, 2)


async def test_a_namespace_begins_with_a_service_account_and_the_root_certificate(api: Api) -> None:
    await api.until("v1", "ServiceAccount", "default", lambda live: live)
    await api.until("v1", "ConfigMap", "kube-root-ca.crt", lambda live: live)


CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


async def test_a_claim_is_bound(api: Api) -> None:
    await api.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": CLAIM})
    live = await api.until(
        "v1", "PersistentVolumeClaim", "c", lambda live: live and live["status"].get("phase") == "Bound"
    )
    assert live is not None
    assert live["spec"]["volumeName"] == f"pvc-{live['metadata']['uid']}"
    assert live["status"]["capacity"] == {"storage": "1Gi"}


async def test_a_stateful_sets_claims_outlive_it(api: Api) -> None:
    templates = [{"metadata": {"name": "data"}, "spec": CLAIM}]
    body = workload("StatefulSet", serviceName="w", replicas=1, volumeClaimTemplates=templates)
    await api.apply(body)
    await api.until("apps/v1", "StatefulSet", "w", lambda live: live and live["status"].get("readyReplicas") == 1)
    await api.delete(body)
    await api.until("v1", "Pod", "w-0", lambda live: live is None)
    claim = await api.get("v1", "PersistentVolumeClaim", "data-w-0")
    assert claim["metadata"]["labels"] == {"app": "w"}
    await api.delete(claim)
    await api.until("v1", "PersistentVolumeClaim", "data-w-0", lambda live: live is None)


async def test_a_load_balancer_gets_an_address(api: Api) -> None:
    spec = {"type": "LoadBalancer", "selector": {"a": "b"}, "ports": [{"port": 80}]}
    await api.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec})
    live = await api.until("v1", "Service", "s", lambda live: live and live["status"]["loadBalancer"].get("ingress"))
    assert live is not None
    assert live["status"]["loadBalancer"]["ingress"][0]["ip"].startswith("203.0.113.")
