"""scaler: how many."""

from __future__ import annotations

from typing import Final

from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.patching import Patch
from controller.render.oam.schema import Whole, fields


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    body = {"spec": {"replicas": parameters["replicas"]}}
    return Effect(patch=Patch(body, retained=frozenset({"spec.replicas"})))


SCALER: Final = TraitDefinition(fields({"replicas": Whole(1)}), _apply)
