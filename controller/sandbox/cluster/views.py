"""How objects are shown: whole, as their metadata only, or as the rows of a table that kubectl prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from controller.sandbox.cluster.lifecycle import seconds_since
from controller.sandbox.cluster.schema import Body, Kind

Row = Callable[[Body], list[Any]]


class View(StrEnum):
    WHOLE = "whole"
    METADATA = "PartialObjectMetadata"
    TABLE = "Table"


def wanted(accept: str) -> View:
    """Read an Accept header: the first of its media types that we serve."""
    for part in accept.split(","):
        if "as=Table" in part and "json" in part:
            return View.TABLE
        if "as=PartialObjectMetadata" in part and "json" in part:
            return View.METADATA
        if part.strip().startswith(("application/json", "*/*")):
            return View.WHOLE
    return View.WHOLE


def show(kind: Kind, body: Body, view: View, *, with_objects: bool = True) -> Body:
    """Show one object."""
    if view is View.METADATA:
        return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": body["metadata"]}
    if view is View.TABLE:
        version = {"resourceVersion": body["metadata"].get("resourceVersion", "")}
        return _table(kind, [body], version, with_objects=with_objects)
    return body if body["apiVersion"] == kind.api_version else {**body, "apiVersion": kind.api_version}


def show_list(kind: Kind, items: Sequence[Body], meta: Body, view: View) -> Body:
    """Show a list."""
    if view is View.TABLE:
        return _table(kind, items, meta)
    if view is View.METADATA:
        shown = [show(kind, one, view) for one in items]
        return {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "items": shown}
    plain = [{name: value for name, value in one.items() if name not in {"kind", "apiVersion"}} for one in items]
    if not kind.is_builtin:  # custom resources keep their names in lists
        plain = [show(kind, one, view) for one in items]
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta, "items": plain}


def _table(kind: Kind, items: Sequence[Body], meta: Body, *, with_objects: bool = True) -> Body:
    columns, row = COLUMNS.get(kind.kind, ((), lambda _: [])) if kind.is_builtin else _custom_columns(kind)
    definitions = [_column("Name", format_="name"), *(_column(name) for name in columns), _column("Age")]
    rows = [
        {
            "cells": [one["metadata"]["name"], *row(one), _age(one)],
            "object": show(kind, one, View.METADATA) if with_objects else None,
        }
        for one in items
    ]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": definitions,
        "rows": rows,
    }


def _column(name: str, *, format_: str = "") -> Body:
    return {"name": name, "type": "string", "format": format_, "description": "", "priority": 0}


def _age(body: Body) -> str:
    seconds = (
        int(seconds_since(body["metadata"]["creationTimestamp"])) if "creationTimestamp" in body["metadata"] else 0
    )
    for size, unit, limit in ((1, "s", 120), (60, "m", 120), (3600, "h", 48), (86400, "d", 1 << 30)):
        if seconds < size * limit:
            return f"{max(0, seconds) // size}{unit}"
    return "?"


def _custom_columns(kind: Kind) -> tuple[tuple[str, ...], Row]:
    shown = [
        (name, path.lstrip(".").split(".")) for name, path in kind.columns if path != ".metadata.creationTimestamp"
    ]
    return tuple(name for name, _ in shown), lambda body: [_cell(_at(body, path)) for _, path in shown]


def _at(body: Any, path: Sequence[str]) -> Any:
    for step in path:
        body = body.get(step) if isinstance(body, dict) else None
    return body


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _count(body: Body, name: str) -> int:
    found: int = body.get("status", {}).get(name, 0)
    return found


def _deployment(body: Body) -> list[Any]:
    ready = f"{_count(body, 'readyReplicas')}/{body['spec'].get('replicas', 0)}"
    return [ready, _count(body, "updatedReplicas"), _count(body, "availableReplicas")]


def _replica_set(body: Body) -> list[Any]:
    return [body["spec"].get("replicas", 0), _count(body, "replicas"), _count(body, "readyReplicas")]


def _stateful_set(body: Body) -> list[Any]:
    return [f"{_count(body, 'readyReplicas')}/{body['spec'].get('replicas', 0)}"]


def _daemon_set(body: Body) -> list[Any]:
    names = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    return [_count(body, name) for name in names]


def _pod(body: Body) -> list[Any]:
    containers = body.get("status", {}).get("containerStatuses", [])
    reasons = [one["state"][state].get("reason") for one in containers for state in one["state"]]
    reason = next((one for one in reasons if one), body.get("status", {}).get("phase", ""))
    if "deletionTimestamp" in body["metadata"]:
        reason = "Terminating"
    ready = f"{sum(one['ready'] for one in containers)}/{len(body['spec']['containers'])}"
    return [ready, reason, sum(one["restartCount"] for one in containers)]


def _job(body: Body) -> list[Any]:
    conditions = {one["type"] for one in body.get("status", {}).get("conditions", ()) if one["status"] == "True"}
    state = next((one for one in ("Complete", "Failed", "Suspended") if one in conditions), "Running")
    return [state, f"{_count(body, 'succeeded')}/{body['spec'].get('completions', 1)}"]


def _service(body: Body) -> list[Any]:
    spec = body["spec"]
    ingress = body.get("status", {}).get("loadBalancer", {}).get("ingress", ())
    outside = spec.get("externalName") or ",".join(one.get("ip", "") for one in ingress) or "<none>"
    ports = ",".join(f"{one['port']}/{one.get('protocol', 'TCP')}" for one in spec.get("ports", ()))
    return [spec.get("type"), spec.get("clusterIP", "<none>"), outside, ports or "<none>"]


def _ingress(body: Body) -> list[Any]:
    hosts = ",".join(rule.get("host", "*") for rule in body["spec"].get("rules", ()))
    return [body["spec"].get("ingressClassName", "<none>"), hosts or "*"]


COLUMNS: Mapping[str, tuple[tuple[str, ...], Row]] = {
    "ConfigMap": (("Data",), lambda body: [len(body.get("data", {})) + len(body.get("binaryData", {}))]),
    "CronJob": (
        ("Schedule", "Suspend"),
        lambda body: [body["spec"]["schedule"], str(body["spec"].get("suspend", False))],
    ),
    "DaemonSet": (("Desired", "Current", "Ready", "Up-to-date", "Available"), _daemon_set),
    "Deployment": (("Ready", "Up-to-date", "Available"), _deployment),
    "Ingress": (("Class", "Hosts"), _ingress),
    "Job": (("Status", "Completions"), _job),
    "Namespace": (("Status",), lambda body: [body.get("status", {}).get("phase", "")]),
    "PersistentVolumeClaim": (
        ("Status", "Volume"),
        lambda body: [body.get("status", {}).get("phase", ""), body["spec"].get("volumeName", "")],
    ),
    "Pod": (("Ready", "Status", "Restarts"), _pod),
    "ReplicaSet": (("Desired", "Current", "Ready"), _replica_set),
    "Secret": (("Type", "Data"), lambda body: [body.get("type", ""), len(body.get("data", {}))]),
    "Service": (("Type", "Cluster-IP", "External-IP", "Port(s)"), _service),
    "StatefulSet": (("Ready",), _stateful_set),
}
