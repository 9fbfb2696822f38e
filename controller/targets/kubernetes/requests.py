"""What to ask the API server for one object: pure builders, so that each is tested by its bytes."""

from __future__ import annotations

from typing import Any, Final

import orjson

from controller.model import ObjectKey
from controller.targets.kubernetes.connection import JSON, Request
from controller.targets.kubernetes.discovery import Resource
from controller.targets.kubernetes.labels import MANAGER

APPLY_PATCH: Final = "application/apply-patch+yaml"  # JSON is YAML; the CBOR and `+json` forms are newer
MERGE_PATCH: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
BY_MANAGER: Final = ("fieldManager", MANAGER)
FORCED: Final = ("force", "true")
DRY_RUN: Final = ("dryRun", "All")
STRICT: Final = ("fieldValidation", "Strict")


def apply_request(
    resource: Resource, key: ObjectKey, body: bytes, *, is_forced: bool, is_dry_run: bool, manager: str = MANAGER
) -> Request:
    """Ask for a server-side apply. Forced, it takes fields from other managers; dry, it only says what would be."""
    query = [("fieldManager", manager)]
    if is_forced:
        query.append(FORCED)
    if is_dry_run:
        query.append(DRY_RUN)
    return Request("PATCH", resource.path(key.namespace, key.name), tuple(query), body, APPLY_PATCH)


def create_request(resource: Resource, key: ObjectKey, body: bytes) -> Request:
    """Ask whether an object could be created, fields that its schema does not know included; nothing is written."""
    return Request("POST", resource.path(key.namespace), (BY_MANAGER, DRY_RUN, STRICT), body, JSON)


def get_request(resource: Resource, key: ObjectKey) -> Request:
    return Request("GET", resource.path(key.namespace, key.name))


def delete_request(resource: Resource, key: ObjectKey, uid: str, resource_version: str) -> Request:
    """Ask for a delete of exactly this object in exactly this state; its dependants follow in the background."""
    options = {
        "propagationPolicy": "Background",
        "preconditions": {"uid": uid, "resourceVersion": resource_version},
    }
    return Request("DELETE", resource.path(key.namespace, key.name), (), orjson.dumps(options), JSON)


def merge_request(resource: Resource, key: ObjectKey, patch: dict[str, object], resource_version: str) -> Request:
    """Ask what a JSON merge patch (RFC 7386) would make of exactly this state of an object; nothing is written."""
    metadata = patch.get("metadata")
    whole = {
        **patch,
        "metadata": {**(metadata if isinstance(metadata, dict) else {}), "resourceVersion": resource_version},
    }
    path = resource.path(key.namespace, key.name)
    return Request("PATCH", path, (BY_MANAGER, DRY_RUN), orjson.dumps(whole), MERGE_PATCH)


def let_go_request(resource: Resource, key: ObjectKey, metadata: dict[str, Any]) -> Request:
    """Ask to replace labels, annotations and managers of an object, in exactly the state that `metadata` is of."""
    patch: list[dict[str, Any]] = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
        *(
            {"op": "add", "path": f"/metadata/{name}", "value": metadata[name]}
            for name in ("labels", "annotations", "managedFields")
        ),
    ]
    path = resource.path(key.namespace, key.name)
    return Request("PATCH", path, (BY_MANAGER,), orjson.dumps(patch), JSON_PATCH)


def managers_request(
    resource: Resource, key: ObjectKey, managed_fields: list[dict[str, object]], resource_version: str
) -> Request:
    """Ask to replace an object's managedFields, in exactly this state of it."""
    patch = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version},
        {"op": "replace", "path": "/metadata/managedFields", "value": managed_fields},
    ]
    path = resource.path(key.namespace, key.name)
    return Request("PATCH", path, (BY_MANAGER,), orjson.dumps(patch), JSON_PATCH)
