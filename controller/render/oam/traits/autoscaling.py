"""hpa and cpuscaler: replicas by load. Whose `replicas` an autoscaler moves must not be set by a scaler too."""

from __future__ import annotations

from typing import Final

from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.schema import TEXT, Items, Kind, OneOf, Text, Whole, fields

_BOUNDS: Final[dict[str, Kind]] = {
    "min": Whole(1),
    "max": Whole(10),
    "targetAPIVersion": Text("apps/v1"),
    "targetKind": Text("Deployment"),
}
_METRIC: Final = fields({"type": OneOf(("Utilization", "AverageValue"), default="Utilization"), "value": Whole(50)})


def _hpa(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    metrics = [_resource("cpu", parameters["cpu"])]
    if "mem" in parameters:
        metrics.append(_resource("memory", parameters["mem"]))
    for one in parameters.get("podCustomMetrics", ()):
        target = {"type": "AverageValue", "averageValue": one["value"]}
        metrics.append({"type": "Pods", "pods": {"metric": {"name": one["name"]}, "target": target}})
    return Effect({"hpa": _autoscaler("autoscaling/v2", parameters, context, {"metrics": metrics})})


def _cpuscaler(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    load = {"targetCPUUtilizationPercentage": parameters["cpuUtil"]}
    return Effect({"cpuscaler": _autoscaler("autoscaling/v1", parameters, context, load)})


def _resource(name: str, metric: Parameters) -> Body:
    field = "averageUtilization" if metric["type"] == "Utilization" else "averageValue"
    target = {"type": metric["type"], field: metric["value"]}
    return {"type": "Resource", "resource": {"name": name, "target": target}}


def _autoscaler(api_version: str, parameters: Parameters, context: Context, more: Body) -> Body:
    target = {
        "apiVersion": parameters["targetAPIVersion"],
        "kind": parameters["targetKind"],
        "name": context.component,
    }
    return {
        "apiVersion": api_version,
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": context.component},
        "spec": {
            "scaleTargetRef": target,
            "minReplicas": parameters["min"],
            "maxReplicas": parameters["max"],
            **more,
        },
    }


HPA: Final = TraitDefinition(
    fields(
        {
            **_BOUNDS,
            "cpu": _METRIC,
            "mem?": _METRIC,
            "podCustomMetrics?": Items(fields({"name": TEXT, "value": TEXT})),
        }
    ),
    _hpa,
)
CPUSCALER: Final = TraitDefinition(fields({**_BOUNDS, "cpuUtil": Whole(50)}), _cpuscaler)
