"""k8s-objects and raw: objects as they are written; the first is the workload."""

from __future__ import annotations

from typing import Final

from controller.render.oam.definition import Body, ComponentDefinition, Context, Parameters, Workload
from controller.render.oam.patching import copied
from controller.render.oam.schema import AnyMapping, Items, fields, named


def _build_objects(parameters: Parameters, context: Context) -> Workload:
    objects = parameters["objects"]
    if not objects:
        context.report.fail((*context.path, "objects"), "there is no object in it", "List at least one.")
    for number, one in enumerate(objects):
        _check_head(one, context, "objects", number)
    return Workload(
        copied(objects[0]), {f"objects-{number}": copied(one) for number, one in enumerate(objects) if number}
    )


def _build_raw(parameters: Parameters, context: Context) -> Workload:
    _check_head(parameters, context)
    return Workload(copied(parameters))


def _check_head(body: Body, context: Context, *below: str | int) -> None:
    for name in ("apiVersion", "kind"):
        if not isinstance(body.get(name), str) or not body[name]:
            context.report.wrong((*context.path, *below, name), "not set, so this is no object", "Add it.")
    metadata = body.get("metadata") or {}
    if not isinstance(metadata, dict):
        context.report.wrong((*context.path, *below, "metadata"), f"{named(metadata)}, and must be a mapping")
        return
    for name in ("name", "namespace"):
        value = metadata.get(name)
        if value is not None and not isinstance(value, str):
            path = (*context.path, *below, "metadata", name)
            context.report.wrong(path, f"{named(value)}, and must be a string", f'Write "{value}" in quotes.')


K8S_OBJECTS: Final = ComponentDefinition(fields({"objects": Items(AnyMapping())}), _build_objects)
RAW: Final = ComponentDefinition(AnyMapping(), _build_raw)
