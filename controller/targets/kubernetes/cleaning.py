"""A live object without what the server, controllers and deploying tools write. Pure.

Whether somebody chose a value that a cluster also gives by itself (a node port, a volume, a finalizer), the object's
managedFields say: what was allocated has no writer.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from controller.model import FieldPath, Step
from controller.targets.kubernetes.adopting import is_deployer
from controller.targets.kubernetes.discovery import Resource
from controller.targets.kubernetes.handover import without
from controller.targets.kubernetes.ownership import match_elements

PLACEHOLDER: Final = "REPLACE-ME"
METADATA: Final = frozenset({"name", "labels", "annotations", "finalizers"})
SERVERS_FINALIZERS: Final = ("kubernetes.io/", "foregroundDeletion", "orphan", "service.kubernetes.io/")
MARKS: Final = (
    "kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision", "meta.helm.sh/",
    "kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name", "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/instance", "applyset.kubernetes.io/", "converge/installation", "converge/owner",
    "converge/digest", "converge/fields", "converge/released", "pv.kubernetes.io/", "volume.kubernetes.io/",
    "volume.beta.kubernetes.io/", "autoscaling.alpha.kubernetes.io/conditions", "batch.kubernetes.io/job-tracking",
    "deprecated.daemonset.template.generation", "kustomize.toolkit.fluxcd.io/namespace",
    "helm.toolkit.fluxcd.io/namespace",
)  # fmt: skip
# Written by the server where nobody chose them.
ALLOCATED: Final[Mapping[str, tuple[FieldPath, ...]]] = {
    "PersistentVolumeClaim": (("spec", "volumeName"),),
    "Service": (("spec", "clusterIP"), ("spec", "clusterIPs"), ("spec", "healthCheckNodePort")),
    "ServiceAccount": (("secrets",),),
}
CONTROL_PLANE: Final = frozenset({"kube-controller-manager", "kube-scheduler", "cloud-controller-manager"})
JOBS_LABELS: Final = frozenset({
    "controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name",
})  # fmt: skip


def cleaned(live: Mapping[str, Any], resource: Resource) -> dict[str, Any]:
    """Give an object without what others than people wrote; its namespace is the base's to say."""
    managed: Sequence[Mapping[str, Any]] = live["metadata"].get("managedFields") or ()
    body: dict[str, Any] = copy.deepcopy({name: value for name, value in live.items() if name != "status"})
    body["metadata"] = _metadata(body["metadata"], managed)
    _drop_moments(body)
    if resource.group_kind == "Job.batch":
        body = _job(body)
    body = without(body, tuple(_not_chosen(body, resource.group_kind, managed)))
    for claim in (body.get("spec") or {}).get("volumeClaimTemplates") or () if resource.group == "apps" else ():
        claim.pop("status", None)
    if resource.group_kind == "Secret":
        body = _placeholders(body)
    return {"apiVersion": resource.api_version, "kind": resource.kind, **body}


def _metadata(found: Mapping[str, Any], managed: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    metadata = {name: value for name, value in found.items() if name in METADATA}
    for name in ("labels", "annotations"):
        kept = {key: value for key, value in (metadata.get(name) or {}).items() if not key.startswith(MARKS)}
        if kept.get("app.kubernetes.io/managed-by") == "Helm":
            del kept["app.kubernetes.io/managed-by"]
        metadata[name] = kept
    metadata["finalizers"] = [
        one
        for one in metadata.get("finalizers") or ()
        if not one.startswith(SERVERS_FINALIZERS) and _is_deployed(managed, f'v:"{one}"')
    ]
    return {name: value for name, value in metadata.items() if value}


def _is_deployed(managed: Sequence[Mapping[str, Any]], key: str) -> bool:
    """Tell whether a finalizer came with the object, and not from an operator that holds on to it."""
    holders = [one for one in managed if key in _below(one, ("metadata", "finalizers"))]
    return not holders or any(is_deployer(one) for one in holders)


def _drop_moments(node: Any) -> None:
    """Take away `creationTimestamp: null`, which servers write into every template's metadata."""
    if isinstance(node, list):
        for one in node:
            _drop_moments(one)
    elif isinstance(node, dict):
        if isinstance(node.get("metadata"), dict) and node["metadata"].get("creationTimestamp", "") is None:
            del node["metadata"]["creationTimestamp"]
        for one in node.values():
            _drop_moments(one)


def _job(body: dict[str, Any]) -> dict[str, Any]:
    """Take away what ties a Job to its pods, where the server made it."""
    spec = body.get("spec") or {}
    if spec.get("manualSelector"):
        return body
    rest = without(body, [("spec", "selector")])
    for metadata in (rest["metadata"], rest["spec"]["template"].get("metadata") or {}):
        labels = {key: value for key, value in (metadata.pop("labels", None) or {}).items() if key not in JOBS_LABELS}
        if labels:
            metadata["labels"] = labels
    return rest


def _not_chosen(body: Mapping[str, Any], group_kind: str, managed: Sequence[Mapping[str, Any]]) -> Iterator[FieldPath]:
    """Name the fields that the server filled in, and nobody wrote."""
    for path in ALLOCATED.get(group_kind, ()):
        is_headless = path[:2] == ("spec", "clusterIP") and (body.get("spec") or {}).get("clusterIP") == "None"
        if not is_headless and not is_written(managed, path):
            yield path
    if group_kind == "Service" and managed:
        ports = (body.get("spec") or {}).get("ports") or []
        chosen = [one for entry in managed for one in _ports_chosen(entry, ports)]
        yield from (("spec", "ports", index, "nodePort") for index, _ in enumerate(ports) if index not in chosen)


def _ports_chosen(entry: Mapping[str, Any], ports: Sequence[Any]) -> Iterator[int]:
    tree = _below(entry, ("spec", "ports"))
    for index, key in enumerate(match_elements(ports, tree)):
        if key and "f:nodePort" in tree[key]:
            yield index


def is_written(managed: Sequence[Mapping[str, Any]], path: Sequence[Step]) -> bool:
    """Tell whether somebody else than the control plane wrote a field (which a path of names leads to)."""
    return any(f"f:{path[-1]}" in _below(one, path[:-1]) for one in managed if one.get("manager") not in CONTROL_PLANE)


def _below(entry: Mapping[str, Any], path: Sequence[Step]) -> Mapping[str, Any]:
    node: Mapping[str, Any] = entry.get("fieldsV1") or {}
    for step in path:
        node = node.get(f"f:{step}") or {}
    return node


def _placeholders(secret: dict[str, Any]) -> dict[str, Any]:
    """Leave the values out: they come to git encrypted, or never. The live Secret stays as it is (apply once)."""
    annotations = {**secret["metadata"].get("annotations", {}), "converge/apply": "once"}
    keys = [*(secret.get("data") or {}), *(secret.get("stringData") or {})]
    rest = {name: value for name, value in secret.items() if name not in {"data", "stringData"}}
    return {
        **rest,
        "metadata": {**secret["metadata"], "annotations": annotations},
        "stringData": dict.fromkeys(keys, PLACEHOLDER),
    }
