"""Traits that patch one container by name, or several: what env, command, container-image and others share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from controller.model import FieldPath
from controller.render.oam.definition import Body, Context, Effect, Parameters
from controller.render.oam.patching import Patch
from controller.render.oam.reporting import Report, suggestion
from controller.render.oam.schema import Fields, Items, Kind, Text, fields
from controller.render.oam.traits.pod_spec import CONTAINERS, containers_of, nested

_ITEM: Final = f"{CONTAINERS}[]"
PatchContainer = Callable[[Parameters, Body, Context, FieldPath], Body]  # gives the fields to set in a container


class OneOrMany:
    """The parameters of one container, or a list of them under another name and nothing beside it."""

    def __init__(self, one: Mapping[str, Kind], *, many: str = "containers") -> None:
        self._one = fields({"containerName": Text(""), **one}, closed=True)
        self._many = fields({many: Items(self._one)}, closed=True)
        self._name = many

    @property
    def declared(self) -> frozenset[str]:
        return self._one.declared | {self._name}

    def check(self, value: Any, path: FieldPath, report: Report) -> Any:
        kind: Fields = self._many if isinstance(value, dict) and self._name in value else self._one
        return kind.check(value, path, report)

    def missing(self, path: FieldPath, report: Report) -> Any:
        return self._one.missing(path, report)


def patch_containers(
    parameters: Parameters,
    workload: Body,
    context: Context,
    *,
    trait: str,
    patch: PatchContainer,
    many: str = "containers",
    replaced: tuple[str, ...] = (),
    retained: tuple[str, ...] = (),
) -> Effect:
    """Patch the containers that the parameters name; the component's own where none is named."""
    found = {one.get("name"): one for one in containers_of(workload, context, trait)}
    patches = []
    for one, path in _wanted(parameters, context, many):
        name = one["containerName"]
        if name not in found:
            names = [str(known) for known in found]
            context.report.fail((*path, "containerName"), f"there is no container {name}", suggestion(name, names))
        patches.append({"name": name} | patch(one, found[name], context, path))
    return Effect(
        patch=Patch(
            nested(CONTAINERS, patches),
            keys={CONTAINERS: "name"},
            replaced=frozenset(f"{_ITEM}.{field}" for field in replaced),
            retained=frozenset(f"{_ITEM}.{field}" for field in retained),
        )
    )


def _wanted(parameters: Parameters, context: Context, many: str) -> list[tuple[Parameters, FieldPath]]:
    if many not in parameters:
        named = parameters["containerName"] or context.component
        return [({**parameters, "containerName": named}, context.path)]
    wanted = []
    for number, one in enumerate(parameters[many]):
        path = (*context.path, many, number)
        if not one["containerName"]:
            context.report.fail((*path, "containerName"), f"not set, and must be for each of {many}")
        wanted.append((one, path))
    return wanted
