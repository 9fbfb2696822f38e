"""ingress, ingress-1-20 and pure-ingress: the gateway's forerunners, for old clusters and for newer ones."""

from __future__ import annotations

from typing import Any, Final

from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.pods import COMPONENT
from controller.render.oam.schema import TEXT, WHOLE, Kind, Table, Text, Truth, fields

_PARAMETERS: Final[dict[str, Kind]] = {"domain": TEXT, "http": Table(WHOLE)}


def _old(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    what = "the trait makes a networking.k8s.io/v1beta1 Ingress, which no cluster since Kubernetes 1.22 takes"
    context.report.warn(context.path, what, "Use the trait gateway.")
    paths = [
        {"path": path, "backend": {"serviceName": context.component, "servicePort": port}}
        for path, port in parameters["http"].items()
    ]
    rules = [{"host": parameters["domain"], "http": {"paths": paths}}]
    return _objects(parameters, context, "networking.k8s.io/v1beta1", {}, {"rules": rules})


def _pure(parameters: Parameters, workload: Body, context: Context) -> Effect:
    objects = _old(parameters, workload, context).objects
    return Effect({"ingress": objects["ingress"]})


def _newer(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    paths = [
        {
            "path": path,
            "pathType": "ImplementationSpecific",
            "backend": {"service": {"name": context.component, "port": {"number": port}}},
        }
        for path, port in parameters["http"].items()
    ]
    spec: Body = {"rules": [{"host": parameters["domain"], "http": {"paths": paths}}]}
    if parameters["classInSpec"]:
        spec["ingressClassName"] = parameters["class"]
    noted = {} if parameters["classInSpec"] else {"kubernetes.io/ingress.class": parameters["class"]}
    return _objects(parameters, context, "networking.k8s.io/v1", {"annotations": noted}, spec)


def _objects(parameters: Parameters, context: Context, api_version: str, more: Body, spec: Body) -> Effect:
    name = context.component
    ports = [{"port": port, "targetPort": port} for port in parameters["http"].values()]
    service: dict[str, Any] = {"selector": {COMPONENT: name}, "ports": ports}
    return Effect(
        {
            "service": {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": service},
            "ingress": {"apiVersion": api_version, "kind": "Ingress", "metadata": {"name": name, **more}, "spec": spec},
        }
    )


INGRESS: Final = TraitDefinition(fields(_PARAMETERS), _old, "Use the trait gateway.")
INGRESS_1_20: Final = TraitDefinition(
    fields({**_PARAMETERS, "class": Text("nginx"), "classInSpec": Truth(False)}), _newer, "Use the trait gateway."
)
PURE_INGRESS: Final = TraitDefinition(fields(_PARAMETERS), _pure, "Use the trait gateway with existingServiceName.")
