"""expose: a Service of the component's ports."""

from __future__ import annotations

from typing import Final

from controller.render.oam.components.services import port_name
from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.pods import COMPONENT, PROTOCOL, picked
from controller.render.oam.schema import TEXT, TEXT_TABLE, WHOLE, Items, OneOf, fields

_PORTS: Final = Items(fields({"port": WHOLE, "name?": TEXT, "protocol": PROTOCOL, "nodePort?": WHOLE}))
_TYPES: Final = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    spec: Body = {"selector": parameters.get("matchLabels", {COMPONENT: context.component}), "type": parameters["type"]}
    if "ports" in parameters:
        spec["ports"] = [_port(one, parameters["type"]) for one in parameters["ports"]]
    elif "port" in parameters:
        spec["ports"] = [{"name": f"port-{one}", "port": one, "targetPort": one} for one in parameters["port"]]
    metadata = {"name": context.component, "annotations": parameters["annotations"]}
    return Effect({"service": {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}})


def _port(port: Parameters, service_type: str) -> Body:
    number = port["port"]
    body = {"port": number, "targetPort": number, "name": port_name(port, number), "protocol": port["protocol"]}
    return body | (picked(port, "nodePort") if service_type == "NodePort" else {})


EXPOSE: Final = TraitDefinition(
    fields(
        {
            "port?": Items(WHOLE),
            "ports?": _PORTS,
            "annotations": TEXT_TABLE,
            "matchLabels?": TEXT_TABLE,
            "type": OneOf(_TYPES, default="ClusterIP"),
        }
    ),
    _apply,
)
