"""volumes and configmap: storage's forerunners."""

from __future__ import annotations

from typing import Final

from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.patching import Patch
from controller.render.oam.pods import FILES, MEDIUM, volume
from controller.render.oam.schema import TEXT, TEXT_TABLE, Items, OneOf, Truth, Whole, fields
from controller.render.oam.traits.pod_spec import CONTAINERS, POD, nested

_PLACE: Final = f"{POD}.volumes"
_VOLUME: Final = fields(
    {"name": TEXT, "type": OneOf(("emptyDir", "pvc", "configMap", "secret"), default="emptyDir")},
    cases={
        "pvc": fields({"claimName": TEXT}),
        "configMap": fields({"defaultMode": Whole(420), "cmName": TEXT, "items?": FILES}),
        "secret": fields({"defaultMode": Whole(420), "secretName": TEXT, "items?": FILES}),
        "emptyDir": fields({"medium": MEDIUM}),
    },
)
_CONFIG_MAP: Final = fields({"name": TEXT, "mountPath": TEXT, "readOnly": Truth(False), "data?": TEXT_TABLE})


def _volumes(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    made = [volume(one["type"], one, one["name"]) for one in parameters.get("volumes", ())]
    return Effect(patch=Patch(nested(_PLACE, made), keys={_PLACE: "name"}))


def _configmap(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    entries = parameters["volumes"]
    mounts = [
        {"name": f"volume-{one['name']}", "mountPath": one["mountPath"], "readOnly": one["readOnly"]} for one in entries
    ]
    volumes = [{"name": f"volume-{one['name']}", "configMap": {"name": one["name"]}} for one in entries]
    patch = Patch(
        nested(POD, {"containers": [{"volumeMounts": mounts}], "volumes": volumes}),
        keys={_PLACE: "name", f"{CONTAINERS}[].volumeMounts": "name"},
        opened=frozenset({CONTAINERS}),
    )
    objects = {
        one["name"]: {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": one["name"]},
            "data": one["data"],
        }
        for one in entries
        if "data" in one
    }
    return Effect(objects, patch)


VOLUMES: Final = TraitDefinition(fields({"volumes?": Items(_VOLUME)}), _volumes, "Use the trait storage.")
CONFIGMAP: Final = TraitDefinition(
    fields({"volumes": Items(_CONFIG_MAP)}), _configmap, "Use the trait storage with configMap."
)
