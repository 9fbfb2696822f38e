"""What KubeVela's assembly puts on every object, so that users who move keep their selectors (pkg/appfile/appfile.go).

Its labels that are bound to a revision in the cluster are left out: here the commit is the revision.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from controller.documents import canonical
from controller.render.oam.application import Application
from controller.render.oam.definition import Body

AUXILIARY: Final = "AuxiliaryWorkload"
_FILTER_LABELS: Final = "filter.oam.dev/label-keys"
_FILTER_ANNOTATIONS: Final = "filter.oam.dev/annotation-keys"
# Annotations of an Application that speak of the Application itself.
_UNTOLD: Final = frozenset(
    {
        "app.oam.dev/rollout-template",
        "app.oam.dev/rolling-components",
        "app.oam.dev/inplace-upgrade",
        "app.oam.dev/publishVersion",
        _FILTER_LABELS,
        _FILTER_ANNOTATIONS,
        "kubectl.kubernetes.io/last-applied-configuration",
        "app.oam.dev/last-applied-configuration",
    }
)


def assemble_workload(body: Body, application: Application, component: str, kind: str, namespace: str) -> Body:
    """Name a component's main object, and label it."""
    own = {"app.oam.dev/resourceType": "WORKLOAD", "workload.oam.dev/type": kind}
    return _assembled(body, application, component, own, namespace)


def assemble_beside(
    body: Body, application: Application, component: str, trait: str, output: str, namespace: str
) -> Body:
    """Name an object of a trait (or beside a workload: `AUXILIARY`), and label it with its output's name."""
    own = {
        "app.oam.dev/resourceType": "TRAIT",
        "trait.oam.dev/type": trait,
        "trait.oam.dev/resource": output,
    }
    body = dict(body)
    metadata = _mapping(body.get("metadata"))
    if not metadata.get("name"):
        digest = hashlib.sha256(canonical(body)).hexdigest()[:10]
        body["metadata"] = metadata | {"name": f"{component}-trait-{digest}"}
    return _assembled(body, application, component, own, namespace)


def _assembled(body: Body, application: Application, component: str, own: Mapping[str, str], namespace: str) -> Body:
    metadata = _mapping(body.get("metadata"))
    metadata = {"name": metadata.get("name") or component} | {n: one for n, one in metadata.items() if n != "name"}
    if (
        namespace
        and not metadata.get("namespace")
        and (body.get("apiVersion"), body.get("kind")) != ("v1", "Namespace")
    ):
        metadata["namespace"] = namespace
    common = _common_labels(application, component, namespace)
    metadata["labels"] = {**_mapping(metadata.get("labels")), **own, **common}
    annotations = _annotations(_mapping(metadata.get("annotations")), application)
    if annotations or "annotations" in metadata:
        metadata["annotations"] = annotations
    head: Body = {name: body[name] for name in ("apiVersion", "kind") if name in body}
    rest = {name: one for name, one in body.items() if name not in {*head, "metadata"}}
    return {**head, "metadata": metadata, **rest}


def _common_labels(application: Application, component: str, namespace: str) -> dict[str, str]:
    """The Application's own labels and KubeVela's, of which KubeVela's win."""
    labels = dict(application.labels) | {
        "app.oam.dev/name": application.name,
        "app.oam.dev/namespace": namespace or "default",
        "app.oam.dev/component": component,
    }
    for name in application.annotations.get(_FILTER_LABELS, "").split(","):
        labels.pop(name.strip(), None)
    return labels


def _annotations(own: Mapping[str, Any], application: Application) -> dict[str, Any]:
    left_out = {*_UNTOLD, *application.annotations.get(_FILTER_ANNOTATIONS, "").split(",")}
    return {name: value for name, value in {**own, **application.annotations}.items() if name not in left_out}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
