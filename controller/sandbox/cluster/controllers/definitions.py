"""CustomResourceDefinitions: accepted at once, and gone only after their objects."""

from __future__ import annotations

from controller.sandbox.cluster import lifecycle
from controller.sandbox.cluster.controllers.control import Control, Object, is_leaving, with_condition
from controller.sandbox.cluster.deletion import CUSTOM_CLEANUP

API_SERVER = "kube-apiserver"


def reconcile(control: Control, definition: Object) -> None:
    spec = definition["spec"]
    if is_leaving(definition):
        _end(control, definition)
        return
    now = lifecycle.now()
    old = definition.get("status", {})
    conditions = old.get("conditions") or []
    accepted = ("NamesAccepted", "NoConflicts", "no conflicts found")
    established = ("Established", "InitialNamesAccepted", "the initial names have been accepted")
    for kind, reason, message in (accepted, established):
        condition = {"type": kind, "status": "True", "reason": reason, "message": message}
        conditions = with_condition(conditions, condition, now)
    storage = [one["name"] for one in spec["versions"] if one.get("storage")]
    stored = old.get("storedVersions") or []
    status = {
        "conditions": conditions, "acceptedNames": spec["names"],
        "storedVersions": [*stored, *(one for one in storage if one not in stored)],
    }  # fmt: skip
    control.set_status("CustomResourceDefinition", definition, status, manager=API_SERVER)


def _end(control: Control, definition: Object) -> None:
    registry, store = control.objects.registry, control.objects.store
    spec = definition["spec"]
    kind = registry.by_key((spec["group"], spec["names"]["plural"]))
    left = store.all((spec["group"], spec["names"]["plural"]))
    for body in left if kind else ():
        meta = body["metadata"]
        if kind and isinstance(meta, dict) and "deletionTimestamp" not in meta:
            control.delete_of(kind, body)
    if not store.all((spec["group"], spec["names"]["plural"])):
        finalizers = [one for one in definition["metadata"].get("finalizers", []) if one != CUSTOM_CLEANUP]
        changed = {**definition["metadata"], "finalizers": finalizers}
        control.update("CustomResourceDefinition", definition, {**definition, "metadata": changed})
        registry.forget()
