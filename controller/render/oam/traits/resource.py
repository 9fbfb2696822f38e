"""resource: requests and limits of the first container."""

from __future__ import annotations

from typing import Final

from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.patching import Patch
from controller.render.oam.pods import picked
from controller.render.oam.schema import Amount, Text, fields
from controller.render.oam.traits.pod_spec import CONTAINERS, at, containers_of, nested

_SIZE: Final = "^([1-9][0-9]{0,63})(E|P|T|G|M|K|Ei|Pi|Ti|Gi|Mi|Ki)$"
_MEMORY: Final = Text("2048Mi", _SIZE, "512Mi")
_BOTH: Final = fields({"cpu": Amount(1), "memory": _MEMORY})
_JOB_CONTAINERS: Final = f"spec.jobTemplate.{CONTAINERS}"


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:
    both = picked(parameters, "cpu", "memory")
    resources = {
        name: picked(parameters[name], "cpu", "memory") for name in ("requests", "limits") if name in parameters
    }
    if len(both) == 2 and not resources:
        resources = {"requests": both, "limits": dict(both)}
    elif both:
        what = "cpu and memory hold only together, and only without requests and limits: nothing is set"
        context.report.warn(context.path, what, "Set both, or write requests and limits.")
    place = _JOB_CONTAINERS if at(workload, "spec", "jobTemplate") is not None else CONTAINERS
    if place == CONTAINERS:
        containers_of(workload, context, "resource")
    retained = frozenset(f"{place}[].resources.{name}" for name in resources)
    return Effect(patch=Patch(nested(place, [{"resources": resources}]), keys={place: "name"}, retained=retained))


RESOURCE: Final = TraitDefinition(
    fields({"cpu?": Amount(), "memory?": _MEMORY, "requests?": _BOTH, "limits?": _BOTH}), _apply
)
