"""Who owns which field: managedFields, as apimachinery's managedfields package and structured-merge-diff keep them.

A manager is known by its name, its operation (Apply or Update), the subresource and, for an Update, the version that it
wrote. An Update owns what it changed and takes it from everybody else; an Apply owns what it names, conflicts where
somebody else owns a value it would change, and removes what it named before and nobody else owns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from controller.model import JsonValue
from controller.sandbox.cluster import typed
from controller.sandbox.cluster.comparing import compare
from controller.sandbox.cluster.fieldset import (
    FieldSet,
    difference,
    intersection,
    ordered,
    paths,
    union,
    without,
    written,
)
from controller.sandbox.cluster.merging import merge, remove
from controller.sandbox.cluster.schema import Body, Shape

APPLY, UPDATE = "Apply", "Update"
BEFORE_FIRST_APPLY = "before-first-apply"
MAX_UPDATE_MANAGERS = 10  # the oldest Update entries beyond these are merged into one
ANCIENT = "ancient-changes"
# What no manager owns: the server's own, and what identifies the object (managedfields/internal/stripmeta.go).
STRIPPED: FieldSet = {
    "f:apiVersion": {},
    "f:kind": {},
    "f:metadata": {
        ".": {},
        **{
            f"f:{name}": {}
            for name in (
                "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation",
                "managedFields", "resourceVersion",
            )
        },
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Manager:
    name: str
    operation: str
    api_version: str = ""  # of an Update; an Apply is the same manager at every version
    subresource: str = ""

    def __str__(self) -> str:
        """Write it as conflicts do."""
        shown = f'"{self.name}"' + (f' with subresource "{self.subresource}"' if self.subresource else "")
        return f"{shown} using {self.api_version}" if self.operation == UPDATE else shown


@dataclass(frozen=True, slots=True)
class Entry:
    fields: FieldSet
    api_version: str
    time: str = ""


Managed = Mapping[Manager, Entry]


class Conflicts(Exception):
    """Fields that others own and an unforced apply would change."""

    def __init__(self, conflicts: Mapping[Manager, FieldSet]) -> None:
        self.found = sorted(
            ((manager, path) for manager, fields in conflicts.items() for path in paths(ordered(fields))),
            key=lambda one: (str(one[0]), one[1]),
        )
        super().__init__(self.message())

    def message(self) -> str:
        if len(self.found) == 1:
            manager, path = self.found[0]
            return f"Apply failed with 1 conflict: conflict with {manager}: {written(path)}"
        lines: list[str] = []
        last: Manager | None = None
        for manager, path in self.found:
            if manager != last:
                lines.append(f"conflicts with {manager}:")
            last = manager
            lines.append(f"- {written(path)}")
        return f"Apply failed with {len(self.found)} conflicts: " + "\n".join(lines)

    def causes(self) -> list[Body]:
        return [
            {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": written(path)}
            for manager, path in self.found
        ]


def read(entries: JsonValue) -> dict[Manager, Entry] | None:
    """Read metadata.managedFields. None for a request to forget everybody, `[{}]`."""
    if entries == [{}]:
        return None
    found: dict[Manager, Entry] = {}
    for one in entries if isinstance(entries, list) else ():
        if not isinstance(one, dict):
            continue
        data: dict[str, Any] = one
        operation, version = data.get("operation", UPDATE), data.get("apiVersion", "")
        manager = Manager(
            data.get("manager", ""), operation, version if operation == UPDATE else "", data.get("subresource", "")
        )
        found[manager] = Entry(data.get("fieldsV1") or {}, version, data.get("time", ""))
    return found


def write(managed: Managed) -> list[JsonValue]:
    """Write metadata.managedFields, in the server's order: Apply first, then by time, manager and version."""
    order = sorted(
        managed.items(),
        key=lambda one: (one[0].operation, one[1].time, one[0].name, one[1].api_version, one[0].subresource),
    )
    result: list[JsonValue] = []
    for manager, entry in order:
        one: Body = {"manager": manager.name, "operation": manager.operation, "apiVersion": entry.api_version}
        if entry.time:
            one["time"] = entry.time
        one |= {"fieldsType": "FieldsV1", "fieldsV1": ordered(entry.fields)}
        if manager.subresource:
            one["subresource"] = manager.subresource
        result.append(one)
    return result


@dataclass(frozen=True, slots=True)
class Writer:
    """One request's writer: the shape of what it writes, who it is, and what it may not own."""

    shape: Shape
    manager: Manager
    api_version: str
    time: str
    reset: FieldSet  # what this endpoint ignores: status on the object itself, all but status on its status

    def update(self, managed: Managed, old: Body, new: Body) -> dict[Manager, Entry]:
        """Note what an update changed."""
        others, changed = self._take(managed, old, new, but=None, force=True)
        if not changed:
            return others
        before = others.get(self.manager)
        fields = union(changed, before.fields) if before else changed
        return _capped({**others, self.manager: Entry(fields, self.api_version, self.time)})

    def apply(self, managed: Managed, live: Body, applied: Body, *, force: bool) -> tuple[Body, dict[Manager, Entry]]:
        """Give the merged object and its owners. Raises Conflicts."""
        merged = _dict(merge(live, applied, self.shape))
        ours = difference(without(typed.field_set(applied, self.shape), self.reset), STRIPPED)
        last = managed.get(self.manager)
        owners = {**managed, self.manager: Entry(ours, self.api_version)}
        if last:
            merged = _pruned(merged, last.fields, owners, self.shape)
        owners, _ = self._take(owners, live, merged, but=self.manager, force=force)
        if not ours:
            owners.pop(self.manager, None)
        elif not typed.same(live, merged):
            owners[self.manager] = Entry(ours, self.api_version, self.time)
        elif last:  # nothing changes: the time of the last change stays
            owners[self.manager] = Entry(ours, self.api_version, last.time)
        return merged, owners

    def _take(
        self, managed: Managed, old: Body, new: Body, *, but: Manager | None, force: bool
    ) -> tuple[dict[Manager, Entry], FieldSet]:
        """Take what changed from everybody `but` one, and give what it was. Raises Conflicts."""
        change = compare(old, new, self.shape)
        written_, removed = (
            without(union(change.modified, change.added), self.reset),
            without(change.removed, self.reset),
        )
        conflicts: dict[Manager, FieldSet] = {}
        kept: dict[Manager, Entry] = {}
        for manager, entry in managed.items():
            if manager == but:
                kept[manager] = entry
                continue
            if conflict := intersection(entry.fields, written_):
                conflicts[manager] = conflict
            if left := difference(difference(entry.fields, written_), removed):
                kept[manager] = entry if left == entry.fields else replace(entry, fields=left)
        if conflicts and not force:
            raise Conflicts(conflicts)
        return kept, difference(written_, STRIPPED)


def _pruned(merged: Body, last: FieldSet, owners: Managed, shape: Shape) -> Body:
    """Remove what was applied before and is not now, unless somebody else owns it (merge/update.go, prune)."""
    named = typed.with_named_fields
    before = named(typed.field_set(merged, shape), shape)
    pruned = remove(merged, named(last, shape), shape) or {}
    owned: FieldSet = {}
    for entry in owners.values():
        owned = union(owned, entry.fields)
    kept = union(named(typed.field_set(pruned, shape), shape), named(owned, shape))
    pruned = remove(merged, difference(before, kept), shape) or {}
    # Below what was removed there may be fields that nobody owned: they stay.
    gone = difference(before, named(typed.field_set(pruned, shape), shape))
    return _dict(remove(merged, intersection(gone, named(last, shape)), shape))


def _dict(value: typed.Maybe) -> Body:
    return value if isinstance(value, dict) else {}


def _capped(managed: dict[Manager, Entry]) -> dict[Manager, Entry]:
    """Merge the oldest Update entries into one where there are too many (managedfields/internal/capmanagers.go)."""
    updates = sorted(
        (manager for manager in managed if manager.operation == UPDATE), key=lambda one: (managed[one].time, one.name)
    )
    for manager in updates[: max(0, len(updates) - MAX_UPDATE_MANAGERS)]:
        entry = managed.pop(manager)
        bucket = Manager(ANCIENT, UPDATE, entry.api_version)
        before = managed.get(bucket)
        managed[bucket] = replace(entry, fields=union(before.fields, entry.fields)) if before else entry
    return managed
