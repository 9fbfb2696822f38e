"""statefulset: pods with names that last, and a Service of their exposed ports."""

from __future__ import annotations

from typing import Final

from controller.render.oam.components.services import PARAMETERS, container_ports, exposed, workload
from controller.render.oam.definition import ComponentDefinition, Context, Parameters, Workload
from controller.render.oam.schema import TEXTS, fields


def _build(parameters: Parameters, context: Context) -> Workload:
    body = workload("StatefulSet", parameters, context, container_ports(parameters))
    return Workload(body, exposed(parameters, context, "statefulsetsExpose"))


STATEFULSET: Final = ComponentDefinition(fields({**PARAMETERS, "args?": TEXTS}), _build)
