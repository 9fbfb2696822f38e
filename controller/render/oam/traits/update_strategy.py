"""k8s-update-strategy: how a Deployment, StatefulSet or DaemonSet changes its pods."""

from __future__ import annotations

from typing import Final

from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.patching import Patch
from controller.render.oam.pods import picked
from controller.render.oam.schema import OneOf, Text, Whole, fields

# By kind: the field, the strategy that the kind doesn't know (it changes nothing), the fields of a rolling update.
_KINDS: Final = {
    "Deployment": ("strategy", "OnDelete", ("maxSurge", "maxUnavailable")),
    "StatefulSet": ("updateStrategy", "Recreate", ("partition",)),
    "DaemonSet": ("updateStrategy", "Recreate", ("maxSurge", "maxUnavailable")),
}


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    field, unknown, rolling = _KINDS[parameters["targetKind"]]
    strategy = parameters["strategy"]
    if strategy["type"] == unknown:
        return Effect(patch=Patch({"spec": {}}))
    body: Body = {"type": strategy["type"]}
    if strategy["type"] == "RollingUpdate":
        if "rollingStrategy" not in strategy:
            here = (*context.path, "strategy", "rollingStrategy")
            context.report.fail(here, "not set, and a rolling update needs it", "Write `rollingStrategy: {}`.")
        body["rollingUpdate"] = picked(strategy["rollingStrategy"], *rolling)
    return Effect(patch=Patch({"spec": {field: body}}, retained=frozenset({f"spec.{field}"})))


UPDATE_STRATEGY: Final = TraitDefinition(
    fields(
        {
            "targetAPIVersion": Text("apps/v1"),
            "targetKind": OneOf(tuple(_KINDS), default="Deployment"),
            "strategy": fields(
                {
                    "type": OneOf(("RollingUpdate", "Recreate", "OnDelete"), default="RollingUpdate"),
                    "rollingStrategy?": fields(
                        {"maxSurge": Text("25%"), "maxUnavailable": Text("25%"), "partition": Whole(0)}
                    ),
                }
            ),
        }
    ),
    _apply,
)
