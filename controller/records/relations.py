"""Relations between instances, computed from what the manifests of one placement say of each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.config import has_namespace, model_of
from controller.model import (
    JsonValue,
    KindModels,
    ObjectKey,
    PlacementRef,
    Reference,
    flat,
    parse_fact_path,
    values_at,
)
from controller.records.identity import object_key

_LABELS = parse_fact_path("metadata.labels")


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Every object of a placement with its decoded manifest: what relations may lead to."""

    placement: PlacementRef
    objects: Mapping[ObjectKey, Any]
    models: KindModels  # of the platform's own


def relations(key: ObjectKey, body: Any, neighbours: Neighbours) -> list[JsonValue]:
    """Give an object's relations to other objects, sorted, each once. Never one to itself."""
    found = {*_referenced(key, body, neighbours), *_selected(key, body, neighbours)}
    own = object_key(neighbours.placement, key)
    return [{"type": kind, "target": target} for kind, target in sorted(found) if target != own]


def _referenced(key: ObjectKey, body: Any, neighbours: Neighbours) -> Iterator[tuple[str, str]]:
    for reference in model_of(key.group_kind, neighbours.models).references:
        for other in _targets(reference, key, body):
            yield reference.type, object_key(neighbours.placement, other, is_ours=other in neighbours.objects)


def _targets(reference: Reference, key: ObjectKey, body: Any) -> Iterator[ObjectKey]:
    if reference.names is not None:
        kind, _, group = reference.to.partition(".")
        for name in flat(values_at(body, reference.names)):
            if isinstance(name, str) and name:
                yield _placed(ObjectKey(group, kind, key.namespace, name))
    if reference.described is not None:
        for one in flat(values_at(body, reference.described)):
            other = _described(one, reference.to, key.namespace)
            if other is not None:
                yield _placed(other)


def _described(value: Any, default: str, namespace: str) -> ObjectKey | None:
    """Read a reference such as `{apiVersion: apps/v1, kind: Deployment, name: web}` (or `apiGroup:`, `group:`)."""
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    default_kind, _, default_group = default.partition(".")
    kind = value.get("kind") or default_kind
    group = _group(value, default_group if kind == default_kind else "")
    where = value.get("namespace") or namespace
    if not all(isinstance(one, str) for one in (kind, group, where)) or not kind:
        return None
    return ObjectKey(group, kind, where, value["name"])


def _group(value: Mapping[str, Any], default: str) -> Any:
    if value.get("apiVersion"):
        return str(value["apiVersion"]).rpartition("/")[0]
    for name in ("apiGroup", "group"):
        if name in value:
            return value[name] or ""
    return default


def _placed(key: ObjectKey) -> ObjectKey:
    """Take the namespace from a kind that has none."""
    is_namespaced = has_namespace(ObjectKey(key.group, key.kind, "", key.name))
    return ObjectKey(key.group, key.kind, "", key.name) if is_namespaced is False else key


def _selected(key: ObjectKey, body: Any, neighbours: Neighbours) -> Iterator[tuple[str, str]]:
    for selector in model_of(key.group_kind, neighbours.models).selectors:
        wanted = values_at(body, selector.path)
        if selector.is_plain and not wanted:
            continue  # a Service without selector takes no pods
        if selector.is_plain:
            wanted = {"matchLabels": wanted}
        if not isinstance(wanted, dict):
            continue
        for other, manifest in neighbours.objects.items():
            pod = model_of(other.group_kind, neighbours.models).pod
            if pod is None or other.namespace != key.namespace:
                continue
            labels = values_at(manifest, (*pod, *_LABELS))
            if selects(wanted, labels if isinstance(labels, dict) else {}):
                yield selector.type, object_key(neighbours.placement, other)


def selects(selector: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    """Tell whether a LabelSelector takes labels (apimachinery `LabelSelectorAsSelector`); an empty one takes all.

    One that no server would take, takes nothing.
    """
    exact, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
    if not isinstance(exact, dict) or not isinstance(expressions, list):
        return False
    return all(labels.get(name) == value for name, value in exact.items()) and all(
        isinstance(one, dict) and _holds(one, labels) for one in expressions
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    name, values = str(expression.get("key")), list(flat(expression.get("values")))
    match expression.get("operator"):
        case "In":
            return name in labels and labels[name] in values
        case "NotIn":
            return name not in labels or labels[name] not in values
        case "Exists":
            return name in labels
        case "DoesNotExist":
            return name not in labels
        case _:
            return False
