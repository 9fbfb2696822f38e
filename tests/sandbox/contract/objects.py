"""Objects that the tests write, and what they look at in them."""

from __future__ import annotations

import re
from typing import Any

from tests.cluster.api import Api

Object = dict[str, Any]
UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ADDRESS = re.compile(r"10\.\d+\.\d+\.\d+")
GENERATED = re.compile(r"(kube-api-access-)\w{5}")


def config_map(name: str = "c", **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(name: str = "web", *, image: str = "nginx:1", replicas: int = 2, **meta: Any) -> Object:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, **meta},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": image}]}},
        },
    }  # fmt: skip


def entry(live: Object, manager: str, *, operation: str = "Apply", subresource: str = "") -> Object | None:
    """Give one manager's entry in managedFields."""
    wanted = (manager, operation, subresource)
    for one in live["metadata"].get("managedFields", ()):
        if (one["manager"], one["operation"], one.get("subresource", "")) == wanted:
            found: Object = one
            return found
    return None


def owned(live: Object, manager: str, **which: str) -> Object:
    """Give the field set of one manager; empty where it owns nothing."""
    found = entry(live, manager, **which)
    return found["fieldsV1"] if found else {}


async def settled(api: Api, name: str = "web", *, kind: str = "Deployment") -> Object:
    """Wait until a workload's rollout is over and its controller has nothing left to write."""

    def is_done(live: Object | None) -> bool:
        if live is None or live.get("status", {}).get("observedGeneration") != live["metadata"]["generation"]:
            return False
        conditions = {one["type"]: one for one in live["status"].get("conditions", ())}
        wanted, status = live["spec"]["replicas"], live["status"]
        counts = [status.get(count, 0) for count in ("replicas", "updatedReplicas", "availableReplicas")]
        return counts == [wanted] * 3 and conditions.get("Progressing", {}).get("reason") == "NewReplicaSetAvailable"

    live = await api.until("apps/v1", kind, name, is_done)
    assert live is not None
    return live


def masked(value: Any, *, namespace: str, key: str = "") -> Any:
    """Hide what no two runs have in common."""
    if isinstance(value, dict):
        return {
            masked(name, namespace=namespace): masked(one, namespace=namespace, key=name)
            for name, one in value.items()
            if name != "time"
        }
    if isinstance(value, list):
        return [masked(one, namespace=namespace, key=key) for one in value]
    if key == "resourceVersion":
        return "VERSION"
    if key == "nodePort":
        return 30000
    if not isinstance(value, str):
        return value
    text = GENERATED.sub(r"\1XXXXX", TIME.sub("TIME", UID.sub("UID", value.replace(namespace, "NAMESPACE"))))
    return "ADDRESS" if ADDRESS.fullmatch(text) else text
