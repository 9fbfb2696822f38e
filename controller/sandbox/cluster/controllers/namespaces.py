"""Namespaces: what each of them begins with, and their end."""

from __future__ import annotations

from controller.sandbox.cluster.controllers.control import Control, Object, is_leaving

ROOT_CA = "kube-root-ca.crt"


def reconcile(control: Control, namespace: Object) -> None:
    name = namespace["metadata"]["name"]
    if is_leaving(namespace):
        _empty(control, namespace, name)
        return
    if control.get("ServiceAccount", name, "default") is None:
        control.create("ServiceAccount", name, {"metadata": {"name": "default"}})
    if control.get("ConfigMap", name, ROOT_CA) is None:
        control.create(
            "ConfigMap", name, {"metadata": {"name": ROOT_CA}, "data": {"ca.crt": "the sandbox speaks no TLS\n"}}
        )


def _empty(control: Control, namespace: Object, name: str) -> None:
    """Delete everything in it; when nothing is left and nobody else holds it, it goes."""
    store = control.objects.store
    is_empty = True
    for kind in tuple(control.objects.registry.all()):
        for body in store.all(kind.key, name) if kind.is_namespaced else ():
            meta = body["metadata"]
            if not isinstance(meta, dict):
                continue
            if "deletionTimestamp" not in meta:
                control.delete_of(kind, body)
            if store.get(kind.key, (name, str(meta["name"]))) is not None:
                is_empty = False
    if is_empty and not namespace["metadata"].get("finalizers"):
        store.remove(("", "namespaces"), ("", name))
