"""lifecycle: what every container of the pod does after its start and before its stop."""

from __future__ import annotations

from typing import Final

from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.patching import Each, Patch
from controller.render.oam.pods import picked
from controller.render.oam.schema import TEXT, TEXTS, Items, OneOf, Whole, fields
from controller.render.oam.traits.pod_spec import CONTAINERS, containers_of, nested

_PORT: Final = Whole(minimum=1, maximum=65535)
_HANDLER: Final = fields(
    {
        "exec?": fields({"command": TEXTS}, closed=True),
        "httpGet?": fields(
            {
                "path?": TEXT,
                "port": _PORT,
                "host?": TEXT,
                "scheme": OneOf(("HTTP", "HTTPS"), default="HTTP"),
                "httpHeaders?": Items(fields({"name": TEXT, "value": TEXT}, closed=True)),
            },
            closed=True,
        ),
        "tcpSocket?": fields({"port": _PORT, "host?": TEXT}, closed=True),
    },
    closed=True,
)


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:
    containers_of(workload, context, "lifecycle")
    return Effect(patch=Patch(nested(CONTAINERS, Each({"lifecycle": picked(parameters, "postStart", "preStop")}))))


LIFECYCLE: Final = TraitDefinition(fields({"postStart?": _HANDLER, "preStop?": _HANDLER}), _apply)
