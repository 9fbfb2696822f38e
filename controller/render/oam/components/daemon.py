"""daemon: a pod on every node. Its ports are named by number alone, and its Service leaves the protocol out."""

from __future__ import annotations

from typing import Final

from controller.render.oam.components.services import PARAMETERS, service, workload
from controller.render.oam.definition import Body, ComponentDefinition, Context, Parameters, Workload
from controller.render.oam.pods import PROTOCOL
from controller.render.oam.schema import TEXT, WHOLE, Items, OneOf, Truth, fields

_PORTS: Final = Items(fields({"port": WHOLE, "name?": TEXT, "protocol": PROTOCOL, "expose": Truth(False)}))
_EXPOSE_TYPE: Final = OneOf(("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"), default="ClusterIP")


def _build(parameters: Parameters, context: Context) -> Workload:
    body = workload("DaemonSet", parameters, context, _container_ports(parameters))
    shown = [one for one in parameters.get("ports", ()) if one["expose"]]
    ports = [{"port": one["port"], "targetPort": one["port"], "name": _name(one)} for one in shown]
    return Workload(body, {"webserviceExpose": service(context, ports, parameters["exposeType"])} if ports else {})


def _container_ports(parameters: Parameters) -> Body:
    if "ports" in parameters:
        return {
            "ports": [
                {"containerPort": one["port"], "protocol": one["protocol"], "name": _name(one)}
                for one in parameters["ports"]
            ]
        }
    return {"ports": [{"containerPort": parameters["port"]}]} if "port" in parameters else {}


def _name(port: Parameters) -> str:
    return str(port.get("name", f"port-{port['port']}"))


DAEMON: Final = ComponentDefinition(fields({**PARAMETERS, "ports?": _PORTS, "exposeType": _EXPOSE_TYPE}), _build)
