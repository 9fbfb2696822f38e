"""Create, update, patch, apply and delete, each in the order in which an API server does it.

A write goes: decode and default, note the field owners, complete the object, validate, store. A dry run stops before
the last step. Everything is synchronous: between two requests the objects are as one of them left them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from controller.model import JsonValue
from controller.sandbox.cluster import checking, custom, deletion, lifecycle, ownership, patches, refusals, validation
from controller.sandbox.cluster.decoding import blank, decode
from controller.sandbox.cluster.deletion import NAMESPACES, Deletion
from controller.sandbox.cluster.fieldset import FieldSet
from controller.sandbox.cluster.ownership import APPLY, UPDATE, Manager, Writer
from controller.sandbox.cluster.refusals import Refused
from controller.sandbox.cluster.registry import DEFINITIONS, Registry
from controller.sandbox.cluster.schema import Body, Kind
from controller.sandbox.cluster.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Where a write goes, who writes, and how."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    manager: str = ""
    is_dry_run: bool = False
    is_forced: bool = False
    is_strict: bool = False  # fieldValidation=Strict: unknown fields are refused


class Objects:
    """The writing half of the API, over a store."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self.store = store
        self.registry = registry

    # reading

    def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """Raises Refused (404)."""
        found = self.store.get(kind.key, (namespace, name))
        if found is None:
            raise refusals.not_found(kind, name)
        return self.at_version(kind, found)

    def at_version(self, kind: Kind, body: Body) -> dict[str, Any]:
        """Show a custom resource at the version that was asked for; built-in kinds have one version each."""
        return body if body["apiVersion"] == kind.api_version else {**body, "apiVersion": kind.api_version}

    # writing

    def create(self, request: Request, body: Body) -> tuple[Body, bool]:
        """Create an object. Gives it, and True for a creation."""
        kind, sent = request.kind, _meta(body)
        namespace = self._namespace_for(request, sent)
        if sent.get("resourceVersion") and not request.is_dry_run:
            raise Refused(500, "", "resourceVersion should not be set on objects to be created")
        new = decode(request.kind, body, strict=request.is_strict)
        if not sent.get("name") and sent.get("generateName"):
            new["metadata"]["name"] = lifecycle.generated_name(str(sent["generateName"]))
        writer = self._writer(request, UPDATE)
        managed = ownership.read(sent.get("managedFields")) or {}
        owners = writer.update(managed, blank(kind), _unmanaged(new))
        return self._finish_create(request, namespace, new, owners), True

    def replace(self, request: Request, body: Body) -> tuple[Body, bool]:
        """Put an object over the one that is there. Leases and their like are created where they are missing."""
        self._check_name(request, body)
        self._namespace_for(request, _meta(body), must_exist=False)
        old = self.get(request.kind, request.namespace, request.name)
        return self._update(request, old, decode(request.kind, body, strict=request.is_strict)), False

    def patch(self, request: Request, change: Callable[[Body], JsonValue]) -> tuple[Body, bool]:
        """Change an object by a patch that is no apply."""
        old = self.get(request.kind, request.namespace, request.name)
        changed = change(copy.deepcopy(old))
        if not isinstance(changed, dict):
            raise refusals.bad_request("the patch leaves no object")
        self._check_name(request, changed)
        return self._update(request, old, decode(request.kind, changed, strict=request.is_strict)), False

    def strategic(self, request: Request, patch: JsonValue) -> tuple[Body, bool]:
        if not request.kind.is_builtin:
            raise refusals.unsupported_media("application/strategic-merge-patch+json")
        return self.patch(request, lambda old: patches.strategic(old, patch, request.kind.shape))

    def apply(self, request: Request, body: Body) -> tuple[Body, bool]:
        """Apply server-side. Raises Refused: 409 with the owners, 500 for what the schema does not take."""
        kind, sent = request.kind, _meta(body)
        self._check_apply(request, body, sent)
        key = (request.namespace, request.name)
        live = self.store.get(kind.key, key)
        if live is None and sent.get("uid"):
            why = f"uid mismatch: the provided object specified uid {sent['uid']}, and no existing object was found"
            raise refusals.conflict(kind, request.name, why)
        if live is None:
            self._namespace_for(request, sent)
        elif sent.get("resourceVersion", _meta(live)["resourceVersion"]) != _meta(live)["resourceVersion"]:
            raise refusals.modified(kind, request.name)
        old: dict[str, Any] = self.at_version(kind, live) if live is not None else blank(kind)
        applied = {**body, "metadata": {"name": request.name, **sent}}
        writer = self._writer(request, APPLY)
        managed = ownership.read(_meta(old).get("managedFields")) or {}
        if live is not None and not managed:
            before = replace(writer, manager=Manager(ownership.BEFORE_FIRST_APPLY, UPDATE, kind.api_version))
            managed = before.update({}, blank(kind), _unmanaged(old))
        try:
            merged, owners = writer.apply(managed, _unmanaged(old), applied, force=request.is_forced)
        except ownership.Conflicts as found:
            causes: list[JsonValue] = list(found.causes())
            raise Refused(409, "Conflict", str(found), {"causes": causes}) from found
        new = decode(request.kind, merged)
        if live is None:
            return self._finish_create(request, request.namespace, new, owners), True
        if sent.get("uid") and sent["uid"] != old["metadata"]["uid"]:
            errors = [refusals.wrong("metadata.uid", sent["uid"], "field is immutable")]
            raise refusals.invalid(kind.kind, kind.group, request.name, errors)
        return self._finish_update(request, old, new, owners), False

    def set_replicas(self, request: Request, replicas: int, resource_version: str = "") -> Body:
        """Write through the scale subresource. Its managedFields entry has no time, as the real server's."""
        old = self.get(request.kind, request.namespace, request.name)
        if resource_version and resource_version != old["metadata"]["resourceVersion"]:
            raise refusals.modified(request.kind, request.name)
        new = copy.deepcopy(old)
        new["spec"]["replicas"] = replicas
        return self._update(replace(request, subresource="scale"), old, new)

    def delete(self, request: Request, options: Deletion) -> tuple[Body, bool]:
        """Delete an object. Gives it, and whether it is gone already: finalizers and graceful ends take longer."""
        kind = request.kind
        old = self.get(kind, request.namespace, request.name)
        new = deletion.begin(kind, old, options)
        if new is None:
            gone = old if request.is_dry_run else self.store.remove(kind.key, (request.namespace, request.name))
            return gone, True
        if new is old or request.is_dry_run:
            return new, False
        return self._put(request, new), False

    # the steps

    def _check_apply(self, request: Request, body: Body, sent: dict[str, Any]) -> None:
        kind = request.kind
        if not request.manager:
            error = refusals.required("fieldManager", "is required for apply patch")
            raise refusals.invalid("PatchOptions", "meta.k8s.io", "", [error])
        group, _, version = str(body.get("apiVersion", "")).rpartition("/")
        if (body.get("apiVersion"), body.get("kind")) != (kind.api_version, kind.kind):
            raise refusals.bad_request(f"invalid object type: {group}/{version}, Kind={body.get('kind', '')}")
        self._check_name(request, body)
        if sent.get("managedFields"):
            raise refusals.bad_request("metadata.managedFields must be nil")
        if found := list(checking.problems(body, kind.shape)):
            namespace, name = str(sent.get("namespace", "")), str(sent.get("name", ""))
            raise refusals.untyped_patch(namespace, name, kind.api_version, kind.kind, found)

    def _check_name(self, request: Request, body: Body) -> None:
        name = _meta(body).get("name")
        if name and name != request.name:
            why = f"the name of the object ({name}) does not match the name on the URL ({request.name})"
            raise refusals.bad_request(why)

    def _namespace_for(self, request: Request, sent: dict[str, Any], *, must_exist: bool = True) -> str:
        """Give the namespace of a write. Raises Refused: 400 where two are named, 404 and 403 where none is open."""
        if not request.kind.is_namespaced:
            return ""
        if sent.get("namespace", request.namespace) != request.namespace:
            raise refusals.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        found = self.store.get(NAMESPACES, ("", request.namespace))
        if not must_exist:
            return request.namespace
        if found is None:
            raise refusals.not_found(self.registry.builtin("Namespace"), request.namespace)
        if _meta(found).get("deletionTimestamp"):
            why = f"unable to create new content in namespace {request.namespace} because it is being terminated"
            cause: Body = {
                "reason": "NamespaceTerminating", "message": f"namespace {request.namespace} is being terminated",
                "field": "metadata.namespace",
            }  # fmt: skip
            raise refusals.forbidden(request.kind, str(sent.get("name", "")), why, [cause])
        return request.namespace

    def _writer(self, request: Request, operation: str) -> Writer:
        kind = request.kind
        version = kind.api_version if operation == UPDATE else ""
        return Writer(
            shape=kind.shape,
            manager=Manager(request.manager, operation, version, request.subresource),
            api_version=kind.api_version,
            time="" if request.subresource == "scale" else lifecycle.now(),
            reset=_reset(kind, request.subresource),
        )

    def _finish_create(self, request: Request, namespace: str, new: dict[str, Any], owners: ownership.Managed) -> Body:
        kind = request.kind
        lifecycle.on_create(kind, new, namespace)
        new["metadata"]["managedFields"] = ownership.write(owners)
        if not owners:
            del new["metadata"]["managedFields"]
        self._validate(kind, None, new)
        name = new["metadata"]["name"]
        if self.store.get(kind.key, (namespace, name)) is not None:
            raise refusals.already_exists(kind, name)
        return new if request.is_dry_run else self._put(replace(request, name=name, namespace=namespace), new)

    def _update(self, request: Request, old: dict[str, Any], new: dict[str, Any]) -> Body:
        sent = new["metadata"]
        if sent.get("resourceVersion", old["metadata"]["resourceVersion"]) != old["metadata"]["resourceVersion"]:
            raise refusals.modified(request.kind, request.name)
        if sent.get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
            why = (
                f"Precondition failed: UID in precondition: {sent['uid']}, UID in object meta: {old['metadata']['uid']}"
            )
            raise refusals.conflict(request.kind, request.name, why)
        new = _only_subresource(request, old, new)
        managed = ownership.read(sent.get("managedFields"))
        if managed is not None and not managed:
            managed = ownership.read(old["metadata"].get("managedFields")) or {}
        if managed:  # nobody is noted on an object without owners, until somebody applies it
            managed = self._writer(request, UPDATE).update(managed, _unmanaged(old), _unmanaged(new))
        return self._finish_update(request, old, new, managed or {})

    def _finish_update(
        self, request: Request, old: dict[str, Any], new: dict[str, Any], owners: ownership.Managed
    ) -> Body:
        kind = request.kind
        new = _only_subresource(request, old, new)
        lifecycle.on_update(kind, old, new, subresource=request.subresource)
        new["metadata"].pop("managedFields", None)
        if owners:
            new["metadata"]["managedFields"] = ownership.write(owners)
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        if _without_times(new) == _without_times(old):
            return old
        self._validate(kind, old, new)
        if request.is_dry_run:
            return new
        if deletion.is_over(kind, new):
            self.store.put(kind.key, (request.namespace, request.name), new)
            return self.store.remove(kind.key, (request.namespace, request.name))
        return self._put(request, new)

    def _validate(self, kind: Kind, old: dict[str, Any] | None, new: dict[str, Any]) -> None:
        """Raises Refused (422) with everything that is wrong."""
        if kind.is_builtin:
            found = list(validation.errors(kind, new))
        else:
            found = list(validation.metadata_errors(kind, new["metadata"]))
            found += custom.errors(new, self.registry.schema_of(kind))
        if old is not None:
            found += validation.update_errors(kind, old, new)
        if found:
            raise refusals.invalid(kind.kind, kind.group, new["metadata"].get("name", ""), found)

    def _put(self, request: Request, body: Body) -> Body:
        stored = self.store.put(request.kind.key, (request.namespace, request.name), body)
        if request.kind.key == DEFINITIONS:
            self.registry.forget()
        return stored


def _meta(body: Body) -> dict[str, Any]:
    found = body.get("metadata")
    return found if isinstance(found, dict) else {}


def _unmanaged(body: dict[str, Any]) -> dict[str, Any]:
    """Leave managedFields out: they are not compared with themselves."""
    if "managedFields" not in body["metadata"]:
        return body
    return {**body, "metadata": {k: v for k, v in body["metadata"].items() if k != "managedFields"}}


def _without_times(body: dict[str, Any]) -> dict[str, Any]:
    """What counts as a change: that only the times of field owners moved does not."""
    entries = body["metadata"].get("managedFields", ())
    plain = sorted((_untimed(one) for one in entries), key=str)
    return {**body, "metadata": {**body["metadata"], "managedFields": plain}}


def _untimed(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "time"}


def _reset(kind: Kind, subresource: str) -> FieldSet:
    if subresource == "status":
        return {"f:spec": {}}
    if subresource == "scale":
        return {"f:status": {}, "f:metadata": {}}
    return {"f:status": {}} if "status" in kind.subresources else {}


def _only_subresource(request: Request, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Keep what a write to this endpoint may not change."""
    if request.subresource == "status":
        kept = {name: value for name, value in old.items() if name not in {"status", "metadata"}}
        return {**kept, "metadata": new["metadata"], **({"status": new["status"]} if "status" in new else {})}
    if "status" in request.kind.subresources:
        result = {name: value for name, value in new.items() if name != "status"}
        return {**result, "status": old["status"]} if "status" in old else result
    return new
