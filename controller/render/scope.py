"""Which kinds have a namespace."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any


@cache
def builtin_cluster_scoped() -> frozenset[str]:
    """Name Kubernetes' own kinds without a namespace, as `Kind.group` (`Kind` in the core group)."""
    text = resources.files("controller.render").joinpath("data/cluster_scoped.json").read_bytes()
    return frozenset(group_kind(kind, group) for group, kinds in json.loads(text).items() for kind in kinds)


def group_kind(kind: str, group: str) -> str:
    return f"{kind}.{group}" if group else kind


def group_of(api_version: str) -> str:
    group, slash, _ = api_version.partition("/")
    return group if slash else ""


def is_builtin(group: str) -> bool:
    """Tell whether a group is Kubernetes' own: no dot, or `*.k8s.io` except those that CRDs use."""
    return "." not in group or (group.endswith(".k8s.io") and group in _builtin_groups())


@cache
def _builtin_groups() -> frozenset[str]:
    named = {one.partition(".")[2] for one in builtin_cluster_scoped()}
    return frozenset(named | {"coordination.k8s.io", "discovery.k8s.io", "events.k8s.io"})


def cluster_scoped_by_crds(objects: Iterable[dict[str, Any]]) -> frozenset[str]:
    """Name the custom kinds that the CustomResourceDefinitions among these objects give no namespace."""
    found = set()
    for one in objects:
        if one.get("kind") != "CustomResourceDefinition":
            continue
        spec = one.get("spec")
        if isinstance(spec, dict) and spec.get("scope") == "Cluster" and isinstance(spec.get("names"), dict):
            found.add(group_kind(str(spec["names"].get("kind", "")), str(spec.get("group", ""))))
    return frozenset(found)
