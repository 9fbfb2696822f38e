"""When two renders of an Application are equal: as the shared cases' own comparer says, for what we render."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from controller.documents import Dialect, read

# Labels and annotations bound to a revision in the cluster; here a commit is the revision.
BOUND = {f"app.oam.dev/{name}" for name in ("appRevision", "revision", "app-revision-hash", "publishVersion")}
SETS = {"containers", "env", "ports", "volumes", "volumeMounts"}
CLUSTER_SCOPED = {"Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "StorageClass"}


def load(path: Path) -> list[Any]:
    return [one.value for one in read(path.read_bytes(), path=str(path), dialect=Dialect.KUBERNETES)]


def plain(value: Any, key: str = "") -> Any:
    if isinstance(value, list):
        items = [plain(one) for one in value]
        return sorted(items, key=lambda one: json.dumps(one, sort_keys=True)) if key in SETS else items
    if not isinstance(value, dict):
        return value
    kept = {name: plain(one, name) for name, one in value.items() if one is not None and name not in BOUND}
    if key in {"requests", "limits"}:
        return {name: one if isinstance(one, str) else json.dumps(one) for name, one in kept.items()}
    return {name: one for name, one in kept.items() if one != {} or name not in {"labels", "annotations", "status"}}


def comparable(bodies: Iterable[Any], homes: set[Any]) -> set[str]:
    found = set()
    for body in map(plain, bodies):
        metadata = body.get("metadata", {})
        if body.get("kind") in CLUSTER_SCOPED or metadata.get("namespace") in homes:
            metadata.pop("namespace", None)
        found.add(json.dumps(body, sort_keys=True))
    return found
