"""What webservice, statefulset and daemon have in common: labelled pods with ports, some behind a Service."""

from __future__ import annotations

from typing import Final

from controller.render.oam.definition import Body, Context, Parameters
from controller.render.oam.pods import (
    COMPONENT,
    HOST_ALIASES,
    IMAGE,
    LABELS,
    PROBE_WITH_HOST,
    PROTOCOL,
    RUN,
    VOLUME_MOUNTS,
    VOLUMES,
    container,
    mounts_and_volumes,
    picked,
    pod_metadata,
    pull_secrets,
)
from controller.render.oam.schema import TEXT, WHOLE, Items, Kind, OneOf, Truth, fields

EXPOSE_TYPE: Final = OneOf(("ClusterIP", "NodePort", "LoadBalancer"), default="ClusterIP")
PORTS: Final = Items(
    fields(
        {
            "port": WHOLE,
            "containerPort?": WHOLE,
            "name?": TEXT,
            "protocol": PROTOCOL,
            "expose": Truth(False),
            "nodePort?": WHOLE,
        }
    )
)

PARAMETERS: Final[dict[str, Kind]] = {
    **LABELS,
    **IMAGE,
    "port?": WHOLE,
    "ports?": PORTS,
    "exposeType": EXPOSE_TYPE,
    "addRevisionLabel": Truth(False),
    **RUN,
    "volumeMounts?": VOLUME_MOUNTS,
    "volumes?": VOLUMES,
    "livenessProbe?": PROBE_WITH_HOST,
    "readinessProbe?": PROBE_WITH_HOST,
    "hostAliases?": HOST_ALIASES,
}


def workload(kind: str, parameters: Parameters, context: Context, ports: Body) -> Body:
    """Make the apps/v1 object of a kind; `ports` is the container's field, {} for none."""
    mounts, volumes = mounts_and_volumes(parameters)
    main = container(parameters, context) | ports | mounts | picked(parameters, "livenessProbe", "readinessProbe")
    pod = {"containers": [main], **picked(parameters, "hostAliases"), **pull_secrets(parameters), **volumes}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "spec": {
            "selector": {"matchLabels": {COMPONENT: context.component}},
            "template": {"metadata": pod_metadata(parameters, context), "spec": pod},
        },
    }


def container_ports(parameters: Parameters) -> Body:
    """Give the container's ports: `ports` win over the older `port`."""
    if "ports" in parameters:
        return {"ports": [_container_port(one) for one in parameters["ports"]]}
    return {"ports": [{"containerPort": parameters["port"]}]} if "port" in parameters else {}


def _container_port(port: Parameters) -> Body:
    number: int = port["containerPort"] if "containerPort" in port else port["port"]
    return {"containerPort": number, "protocol": port["protocol"], "name": port_name(port, number)}


def port_name(port: Parameters, number: int) -> str:
    """Name a port as written, else by its number, and by its protocol where that isn't TCP."""
    if "name" in port:
        return str(port["name"])
    suffix = "" if port["protocol"] == "TCP" else f"-{port['protocol'].lower()}"
    return f"port-{number}{suffix}"


def exposed(parameters: Parameters, context: Context, output: str) -> dict[str, Body]:
    """Give the Service of the ports that say `expose: true`, none when none does."""
    ports = [_service_port(one, parameters["exposeType"]) for one in parameters.get("ports", ()) if one["expose"]]
    return {output: service(context, ports, parameters["exposeType"])} if ports else {}


def _service_port(port: Parameters, expose_type: str) -> Body:
    number: int = port["containerPort"] if "containerPort" in port else port["port"]
    body = {
        "port": port["port"],
        "targetPort": number,
        "name": port_name(port, number),
        "protocol": port["protocol"],
    }
    return body | (picked(port, "nodePort") if expose_type == "NodePort" else {})


def service(context: Context, ports: list[Body], expose_type: str) -> Body:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": context.component},
        "spec": {"selector": {COMPONENT: context.component}, "ports": ports, "type": expose_type},
    }
