"""service-binding: keys of a Secret as environment variables; storage's forerunner."""

from __future__ import annotations

from typing import Final

from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.patching import Patch
from controller.render.oam.schema import TEXT, Table, fields
from controller.render.oam.traits.pod_spec import CONTAINERS, nested

_KEYS: Final = {CONTAINERS: "name", f"{CONTAINERS}[].env": "name"}


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    env = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": one["secret"], "key": one.get("key", name)}}}
        for name, one in parameters["envMappings"].items()
    ]
    return Effect(patch=Patch(nested(CONTAINERS, [{"name": context.component, "env": env}]), keys=_KEYS))


SERVICE_BINDING: Final = TraitDefinition(
    fields({"envMappings": Table(fields({"key?": TEXT, "secret": TEXT}, closed=True))}),
    _apply,
    "Use the trait storage with mountToEnv.",
)
