"""The objects, one counter of versions over all of them, and the history that watches read.

Bodies in the store are never changed in place: a write puts a new one. Whoever gets one may share its parts, and copies
what it changes. Everything happens on the event loop, so a write is done when its call returns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from controller.sandbox.cluster.schema import Body

ResourceKey = tuple[str, str]  # group and plural: every version of a kind shows the same objects
Name = tuple[str, str]  # namespace ("" for a kind without) and name
HISTORY = 20_000  # changes that are remembered for watches that begin in the past


@dataclass(frozen=True, slots=True)
class Change:
    """One write. `old` is None for a creation; `new` of a deletion is its last state, at a version of its own."""

    version: int
    resource: ResourceKey
    name: Name
    old: Body | None
    new: Body
    is_deletion: bool = False

    @property
    def type(self) -> Literal["ADDED", "MODIFIED", "DELETED"]:
        return "DELETED" if self.is_deletion else "MODIFIED" if self.old is not None else "ADDED"


class Store:
    """Keeps bodies by resource and name. It knows no kinds and no rules."""

    def __init__(self) -> None:
        self.version = 1
        self.oldest = 1  # changes up to this version are forgotten
        self._objects: dict[ResourceKey, dict[Name, Body]] = {}
        self._history: deque[Change] = deque()
        self._listeners: list[Callable[[Change], None]] = []

    def get(self, resource: ResourceKey, name: Name) -> Body | None:
        return self._objects.get(resource, {}).get(name)

    def all(self, resource: ResourceKey, namespace: str = "") -> list[Body]:
        """Give a resource's objects in the order of their keys, of one namespace or of all."""
        found = self._objects.get(resource, {})
        return [found[name] for name in sorted(found) if not namespace or name[0] == namespace]

    def resources(self) -> tuple[ResourceKey, ...]:
        return tuple(self._objects)

    def put(self, resource: ResourceKey, name: Name, body: Body) -> Body:
        """Write an object with the next version, and tell everybody."""
        version = self.version + 1
        stored = _at_version(body, version)
        kept = self._objects.setdefault(resource, {})
        old = kept.get(name)
        kept[name] = stored
        self._tell(Change(version, resource, name, old, stored))
        return stored

    def remove(self, resource: ResourceKey, name: Name) -> Body:
        """Take an object away. Raises KeyError where there is none."""
        old = self._objects[resource].pop(name)
        version = self.version + 1
        last = _at_version(old, version)
        self._tell(Change(version, resource, name, old, last, is_deletion=True))
        return last

    def _tell(self, change: Change) -> None:
        self.version = change.version
        self._history.append(change)
        if len(self._history) > HISTORY:
            self.oldest = self._history.popleft().version
        for listener in tuple(self._listeners):
            listener(change)

    def since(self, version: int) -> Iterator[Change]:
        """Give the changes after a version, oldest first."""
        newer: list[Change] = []
        for change in reversed(self._history):
            if change.version <= version:
                break
            newer.append(change)
        return reversed(newer)

    def compact(self) -> None:
        """Forget the history, as etcd does every five minutes: a watch that begins before now is Gone."""
        self._history.clear()
        self.oldest = self.version

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call on each change, in order. Gives what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)


def _at_version(body: Body, version: int) -> Body:
    meta = body["metadata"]
    return {**body, "metadata": {**(meta if isinstance(meta, dict) else {}), "resourceVersion": str(version)}}
