"""hostalias: names in the pods' hosts file."""

from __future__ import annotations

from typing import Final

from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.patching import Patch
from controller.render.oam.pods import HOST_ALIASES
from controller.render.oam.schema import fields
from controller.render.oam.traits.pod_spec import POD, nested

_PLACE: Final = f"{POD}.hostAliases"


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    return Effect(patch=Patch(nested(_PLACE, parameters["hostAliases"]), keys={_PLACE: "ip"}))


HOSTALIAS: Final = TraitDefinition(fields({"hostAliases": HOST_ALIASES}), _apply)
