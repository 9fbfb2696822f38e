"""Garbage collection by ownerReferences: background, foreground and orphaning (pkg/controller/garbagecollector)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controller.sandbox.cluster.controllers.control import CONTROLLER_MANAGER, Key, Object
from controller.sandbox.cluster.deletion import FOREGROUND, ORPHAN, Deletion
from controller.sandbox.cluster.objects import Objects, Request
from controller.sandbox.cluster.schema import Kind
from controller.sandbox.cluster.store import Change

GARBAGE = "<garbage>"
Place = tuple[tuple[str, str], str, str]  # resource, namespace, name


class Collector:
    """Knows every object's uid and who names it as owner."""

    def __init__(self, objects: Objects, put: Callable[[Key], None]) -> None:
        self._objects = objects
        self._put = put
        self._places: dict[str, Place] = {}  # by uid
        self._by_owner: dict[str, set[str]] = {}  # uids of dependents, by the owner's uid

    def dependents(self, uid: str) -> list[Key]:
        """Give the dependents of built-in kinds: what controllers own."""
        keys = []
        for one in self._by_owner.get(uid, ()):
            resource, namespace, name = self._places[one]
            kind = self._objects.registry.by_key(resource)
            if kind is not None and kind.is_builtin:
                keys.append((kind.kind, namespace, name))
        return keys

    def hear(self, kind: Kind, change: Change) -> None:
        meta: Any = change.new["metadata"]
        uid = meta["uid"]
        before = {one["uid"] for one in _owners(change.old)}
        after = set() if change.is_deletion else {one["uid"] for one in _owners(change.new)}
        for owner in before - after:
            self._by_owner.get(owner, set()).discard(uid)
        for owner in after - before:
            self._by_owner.setdefault(owner, set()).add(uid)
        if change.is_deletion:
            self._places.pop(uid, None)
            for dependent in self._by_owner.get(uid, ()):
                self._put((GARBAGE, "", dependent))
        else:
            self._places[uid] = (kind.key, *change.name)
        if after or FOREGROUND in meta.get("finalizers", ()) or ORPHAN in meta.get("finalizers", ()):
            self._put((GARBAGE, "", uid))
        for owner in before | after:
            if owner in self._places:
                self._put((GARBAGE, "", owner))

    def treat(self, key: Key) -> None:
        place = self._places.get(key[2])
        if place is None:
            return
        resource, namespace, name = place
        kind, body = self._objects.registry.by_key(resource), self._objects.store.get(resource, (namespace, name))
        if kind is None or body is None:
            return
        meta: Any = body["metadata"]
        request = Request(kind=kind, namespace=namespace, name=name, manager=CONTROLLER_MANAGER)
        if "deletionTimestamp" in meta:
            self._end(request, body, meta)
        elif owners := _owners(body):
            self._judge(request, body, owners)

    def _judge(self, request: Request, body: Object, owners: list[Object]) -> None:
        """Delete what no owner is left of; in the foreground while one of them waits for it."""
        alive = [one for one in owners if one["uid"] in self._places]
        if not alive:
            self._objects.delete(request, Deletion(uid=body["metadata"]["uid"]))
            return
        waiting = [one for one in alive if FOREGROUND in self._finalizers(one["uid"])]
        if len(waiting) == len(alive):
            has_own = bool(self._by_owner.get(body["metadata"]["uid"]))
            propagation = "Foreground" if has_own else "Background"
            self._objects.delete(request, Deletion(uid=body["metadata"]["uid"], propagation=propagation))

    def _end(self, request: Request, body: Object, meta: Any) -> None:
        """Let an object go that waits for its dependents, once they are gone or on their own."""
        finalizers = meta.get("finalizers", [])
        dependents = self._by_owner.get(meta["uid"], set())
        if FOREGROUND in finalizers:
            blocking = [one for one in dependents if one in self._places]
            for one in blocking:
                self._put((GARBAGE, "", one))
            if not blocking:
                self._drop_finalizer(request, body, FOREGROUND)
        elif ORPHAN in finalizers:
            for one in tuple(dependents):
                self._orphan(self._places[one], meta["uid"])
            self._drop_finalizer(request, body, ORPHAN)

    def _orphan(self, place: Place, owner: str) -> None:
        resource, namespace, name = place
        kind, body = self._objects.registry.by_key(resource), self._objects.store.get(resource, (namespace, name))
        if kind is None or body is None:
            return
        meta: Any = body["metadata"]
        left = [one for one in meta["ownerReferences"] if one["uid"] != owner]
        request = Request(kind=kind, namespace=namespace, name=name, manager=CONTROLLER_MANAGER)
        self._objects.replace(request, {**body, "metadata": {**meta, "ownerReferences": left}})

    def _drop_finalizer(self, request: Request, body: Object, finalizer: str) -> None:
        meta = body["metadata"]
        left = [one for one in meta["finalizers"] if one != finalizer]
        self._objects.replace(request, {**body, "metadata": {**meta, "finalizers": left}})

    def _finalizers(self, uid: str) -> list[str]:
        resource, namespace, name = self._places[uid]
        body: Any = self._objects.store.get(resource, (namespace, name)) or {"metadata": {}}
        found: list[str] = body["metadata"].get("finalizers", [])
        return found


def _owners(body: Any) -> list[Object]:
    found: list[Object] = ((body or {}).get("metadata") or {}).get("ownerReferences") or []
    return found
