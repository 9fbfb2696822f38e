"""What the server itself writes into an object when it is created or updated (the strategies of its registries)."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from controller.sandbox.cluster.defaults import TEMPLATE_GENERATION
from controller.sandbox.cluster.schema import Body, Kind

NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # no vowels: no words (apimachinery util/rand)
WITH_GENERATION = {
    "CronJob", "CustomResourceDefinition", "DaemonSet", "Deployment", "EndpointSlice", "Ingress", "Job",
    "NetworkPolicy", "Pod", "PodDisruptionBudget", "ReplicaSet", "StatefulSet",
}  # fmt: skip
# What an update can't change, whatever it says.
KEPT_META = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "namespace",
    "name",
)


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_since(time: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds()


def generated_name(prefix: str) -> str:
    return prefix + "".join(random.choices(NAME_LETTERS, k=5))  # noqa: S311 - a name, not a secret


def on_create(kind: Kind, body: dict[str, Any], namespace: str) -> None:
    """Complete a new object."""
    meta = body["metadata"]
    meta["uid"] = str(uuid.uuid4())
    meta["creationTimestamp"] = now()
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
        meta.pop(name, None)
    if kind.is_namespaced:
        meta["namespace"] = namespace
    else:
        meta.pop("namespace", None)
    if has_generation(kind):
        meta["generation"] = 1
    if "status" in kind.subresources:
        body.pop("status", None)
    if complete := CREATIONS.get(kind.kind) if kind.is_builtin else None:
        complete(body)


def has_generation(kind: Kind) -> bool:
    return kind.kind in WITH_GENERATION or not kind.is_builtin


def on_update(kind: Kind, old: dict[str, Any], new: dict[str, Any], *, subresource: str) -> None:
    """Carry over what an update does not change, and count generations."""
    meta, before = new["metadata"], old["metadata"]
    for name in KEPT_META:
        meta.pop(name, None)
        if name in before:
            meta[name] = before[name]
    if complete := UPDATES.get(kind.kind) if kind.is_builtin else None:
        complete(old, new)
    is_moved = _desired(kind, old) != _desired(kind, new)
    if kind.kind == "Deployment" and subresource != "status":  # its annotations go to its ReplicaSets
        is_moved = is_moved or before.get("annotations") != meta.get("annotations")
    if has_generation(kind) and is_moved:
        meta["generation"] = before.get("generation", 0) + 1


def _desired(kind: Kind, body: Body) -> Body:
    ignored = {"metadata", "apiVersion", "kind"}
    if kind.is_builtin or "status" in kind.subresources:
        ignored.add("status")
    return {name: value for name, value in body.items() if name not in ignored}


def _namespace(body: dict[str, Any]) -> None:
    body["spec"] = {"finalizers": ["kubernetes"]}
    body["status"] = {"phase": "Active"}


def _service(body: dict[str, Any]) -> None:
    spec = body["spec"]
    body["status"] = {"loadBalancer": {}}
    if spec["type"] == "ExternalName":
        return
    spec.setdefault("clusterIP", _address())
    spec["clusterIPs"] = [spec["clusterIP"]]
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    _node_ports(spec)


def _address() -> str:
    return f"10.{random.randint(96, 111)}.{random.randint(0, 255)}.{random.randint(1, 254)}"  # noqa: S311


def _node_ports(spec: dict[str, Any]) -> None:
    if spec["type"] in {"NodePort", "LoadBalancer"}:
        for port in spec.get("ports", ()):
            port.setdefault("nodePort", random.randint(30000, 32767))  # noqa: S311 - a port, not a secret


def _service_update(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Addresses that were given stay although the update does not name them (core/service, patchAllocatedValues)."""
    spec, before = new["spec"], old["spec"]
    if spec["type"] == "ExternalName":
        return
    for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if name in before:
            spec.setdefault(name, before[name])
    if "clusterIP" not in spec:
        _service(new)
    ports = {(port["port"], port.get("protocol")): port.get("nodePort") for port in before.get("ports", ())}
    if spec["type"] in {"NodePort", "LoadBalancer"}:
        for port in spec.get("ports", ()):
            if known := ports.get((port["port"], port.get("protocol"))):
                port.setdefault("nodePort", known)
    _node_ports(spec)


def _job(body: dict[str, Any]) -> None:
    meta, spec = body["metadata"], body["spec"]
    labels = {
        "batch.kubernetes.io/controller-uid": meta["uid"], "batch.kubernetes.io/job-name": meta["name"],
        "controller-uid": meta["uid"], "job-name": meta["name"],
    }  # fmt: skip
    template = spec["template"]["metadata"]
    template["labels"] = {**template.get("labels", {}), **labels}
    if not spec.get("manualSelector"):
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": meta["uid"]}}
    meta.setdefault("labels", dict(template["labels"]))
    body["status"] = {}


def _job_update(old: dict[str, Any], new: dict[str, Any]) -> None:
    """A job's selector and the labels that it gave its template come back where an update leaves them out."""
    new["spec"].setdefault("selector", old["spec"].get("selector"))
    generated = old["spec"]["template"]["metadata"].get("labels", {})
    template = new["spec"]["template"]["metadata"]
    if "controller-uid" not in template.get("labels", {}):
        template["labels"] = {
            **template.get("labels", {}),
            **{name: value for name, value in generated.items() if name.endswith(("controller-uid", "job-name"))},
        }


def _claim(body: dict[str, Any]) -> None:
    meta = body["metadata"]
    finalizers = meta.setdefault("finalizers", [])
    if "kubernetes.io/pvc-protection" not in finalizers:
        finalizers.append("kubernetes.io/pvc-protection")
    body["status"] = {"phase": "Pending"}


def _pod(body: dict[str, Any]) -> None:
    spec = body["spec"]
    spec.setdefault("serviceAccountName", "default")
    spec["serviceAccount"] = spec["serviceAccountName"]
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault("priority", 0)
    tolerations = spec.setdefault("tolerations", [])
    for taint in ("not-ready", "unreachable"):
        key = f"node.kubernetes.io/{taint}"
        if not any(one.get("key") == key for one in tolerations):
            tolerations.append({"effect": "NoExecute", "key": key, "operator": "Exists", "tolerationSeconds": 300})
    if spec.get("automountServiceAccountToken", True):
        _mount_token(spec)
    body["status"] = {"phase": "Pending", "qosClass": _quality(spec)}


def _quality(spec: dict[str, Any]) -> str:
    """Guaranteed where every container's requests are its limits of both cpu and memory (qos.GetPodQOS)."""
    resources = [one.get("resources", {}) for one in (*spec.get("initContainers", ()), *spec["containers"])]
    if not any(one.get("limits") or one.get("requests") for one in resources):
        return "BestEffort"
    full = all(
        {"cpu", "memory"} <= set(one.get("limits", {})) and one.get("requests") == one["limits"] for one in resources
    )
    return "Guaranteed" if full else "Burstable"


def _mount_token(spec: dict[str, Any]) -> None:
    """Give each container the service account's token, as the ServiceAccount admission does."""
    if any(volume["name"].startswith("kube-api-access-") for volume in spec.get("volumes", ())):
        return
    name = generated_name("kube-api-access-")
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"items": [{"key": "ca.crt", "path": "ca.crt"}], "name": "kube-root-ca.crt"}},
        {
            "downwardAPI": {
                "items": [{"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}, "path": "namespace"}]
            }
        },
    ]
    spec.setdefault("volumes", []).append({"name": name, "projected": {"defaultMode": 420, "sources": sources}})
    path = "/var/run/secrets/kubernetes.io/serviceaccount"
    for container in (*spec.get("initContainers", ()), *spec.get("containers", ())):
        mounts = container.setdefault("volumeMounts", [])
        if not any(mount["mountPath"] == path for mount in mounts):
            mounts.append({"mountPath": path, "name": name, "readOnly": True})


def _daemon_set(body: dict[str, Any]) -> None:
    _counts(body)


def _daemon_set_update(old: dict[str, Any], new: dict[str, Any]) -> None:
    count = int(old["metadata"].get("annotations", {}).get(TEMPLATE_GENERATION, "1"))
    count += old["spec"]["template"] != new["spec"]["template"]
    new["metadata"].setdefault("annotations", {})[TEMPLATE_GENERATION] = str(count)


def _counts(body: dict[str, Any]) -> None:
    body["status"] = {
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    }


def _replicas(body: dict[str, Any]) -> None:
    body["status"] = {"replicas": 0}


def _stateful_set(body: dict[str, Any]) -> None:
    body["status"] = {"replicas": 0, "availableReplicas": 0}


def _empty_status(body: dict[str, Any]) -> None:
    body["status"] = {}


def _ingress(body: dict[str, Any]) -> None:
    body["status"] = {"loadBalancer": {}}


def _budget(body: dict[str, Any]) -> None:
    body["status"] = {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}


def _definition(body: dict[str, Any]) -> None:
    body["status"] = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": _stored(body)}


def _stored(body: dict[str, Any]) -> list[str]:
    return [one["name"] for one in body["spec"]["versions"] if one.get("storage")]


def _autoscaler(body: dict[str, Any]) -> None:
    body["status"] = {"desiredReplicas": 0, "currentMetrics": None}


CREATIONS: Mapping[str, Callable[[dict[str, Any]], None]] = {
    "CronJob": _empty_status,
    "CustomResourceDefinition": _definition,
    "DaemonSet": _daemon_set,
    "Deployment": _empty_status,
    "HorizontalPodAutoscaler": _autoscaler,
    "Ingress": _ingress,
    "Job": _job,
    "Namespace": _namespace,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "PodDisruptionBudget": _budget,
    "ReplicaSet": _replicas,
    "Service": _service,
    "StatefulSet": _stateful_set,
}
UPDATES: Mapping[str, Callable[[dict[str, Any], dict[str, Any]], None]] = {
    "DaemonSet": _daemon_set_update,
    "Job": _job_update,
    "Service": _service_update,
}
