"""What a controller does with the cluster: read it, write it under a manager's name, and be called again later."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from controller.sandbox.cluster.deletion import Deletion
from controller.sandbox.cluster.objects import Objects, Request
from controller.sandbox.cluster.schema import Kind

Object = dict[str, Any]
Key = tuple[str, str, str]  # kind, namespace, name
CONTROLLER_MANAGER, KUBELET = "kube-controller-manager", "kubelet"


class Control:
    """Built-in kinds by their names; a missing object is None, never an error."""

    def __init__(
        self, objects: Objects, later: Callable[[float, Key], None], dependents: Callable[[str], list[Key]]
    ) -> None:
        self.objects = objects
        self.later = later
        self._dependents = dependents

    def kind(self, name: str) -> Kind:
        return self.objects.registry.builtin(name)

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        return self.objects.store.get(self.kind(kind).key, (namespace, name))

    def children(self, kind: str, owner: Object) -> list[Object]:
        """Give what an owner controls, in the order of names."""
        found = []
        for one, namespace, name in sorted(self._dependents(owner["metadata"]["uid"])):
            child = self.get(kind, namespace, name) if one == kind else None
            if child is not None and is_controlled(child, owner):
                found.append(child)
        return found

    def create(self, kind: str, namespace: str, body: Object, *, manager: str = CONTROLLER_MANAGER) -> Object:
        created, _ = self.objects.create(Request(kind=self.kind(kind), namespace=namespace, manager=manager), body)
        return created

    def update(
        self, kind: str, old: Object, new: Object, *, manager: str = CONTROLLER_MANAGER, status: bool = False
    ) -> Object:
        """Write a changed copy; nothing is written where nothing changed."""
        meta = old["metadata"]
        request = Request(
            kind=self.kind(kind), namespace=meta.get("namespace", ""), name=meta["name"], manager=manager,
            subresource="status" if status else "",
        )  # fmt: skip
        written, _ = self.objects.replace(request, new)
        return written

    def set_status(self, kind: str, old: Object, status: Object, *, manager: str = CONTROLLER_MANAGER) -> Object:
        if old.get("status") == status:
            return old
        return self.update(kind, old, {**old, "status": status}, manager=manager, status=True)

    def bind(self, pod: Object, node: str, now: str) -> Object:
        """Put a pod on a node, as the scheduler's binding does: nobody owns what that writes."""
        scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
        meta = pod["metadata"]
        bound = {
            **pod, "spec": {**pod["spec"], "nodeName": node}, "status": {**pod["status"], "conditions": [scheduled]},
        }  # fmt: skip
        return self.objects.store.put(self.kind("Pod").key, (meta["namespace"], meta["name"]), bound)

    def delete(self, kind: str, body: Object, *, grace_seconds: int | None = None) -> None:
        self.delete_of(self.kind(kind), body, grace_seconds=grace_seconds)

    def delete_of(self, kind: Kind, body: Object, *, grace_seconds: int | None = None) -> None:
        meta = body["metadata"]
        request = Request(kind=kind, namespace=meta.get("namespace", ""), name=meta["name"], manager=CONTROLLER_MANAGER)
        self.objects.delete(request, Deletion(uid=meta["uid"], grace_seconds=grace_seconds))


def is_controlled(child: Object, owner: Object) -> bool:
    uid = owner["metadata"]["uid"]
    return any(one.get("controller") and one["uid"] == uid for one in child["metadata"].get("ownerReferences", ()))


def owner_reference(owner: Object) -> Object:
    meta = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip


def pod_from(template: Object, owner: Object, *, labels: dict[str, str] | None = None) -> Object:
    """Make a pod's body from a workload's template."""
    meta = template.get("metadata", {})
    return {
        "metadata": {
            "generateName": f"{owner['metadata']['name']}-",
            "labels": {**meta.get("labels", {}), **(labels or {})},
            "annotations": dict(meta.get("annotations", {})),
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": copy.deepcopy(template["spec"]),
    }


def is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def is_leaving(body: Object) -> bool:
    return "deletionTimestamp" in body["metadata"]


def with_condition(conditions: list[Object], new: Object, now: str) -> list[Object]:
    """Put a condition into a list; its transition time moves only with its status."""
    old = next((one for one in conditions if one["type"] == new["type"]), None)
    if old and all(old.get(name) == value for name, value in new.items()):
        return conditions
    moved = now if old is None or old["status"] != new["status"] else old.get("lastTransitionTime", now)
    written = {**new, "lastTransitionTime": moved}
    if old is None:
        return [*conditions, written]
    return [written if one is old else one for one in conditions]
