"""storage: volumes of every kind, mounted into the first container or given to it as environment, made where asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.patching import Patch
from controller.render.oam.pods import FILES, MEDIUM, first_of_each_name, picked, volume
from controller.render.oam.schema import (
    TEXT,
    TEXT_TABLE,
    TEXTS,
    AnyMapping,
    Fields,
    Items,
    OneOf,
    Text,
    Truth,
    Whole,
    fields,
)
from controller.render.oam.traits.pod_spec import CONTAINERS, POD, containers_of, nested

_SIZE: Final = Text(pattern="^([1-9][0-9]{0,63})(E|P|T|G|M|K|Ei|Pi|Ti|Gi|Mi|Ki)$", example="8Gi")
_SOURCE: Final = fields({"name": TEXT, "kind": TEXT, "apiGroup": TEXT}, passed_on=True)
_PVC: Final = fields(
    {
        "name": TEXT,
        "mountOnly": Truth(False),
        "mountPath": TEXT,
        "subPath?": TEXT,
        "volumeMode": Text("Filesystem"),
        "volumeName?": TEXT,
        "accessModes": Items(TEXT, ("ReadWriteOnce",)),
        "storageClassName?": TEXT,
        "resources?": fields({"requests": fields({"storage": _SIZE}), "limits?": fields({"storage": _SIZE})}),
        "dataSourceRef?": _SOURCE,
        "dataSource?": _SOURCE,
        "selector?": fields(
            {
                "matchLabels?": TEXT_TABLE,
                "matchExpressions?": fields({"key": TEXT, "values": TEXTS, "operator": TEXT}),
            }
        ),
    }
)


def _files(key: str, **more: Any) -> Fields:
    """Declare a ConfigMap or Secret: as files, as environment by `key`, or both."""
    to_env = fields({"envName": TEXT, key: TEXT})
    return fields(
        {
            "name": TEXT,
            "mountOnly": Truth(False),
            "mountToEnv?": to_env,
            "mountToEnvs?": Items(to_env),
            "subPath?": TEXT,
            "defaultMode": Whole(420),
            "readOnly": Truth(False),
            "data?": AnyMapping(),
            "items?": FILES,
            **more,
        }
    )


_EMPTY_DIR: Final = fields({"name": TEXT, "mountPath": TEXT, "subPath?": TEXT, "medium": MEDIUM})
_HOST_TYPES: Final = (
    "Directory", "DirectoryOrCreate", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice",
)  # fmt: skip
_HOST_PATH: Final = fields(
    {"name": TEXT, "path": TEXT, "mountPath": TEXT, "type": OneOf(_HOST_TYPES, default="Directory")}
)
_KEYS: Final = {
    f"{POD}.volumes": "name",
    f"{CONTAINERS}[].env": "name",
    f"{CONTAINERS}[].volumeMounts": "name",
}


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:
    containers_of(workload, context, "storage")
    entries = list(_entries(parameters))
    container = {
        "env": [variable for source, one in entries for variable in _environment(source, one)],
        "volumeDevices": [_device(one) for source, one in entries if source == "pvc" and one["volumeMode"] == "Block"],
        "volumeMounts": [_mount(source, one) for source, one in entries if "mountPath" in one],
    }
    volumes = first_of_each_name(_volume(source, one) for source, one in entries if "mountPath" in one)
    patch = Patch(
        nested(POD, {"volumes": volumes, "containers": [container]}), keys=_KEYS, opened=frozenset({CONTAINERS})
    )
    objects = {_name(source, one): _object(source, one) for source, one in entries if one.get("mountOnly") is False}
    return Effect(objects, patch)


def _entries(parameters: Parameters) -> Iterator[tuple[str, Parameters]]:
    for source in ("pvc", "configMap", "secret", "emptyDir", "hostPath"):
        for one in parameters.get(source, ()):
            yield source, one


def _name(source: str, one: Parameters) -> str:
    return f"{source.lower()}-{one['name']}"


def _volume(source: str, one: Parameters) -> Body:
    if source == "hostPath":
        return {"name": _name(source, one), "hostPath": picked(one, "path", "type")}
    named = {"claimName": one["name"], "cmName": one["name"], "secretName": one["name"]}
    return volume(source, one | named, _name(source, one))


def _mount(source: str, one: Parameters) -> Body:
    if source == "pvc" and one["volumeMode"] != "Filesystem":
        return {}  # as KubeVela does; the API server refuses it
    sub_path = picked(one, "subPath") if source != "hostPath" else {}
    return {"name": _name(source, one), "mountPath": one["mountPath"], **sub_path}


def _device(one: Parameters) -> Body:
    return {"name": _name("pvc", one), "devicePath": one["mountPath"], **picked(one, "subPath")}


def _environment(source: str, one: Parameters) -> Iterator[Body]:
    key, reference = {
        "configMap": ("configMapKey", "configMapKeyRef"),
        "secret": ("secretKey", "secretKeyRef"),
    }.get(source, ("", ""))
    if not key:
        return
    for to in [*([one["mountToEnv"]] if "mountToEnv" in one else []), *one.get("mountToEnvs", ())]:
        yield {"name": to["envName"], "valueFrom": {reference: {"name": one["name"], "key": to[key]}}}


def _object(source: str, one: Parameters) -> Body:
    metadata = {"name": one["name"]}
    if source == "configMap":
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **picked(one, "data")}
    if source == "secret":
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **picked(one, "data", "stringData")}
    asked = one.get("resources", {"requests": {"storage": "8Gi"}})
    spec = {
        "accessModes": one["accessModes"],
        "volumeMode": one["volumeMode"],
        "resources": {name: picked(asked[name], "storage") for name in ("requests", "limits") if name in asked},
        **picked(one, "volumeName", "storageClassName", "dataSourceRef", "dataSource"),
    }
    if "selector" in one:
        spec["dataSource"] = one["selector"]  # as KubeVela does
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


STORAGE: Final = TraitDefinition(
    fields(
        {
            "pvc?": Items(_PVC),
            "configMap?": Items(_files("configMapKey", **{"mountPath?": TEXT})),
            "secret?": Items(_files("secretKey", **{"mountPath": TEXT, "stringData?": AnyMapping()})),
            "emptyDir?": Items(_EMPTY_DIR),
            "hostPath?": Items(_HOST_PATH),
        }
    ),
    _apply,
)
