"""gateway: paths of a domain to ports of the component, by a Service and an Ingress."""

from __future__ import annotations

from typing import Any, Final

from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.pods import COMPONENT, picked
from controller.render.oam.schema import TEXT, TEXT_TABLE, WHOLE, OneOf, Table, Text, Truth, fields

_PATH_TYPES: Final = ("ImplementationSpecific", "Prefix", "Exact")


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    suffix = f"-{parameters['name']}" if "name" in parameters else ""
    name = context.component + suffix
    service = parameters.get("existingServiceName", name)
    objects = {} if "existingServiceName" in parameters else {f"service{suffix}": _service(name, parameters, context)}
    metadata = {"name": name, "annotations": _annotations(parameters), "labels": parameters.get("labels", {})}
    objects[f"ingress{suffix}"] = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata,
        "spec": _spec(parameters, service, context),
    }
    return Effect(objects)


def _service(name: str, parameters: Parameters, context: Context) -> Body:
    ports = [{"name": f"port-{port}", "port": port, "targetPort": port} for port in parameters["http"].values()]
    spec = {"selector": {COMPONENT: context.component}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def _annotations(parameters: Parameters) -> Body:
    written: list[tuple[str, str]] = (
        [] if parameters["classInSpec"] else [("kubernetes.io/ingress.class", parameters["class"])]
    )
    if "gatewayHost" in parameters:
        written.append(("ingress.controller/host", parameters["gatewayHost"]))
    added: Body = parameters.get("annotations", {})
    return {**dict(written), **added}


def _spec(parameters: Parameters, service: str, context: Context) -> Body:
    rule: dict[str, Any] = {
        "http": {
            "paths": [
                {
                    "path": path,
                    "pathType": parameters["pathType"],
                    "backend": {"service": {"name": service, "port": {"number": port}}},
                }
                for path, port in parameters["http"].items()
            ]
        }
    }
    if "domain" in parameters:
        rule["host"] = parameters["domain"]
    spec: Body = {"rules": [rule]}
    if parameters["classInSpec"]:
        spec["ingressClassName"] = parameters["class"]
    if "secretName" in parameters:
        if "domain" not in parameters:
            context.report.wrong((*context.path, "secretName"), "a certificate needs a domain", "Set domain too.")
        spec["tls"] = [{"hosts": [parameters.get("domain")], **picked(parameters, "secretName")}]
    return spec


GATEWAY: Final = TraitDefinition(
    fields(
        {
            "domain?": TEXT,
            "http": Table(WHOLE),
            "class": Text("nginx"),
            "classInSpec": Truth(False),
            "secretName?": TEXT,
            "gatewayHost?": TEXT,
            "name?": TEXT,
            "pathType": OneOf(_PATH_TYPES, default="ImplementationSpecific"),
            "annotations?": TEXT_TABLE,
            "labels?": TEXT_TABLE,
            "existingServiceName?": TEXT,
        }
    ),
    _apply,
)
