"""The override policy: components of an Application changed for where they go (kubevela pkg/policy/envbinding).

A patch without a name is for all components (of its type); a name is a regular expression that may match anywhere, in
which `*` stands for `.*`. A patch of another type takes the component's place, one that matches nothing adds a
component. Properties merge deep; lists and scalars replace. A trait that the component has is merged, `disable: true`
drops it, another is added at the end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from controller.model import FieldPath
from controller.render.oam.application import Component, Policy, Trait
from controller.render.oam.reporting import Report
from controller.render.oam.schema import TEXT, TEXTS, AnyMapping, Items, Text, Truth, fields

_PATCH: Final = fields(
    {
        "name": Text(""),
        "type": Text(""),
        "properties?": AnyMapping(),
        "traits": Items(fields({"type": TEXT, "properties?": AnyMapping(), "disable": Truth(False)}, closed=True)),
        "externalRevision?": TEXT,
    },
    closed=True,
)
OVERRIDE: Final = fields({"components": Items(_PATCH), "selector": TEXTS}, closed=True)


def override(components: Sequence[Component], policy: Policy, report: Report) -> tuple[Component, ...]:
    """Apply one override policy. Tells the report what is wrong with it."""
    path = (*policy.path, "properties")
    spec = OVERRIDE.check(policy.properties or {}, path, report)
    found = {one.name: one for one in components}
    for number, patch in enumerate(spec["components"]):
        _apply(found, patch, (*path, "components", number), report)
    selected = spec["selector"]
    return tuple(one for one in found.values() if not selected or one.name in selected)


def _apply(found: dict[str, Component], patch: dict[str, Any], path: FieldPath, report: Report) -> None:
    name = patch["name"]
    if not name:
        for one in list(found.values()):
            if patch["type"] in {"", one.type}:
                found[one.name] = _merged(one, patch, path)
        return
    try:
        pattern = re.compile(name.replace("*", ".*"))
    except re.error as error:
        report.wrong((*path, "name"), f'"{name}" is no pattern: {error}', "Write a name, or `*` for any characters.")
        return
    matched = [one for one in found.values() if pattern.search(one.name)]
    for one in matched:
        is_other = patch["type"] not in {"", one.type}
        # KubeVela names the new component after the pattern; here it keeps the name that it takes over
        found[one.name] = _component(one.name, patch, path) if is_other else _merged(one, patch, path)
    if not matched and re.search("[a-z]([a-z-]{0,61}[a-z])?", name):
        if not patch["type"]:
            report.wrong((*path, "type"), f'no component matches "{name}", and a new one needs a type', "Set it.")
        found[name] = _component(name, patch, path)


def _component(name: str, patch: dict[str, Any], path: FieldPath) -> Component:
    traits = tuple(
        _trait(one, (*path, "traits", number)) for number, one in enumerate(patch["traits"]) if not one["disable"]
    )
    return Component(
        name=name,
        type=patch["type"],
        properties=patch.get("properties", {}),
        traits=traits,
        depends_on=(),
        inputs=(),
        outputs=(),
        path=path,
    )


def _trait(patch: dict[str, Any], path: FieldPath) -> Trait:
    return Trait(type=patch["type"], properties=patch.get("properties", {}), path=path)


def _merged(component: Component, patch: dict[str, Any], path: FieldPath) -> Component:
    """Merge a patch into a component of its type. Of several traits of a type the last stays, as in KubeVela."""
    traits = {one.type: one for one in component.traits}
    order = [one.type for one in component.traits]
    for number, one in enumerate(patch["traits"]):
        before = traits.get(one["type"])
        if one["disable"]:
            traits.pop(one["type"], None)
        elif before is not None:
            traits[one["type"]] = replace(before, properties=deep_merge(before.properties, one.get("properties", {})))
        else:
            traits[one["type"]] = _trait(one, (*path, "traits", number))
            order.append(one["type"])
    return replace(
        component,
        properties=deep_merge(component.properties, patch.get("properties", {})),
        traits=tuple(traits[name] for name in order if name in traits),
    )


def deep_merge(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Merge as mergo does with override: mappings deep, everything else replaced."""
    merged = dict(base)
    for name, value in patch.items():
        before = merged.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[name] = deep_merge(before, value)
        else:
            merged[name] = value
    return merged
