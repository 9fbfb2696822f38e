"""topologyspreadconstraints: pods spread over zones or nodes."""

from __future__ import annotations

from typing import Final

from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.patching import Patch
from controller.render.oam.pods import picked
from controller.render.oam.schema import TEXT, TEXTS, WHOLE, Items, OneOf, fields
from controller.render.oam.traits.affinity import SELECTOR
from controller.render.oam.traits.pod_spec import POD, nested

_POLICY: Final = OneOf(("Honor", "Ignore"))
_CONSTRAINT: Final = fields(
    {
        "maxSkew": WHOLE,
        "topologyKey": TEXT,
        "whenUnsatisfiable": OneOf(("DoNotSchedule", "ScheduleAnyway"), default="DoNotSchedule"),
        "labelSelector": SELECTOR,
        "minDomains?": WHOLE,
        "matchLabelKeys?": TEXTS,
        "nodeAffinityPolicy?": _POLICY,
        "nodeTaintsPolicy?": _POLICY,
    }
)


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    constraints = [picked(one, *sorted(_CONSTRAINT.declared)) for one in parameters["constraints"]]
    return Effect(patch=Patch(nested(f"{POD}.topologySpreadConstraints", constraints)))


TOPOLOGY_SPREAD: Final = TraitDefinition(fields({"constraints": Items(_CONSTRAINT)}), _apply)
