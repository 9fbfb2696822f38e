"""webservice: a Deployment that serves, and a Service of its exposed ports."""

from __future__ import annotations

from typing import Final

from controller.render.oam.components.services import PARAMETERS, container_ports, exposed, workload
from controller.render.oam.definition import ComponentDefinition, Context, Parameters, Workload
from controller.render.oam.schema import TEXT, TEXTS, fields


def _build(parameters: Parameters, context: Context) -> Workload:
    body = workload("Deployment", parameters, context, container_ports(parameters))
    return Workload(body, exposed(parameters, context, "webserviceExpose"))


WEBSERVICE: Final = ComponentDefinition(
    fields({**PARAMETERS, "args?": TEXTS, "limit?": fields({"cpu?": TEXT, "memory?": TEXT})}), _build
)
