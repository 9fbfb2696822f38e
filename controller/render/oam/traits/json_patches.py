"""json-patch and json-merge-patch: the workload changed as RFC 6902 and RFC 7386 say."""

from __future__ import annotations

from typing import Final

from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.patching import Patch, Strategy
from controller.render.oam.schema import AnyMapping, Items, fields


def _json_patch(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    return Effect(patch=Patch(parameters["operations"], Strategy.JSON))


def _json_merge_patch(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    return Effect(patch=Patch(parameters, Strategy.JSON_MERGE))


JSON_PATCH: Final = TraitDefinition(fields({"operations": Items(AnyMapping())}), _json_patch)
JSON_MERGE_PATCH: Final = TraitDefinition(AnyMapping(), _json_merge_patch)
