"""startup-probe: when a container counts as started."""

from __future__ import annotations

from typing import Final

from controller.model import FieldPath
from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.pods import picked
from controller.render.oam.schema import TEXT, TEXTS, WHOLE, Items, OneOf, Whole, fields
from controller.render.oam.traits.containers import OneOrMany, patch_containers

_HEADERS: Final = Items(fields({"name": TEXT, "value": TEXT}, closed=True))
_HTTP: Final = fields(
    {"path?": TEXT, "port": WHOLE, "host?": TEXT, "scheme?": OneOf(("HTTP", "HTTPS")), "httpHeaders?": _HEADERS},
    closed=True,
)
_PROBES: Final = OneOrMany(
    {
        "initialDelaySeconds": Whole(0),
        "periodSeconds": Whole(10),
        "timeoutSeconds": Whole(1),
        "successThreshold": Whole(1),
        "failureThreshold": Whole(3),
        "terminationGracePeriodSeconds?": WHOLE,
        "exec?": fields({"command": TEXTS}, closed=True),
        "httpGet?": _HTTP,
        "grpc?": fields({"port": WHOLE, "service?": TEXT}, closed=True),
        "tcpSocket?": fields({"port": TEXT, "host?": TEXT}, closed=True),
    },
    many="probes",
)


def _patch(parameters: Parameters, container: Body, context: Context, path: FieldPath) -> Body:  # noqa: ARG001
    return {"startupProbe": picked(parameters, *sorted(_PROBES.declared - {"containerName", "probes"}))}


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:
    return patch_containers(parameters, workload, context, trait="startup-probe", patch=_patch, many="probes")


STARTUP_PROBE: Final = TraitDefinition(_PROBES, _apply)
