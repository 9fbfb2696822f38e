"""env: environment variables merged into a container's, replacing or without some."""

from __future__ import annotations

from typing import Final

from controller.model import FieldPath
from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.pods import picked
from controller.render.oam.schema import TEXT_TABLE, TEXTS, Truth
from controller.render.oam.traits.containers import OneOrMany, patch_containers


def _patch(parameters: Parameters, container: Body, context: Context, path: FieldPath) -> Body:  # noqa: ARG001
    new, unset = parameters["env"], set(parameters["unset"])
    kept: list[Body] = []
    before = container.get("env") or []
    for one in before:
        name = one["name"]
        if name not in unset and not parameters["replace"]:
            value = {"value": new[name]} if name in new else picked(one, "value", "valueFrom")
            kept.append({"name": name} | value)
    known = set() if parameters["replace"] else {one["name"] for one in before}
    added = [{"name": name, "value": value} for name, value in new.items() if name not in unset | known]
    return {"env": kept + added}


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:
    return patch_containers(parameters, workload, context, trait="env", patch=_patch, replaced=("env",))


ENV: Final = TraitDefinition(OneOrMany({"replace": Truth(False), "env": TEXT_TABLE, "unset": TEXTS}), _apply)
