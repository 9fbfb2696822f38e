"""Replica counts (api/filters/replicacount at v0.18.0)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controller.model import Stalled
from controller.render.kustomize.configuration import Specs
from controller.render.kustomize.edits import Edit
from controller.render.kustomize.nodes import assign, is_scalar, restyled
from controller.render.kustomize.paths import visit
from controller.render.kustomize.resource import Resource


def setting_replicas(replica: Mapping[str, Any], specs: Specs) -> Edit:
    """Set the count of every resource that has or had this name. Raises Stalled in the end when there is none."""
    name, count = replica["name"], replica["count"]
    is_found = False

    def set_count(container: Any, key: Any) -> None:
        if not is_scalar(container[key]):
            raise Stalled(f"{key}: a mapping or a list, where a number is wanted")
        assign(container, key, restyled(container[key], count))

    def change(one: Resource) -> None:
        nonlocal is_found
        named = [each.gvk for each in one.ids if each.name == name]
        for spec in specs if named else ():
            if any(gvk.is_selected(spec.gvk) for gvk in named):
                is_found = True
                if one.gvk.is_selected(spec.gvk):
                    visit(one.value, spec, set_count, int)

    def end() -> Sequence[str]:
        if not is_found:
            kinds = ", ".join(sorted({spec.gvk.kind or "any kind" for spec in specs}))
            raise Stalled(f"replicas: there is no {name} of {kinds}")
        return ()

    return Edit(change, end)
