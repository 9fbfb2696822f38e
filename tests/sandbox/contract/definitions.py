"""The definition that the tests of custom resources share: a real control plane serves all of them at once."""

from __future__ import annotations

import asyncio

from tests.cluster.api import Api, ApiError
from tests.sandbox.contract.objects import Object

SECONDS = 20
GROUP = "contract.example.com"
PART = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
}
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1},
                "color": {"type": "string", "default": "red", "enum": ["red", "blue"]},
                "parts": {
                    "type": "array", "items": PART,
                    "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                },
                "tags": {"type": "array", "items": {"type": "string"}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        },
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}  # fmt: skip


def definition(*, group: str = GROUP, kind: str = "Widget") -> Object:
    plural = f"{kind.lower()}s"
    version = {
        "name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": SCHEMA},
        "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
    }  # fmt: skip
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural, "shortNames": ["wd"]},
            "versions": [version],
        },
    }  # fmt: skip


def widget(name: str = "w", **spec: object) -> Object:
    return {"apiVersion": f"{GROUP}/v1", "kind": "Widget", "metadata": {"name": name}, "spec": {"size": 1, **spec}}


async def define(api: Api, body: Object | None = None) -> None:
    """Put a definition in, and wait until its kind is served: a real server serves it a moment after it is Established.

    The tests of one run share the default one, and leave it.
    """
    body = body or definition()
    await api.apply(body, manager="contract", force=True)
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                await api.request("GET", f"/apis/{body['spec']['group']}/v1/{body['spec']['names']['plural']}")
            except ApiError as error:
                if error.code not in {404, 429}:  # not known yet; known, and its storage not ready yet
                    raise
                await asyncio.sleep(0.02)
            else:
                return
