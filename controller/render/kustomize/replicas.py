"""Replica counts (api/filters/replicacount at v0.18.0)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.model import Stalled
from controller.render.kustomize.configuration import Specs
from controller.render.kustomize.nodes import assign, is_scalar, restyled
from controller.render.kustomize.paths import visit
from controller.render.kustomize.resources import Resources


def set_replicas(items: Resources, replica: Mapping[str, Any], specs: Specs) -> None:
    """Set the count of every resource that has or had this name. Raises Stalled when there is none."""
    name, count = replica["name"], replica["count"]

    def set_count(container: Any, key: Any) -> None:
        if not is_scalar(container[key]):
            raise Stalled(f"{key}: a mapping or a list, where a number is wanted")
        assign(container, key, restyled(container[key], count))

    is_found = False
    for spec in specs:
        for one in items.filtered(lambda each, spec=spec: each.name == name and each.gvk.is_selected(spec.gvk)):  # type: ignore[misc]
            is_found = True
            if one.gvk.is_selected(spec.gvk):
                visit(one.value, spec, set_count, int)
    if not is_found:
        kinds = ", ".join(sorted({spec.gvk.kind or "any kind" for spec in specs}))
        raise Stalled(f"replicas: there is no {name} of {kinds}")
