"""Write what the sandbox cluster knows of Kubernetes' types, taken from a running control plane and from its Go types.

`python -m tests.cluster.schema` starts a control plane and rewrites the sandbox's data/schema.json. From OpenAPI
come the list types, merge keys, defaults, enumerations and required fields; from the Go types (gotypes/) which
fields are pointers and which are left out when they are empty. One line per type: a new version shows as a diff.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.cluster import process
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api, root
from tests.cluster.build import MODULE, binary
from tests.cluster.toolchain import find_go

DATA = MODULE.parents[1] / "controller" / "sandbox" / "cluster" / "data" / "schema.json"
# api version -> kinds, in the order in which discovery shows them
KINDS = {
    "v1": (
        "ConfigMap",
        "Event",
        "Namespace",
        "Node",
        "PersistentVolumeClaim",
        "Pod",
        "Secret",
        "Service",
        "ServiceAccount",
    ),
    "apps/v1": ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
    "batch/v1": ("CronJob", "Job"),
    "networking.k8s.io/v1": ("Ingress", "NetworkPolicy"),
    "rbac.authorization.k8s.io/v1": ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
    "coordination.k8s.io/v1": ("Lease",),
    "discovery.k8s.io/v1": ("EndpointSlice",),
    "policy/v1": ("PodDisruptionBudget",),
    "autoscaling/v2": ("HorizontalPodAutoscaler",),
    "apiextensions.k8s.io/v1": ("CustomResourceDefinition",),
}
# Types that are no structs on the wire.
SCALARS = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "any",
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int-or-string",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "any",
}
OPAQUE = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON"  # JSON, JSONSchemaPropsOrBool and their like
JsonObject = dict[str, Any]


async def describe(api: Api) -> JsonObject:
    """Give the whole of the data file."""
    go_types = _go_types()
    models: JsonObject = {}
    kinds: list[JsonObject] = []
    for api_version, wanted in {**KINDS, "autoscaling/v1": ()}.items():
        models |= (await api.request("GET", f"/openapi/v3{root(api_version)}"))["components"]["schemas"]
        resources = (await api.request("GET", root(api_version)))["resources"]
        kinds += [_kind(api_version, kind, resources, models) for kind in wanted]
    return {
        "version": (await api.request("GET", "/version"))["gitVersion"],
        "kinds": kinds,
        "types": {_short(name): _type(go_types[name], models[name]) for name in sorted(go_types)},
    }


def _go_types() -> JsonObject:
    done = subprocess.run(
        [find_go(MODULE), "run", "./gotypes"], cwd=MODULE, check=True, capture_output=True, timeout=600,
        env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false", "CGO_ENABLED": "0"},
    )  # fmt: skip
    found: JsonObject = json.loads(done.stdout)
    return found


def _kind(api_version: str, kind: str, resources: list[JsonObject], models: JsonObject) -> JsonObject:
    group, _, version = api_version.rpartition("/")
    (one,) = (r for r in resources if r["kind"] == kind and "/" not in r["name"])
    wanted = {"group": group, "version": version, "kind": kind}
    (model,) = (n for n, m in models.items() if wanted in m.get("x-kubernetes-group-version-kind", ()))
    subresources = {r["name"].partition("/")[2] for r in resources if r["name"].startswith(one["name"] + "/")}
    return {
        **wanted, "plural": one["name"], "singular": one["singularName"], "namespaced": one["namespaced"],
        "short": one.get("shortNames", []), "categories": one.get("categories", []), "type": _short(model),
        "subresources": sorted(subresources & {"status", "scale"}),
    }  # fmt: skip


def _type(go: JsonObject, model: JsonObject) -> JsonObject:
    fields = {
        name: _field(name, field, model.get("properties", {}).get(name, {}), required=name in model.get("required", ()))
        for name, field in sorted(go.items())
    }
    return {"atomic": True, "fields": fields} if model.get("x-kubernetes-map-type") == "atomic" else {"fields": fields}


def _field(name: str, go: JsonObject, model: JsonObject, *, required: bool) -> JsonObject:
    kind, listed = go["type"].split(" ")[0], model.get("x-kubernetes-list-type", "atomic")
    found: JsonObject = {"type": " ".join(_short(part) for part in go["type"].split(" "))}
    if kind == "list" and listed == "map":
        found["keys"] = model["x-kubernetes-list-map-keys"]
    if kind == "list" and listed == "set":
        found["set"] = True
    if model.get("x-kubernetes-map-type") == "atomic":
        found["atomic"] = True
    if model.get("default") not in (None, {}, "", 0, False):
        found["default"] = model["default"]
    if "enum" in model:
        found["enum"] = model["enum"]
    flags = {"required": required, "pointer": go.get("pointer"), "kept": not go.get("omitEmpty")}
    found |= {flag: True for flag, holds in flags.items() if holds}
    if go.get("patch"):
        found["patch"] = go["patch"]
    if go.get("number"):
        found["number"] = int(go["number"])
    if go.get("mergeKey"):
        found["mergeKey"] = go["mergeKey"]
    return found


def _short(name: str) -> str:
    """`io.k8s.api.apps.v1.Deployment` is `apps.v1.Deployment` here."""
    if name in SCALARS:
        return SCALARS[name]
    if name.startswith(OPAQUE) and not name.endswith(".JSONSchemaProps"):
        return "any"
    for prefix in ("io.k8s.api.", "io.k8s.apimachinery.pkg.apis.", "io.k8s.apiextensions-apiserver.pkg.apis."):
        name = name.removeprefix(prefix)
    return name


def written(data: JsonObject) -> str:
    """Write it with one line per kind and type."""

    def lines(parts: list[str]) -> str:
        return ",\n".join(parts)

    kinds = lines([json.dumps(one) for one in data["kinds"]])
    types = lines([f"{json.dumps(name)}: {json.dumps(one)}" for name, one in data["types"].items()])
    return f'{{"version": {json.dumps(data["version"])},\n"kinds": [\n{kinds}\n],\n"types": {{\n{types}\n}}}}\n'


async def main() -> None:
    reading, writing = os.pipe()  # the control plane ends with this program
    with tempfile.TemporaryDirectory() as scratch:
        running = process.start(binary(), Path(scratch) / "control-plane", lifeline=reading, arguments=())
        access = KubeAccess(
            server=running.server,
            kubeconfig=Path(running.kubeconfig),
            ca=Path(running.ca),
            token=running.token,
            namespace="",
        )
        async with Api.connect(access) as api:
            DATA.write_text(written(await describe(api)))
        os.close(writing)


if __name__ == "__main__":
    asyncio.run(main())
