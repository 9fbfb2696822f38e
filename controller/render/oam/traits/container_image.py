"""container-image: a container's image and pull policy."""

from __future__ import annotations

from typing import Final

from controller.model import FieldPath
from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.schema import TEXT, OneOf
from controller.render.oam.traits.containers import OneOrMany, patch_containers


def _patch(parameters: Parameters, container: Body, context: Context, path: FieldPath) -> Body:  # noqa: ARG001
    policy = parameters["imagePullPolicy"]
    return {"image": parameters["image"]} | ({"imagePullPolicy": policy} if policy else {})


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:
    retained = ("image", "imagePullPolicy")
    return patch_containers(parameters, workload, context, trait="container-image", patch=_patch, retained=retained)


CONTAINER_IMAGE: Final = TraitDefinition(
    OneOrMany({"image": TEXT, "imagePullPolicy": OneOf(("", "IfNotPresent", "Always", "Never"), default="")}), _apply
)
