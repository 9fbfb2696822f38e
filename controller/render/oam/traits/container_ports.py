"""container-ports: ports of a container, bound to the host where asked."""

from __future__ import annotations

from typing import Final

from controller.model import FieldPath
from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.pods import PROTOCOL, picked
from controller.render.oam.schema import TEXT, WHOLE, Items, fields
from controller.render.oam.traits.containers import OneOrMany, patch_containers

_PORTS: Final = Items(fields({"containerPort": WHOLE, "protocol": PROTOCOL, "hostPort?": WHOLE, "hostIP?": TEXT}))


def _patch(parameters: Parameters, container: Body, context: Context, path: FieldPath) -> Body:
    wanted = {_key(one): one for one in parameters["ports"]}
    before = container.get("ports")
    if before is None:
        return {
            "ports": [picked(one, "containerPort", "protocol", "hostPort", "hostIP") for one in parameters["ports"]]
        }
    for one in before:
        if "protocol" not in one or "name" not in one:
            what = f"port {one.get('containerPort')} of the container has no name and protocol"
            context.report.fail(path, what, "Declare the component's ports with `ports`, not with the older `port`.")
    kept = [
        picked(one, "containerPort", "protocol", "name") | picked(wanted.get(_key(one), {}), "hostPort", "hostIP")
        for one in before
    ]
    known = {_key(one) for one in before}
    new = [one for one in parameters["ports"] if _key(one) not in known]
    return {"ports": kept + [picked(one, "containerPort", "protocol", "hostPort", "hostIP") for one in new]}


def _key(port: Body) -> tuple[str, int]:
    return str(port["protocol"]).lower(), port["containerPort"]


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:
    return patch_containers(parameters, workload, context, trait="container-ports", patch=_patch, replaced=("ports",))


CONTAINER_PORTS: Final = TraitDefinition(OneOrMany({"ports": _PORTS}), _apply)
