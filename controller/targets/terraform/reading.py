"""A plan's JSON as a `model.Plan`: two verdicts, drift and pending, and the hash that an approval binds to. Pure.

Terraform says what somebody else changed (`resource_drift`: state against live) apart from what it would do
(`resource_changes`: live against configuration). A field that somebody changed and that would go back to what was
applied is drift; every other field is pending; a field that both sides moved is both. What somebody changed and the
plan leaves as it is (a computed attribute, `ignore_changes`) is no drift: nothing in git speaks of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec

from controller.model import (
    ABSENT,
    Action,
    Cause,
    Digest,
    FieldChange,
    FieldPath,
    FieldValue,
    Hidden,
    IgnoredDrift,
    Missing,
    ObjectKey,
    ObjectPlan,
    PlacementRef,
    Plan,
    Revision,
    Secret,
    Transient,
    Unknown,
    format_path,
)
from controller.targets.terraform.comparing import Change, differences, is_meaningless, keyed_hash, value_at
from controller.targets.terraform.source import OUTPUT

ACTIONS: Final[Mapping[tuple[str, ...], Action]] = {
    ("no-op",): Action.NOTHING,
    ("create",): Action.CREATE,
    ("update",): Action.CHANGE,
    ("delete",): Action.DELETE,
    ("delete", "create"): Action.REPLACE,
    ("create", "delete"): Action.REPLACE,
    ("forget",): Action.CHANGE,
    ("create", "forget"): Action.REPLACE,
}


class _Resource(msgspec.Struct):
    address: str
    type: str
    change: Change
    mode: str = "managed"
    previous_address: str = ""
    deposed: str = ""


class Document(msgspec.Struct):
    """What of `show -json` of a plan is read; the rest is passed over without being kept."""

    terraform_version: str = ""
    resource_changes: list[_Resource] = []
    resource_drift: list[_Resource] = []
    output_changes: dict[str, Change] = {}

    @property
    def changes(self) -> Iterator[Change]:
        """Give every change that the plan tells of."""
        yield from (one.change for one in (*self.resource_changes, *self.resource_drift))
        yield from self.output_changes.values()


_DECODER: Final = msgspec.json.Decoder(Document)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a plan depends on beside what it would do: all of it goes into the hash."""

    placement: PlacementRef
    inputs: Digest
    digest: Digest  # of the Manifest
    tool: str
    providers: Mapping[str, str]  # source → version
    lineage: str
    is_destroy: bool = False


def read_document(data: bytes) -> Document:
    """Decode a plan. Raises Transient for what is none."""
    try:
        return _DECODER.decode(data)
    except msgspec.DecodeError as error:
        raise Transient(f"the plan can't be read: {error}") from error


def objects_of(
    document: Document,
    owner: ObjectKey,
    key: Secret,
    ignored: Iterable[IgnoredDrift],
    *,
    today: date,
    is_unmoved: bool = False,
) -> tuple[ObjectPlan, ...]:
    """Say per resource what a plan would do, and of the workspace itself which outputs it changes.

    `is_unmoved`: the plan was made at what was applied last, by the same programs. Whatever it would do then is an
    answer to what others did, also where they did it to the state itself.
    """
    drifts = {one.address: one.change for one in document.resource_drift if one.mode == "managed"}
    found = [
        _object(one, drifts.get(one.address) or drifts.get(one.previous_address), key)
        for one in document.resource_changes
        if one.mode == "managed" and not one.deposed
    ]
    workspace = _workspace(document, owner, key)
    if is_unmoved:
        found = [_of_others(one) for one in found]
        is_caused = any(one.action is not Action.NOTHING for one in found)
        # Outputs that move with their resources are no edit of their own.
        workspace = ObjectPlan(key=owner, action=Action.NOTHING) if is_caused else _of_others(workspace)
    kept = [_without_ignored(one, ignored, today) for one in found]
    if all(one.action is Action.NOTHING for one in (workspace, *kept)):
        found = kept  # whatever else is applied takes ignored drift back too, so that it is shown then
    return (workspace, *sorted(found, key=lambda one: one.key))


def _object(resource: _Resource, drift: Change | None, key: Secret) -> ObjectPlan:
    change = resource.change
    action = ACTIONS.get(tuple(change.actions), Action.NOTHING)
    changes = _changes(change, drift, key) if action in (Action.CREATE, Action.CHANGE, Action.REPLACE) else ()
    moved = _moves(resource)
    if moved and action is Action.NOTHING:
        action = Action.CHANGE
    is_drift = _is_drift(action, change, changes, drift)
    return ObjectPlan(
        key=ObjectKey("terraform", resource.type, "", resource.address),
        action=action,
        cause=Cause.DRIFT if is_drift else Cause.PENDING,
        changes=(*changes, *moved),
        uid=str(value_at(change.before, ("id",)) or "") if isinstance(change.before, dict) else "",
        destroys=f"{resource.address} is {_END[action]}" if action in _END else "",
    )


def _of_others(one: ObjectPlan) -> ObjectPlan:
    changes: list[FieldChange] = []
    for change in one.changes:
        found = replace(change, cause=Cause.DRIFT)
        if found not in changes:
            changes.append(found)
    return replace(one, cause=Cause.DRIFT, changes=tuple(changes))


_END: Final = {Action.DELETE: "destroyed", Action.REPLACE: "replaced: destroyed and made anew"}


def _moves(resource: _Resource) -> tuple[FieldChange, ...]:
    """Tell what happens to a resource in the state alone: a new address, an import, being let go."""
    change = resource.change
    found: list[FieldChange] = []
    if resource.previous_address and resource.previous_address != resource.address:
        found.append(FieldChange(("address",), resource.previous_address, resource.address, Cause.PENDING))
    if change.importing is not None:
        found.append(FieldChange(("import",), ABSENT, str(change.importing.get("id", "")), Cause.PENDING))
    if "forget" in change.actions:
        found.append(FieldChange(("managed",), before=True, after=False, cause=Cause.PENDING))
    return tuple(found)


def _changes(change: Change, drift: Change | None, key: Secret) -> tuple[FieldChange, ...]:
    drifted = _drifted_paths(drift, key)
    found: list[FieldChange] = []
    for one in differences(change, key):
        touched = [path for path in drifted if _overlaps(path, one.path)]
        goes_back = bool(touched) and drift is not None and _is_applied_value(change, drift, one.path)
        if touched and drift is not None:
            applied: FieldValue = one.after if goes_back else _applied(drift, one.path, key)
            found.append(FieldChange(one.path, one.before, applied, Cause.DRIFT))
        if not goes_back:
            found.append(FieldChange(one.path, one.before, one.after, Cause.PENDING))
    return tuple(found)


def _drifted_paths(drift: Change | None, key: Secret) -> tuple[FieldPath, ...]:
    """Name what somebody changed of a resource that is still there."""
    return () if drift is None or drift.after is None else tuple(one.path for one in differences(drift, key))


def _overlaps(one: FieldPath, other: FieldPath) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _is_applied_value(change: Change, drift: Change, path: FieldPath) -> bool:
    """Tell whether a field would become what it was when it was applied."""
    after, applied = value_at(change.after, path), value_at(drift.before, path)
    return value_at(change.after_unknown, path) is not True and (after == applied or is_meaningless(after, applied))


def _applied(drift: Change, path: FieldPath, key: Secret) -> FieldValue:
    for one in differences(drift, key):
        if one.path == path:
            return one.before
    value = value_at(drift.before, path)
    found: FieldValue = ABSENT if isinstance(value, Missing) else Hidden(keyed_hash(key, value))
    return found


def _is_drift(action: Action, change: Change, changes: tuple[FieldChange, ...], drift: Change | None) -> bool:
    if drift is None:
        return False
    if action is Action.CREATE:
        return drift.after is None  # somebody deleted it
    if action is Action.REPLACE:
        forced = [tuple(path) for path in change.replace_paths]
        drifted = [one.path for one in changes if one.cause is Cause.DRIFT]
        return bool(forced) and all(any(_overlaps(path, one) for one in drifted) for path in forced)
    return action is Action.CHANGE and all(one.cause is Cause.DRIFT for one in changes)


def _workspace(document: Document, owner: ObjectKey, key: Secret) -> ObjectPlan:
    changes = tuple(
        FieldChange(("outputs", name, *one.path), one.before, one.after, Cause.PENDING)
        for name, change in sorted(document.output_changes.items())
        if name != OUTPUT and change.actions != ["no-op"]
        for one in differences(change, key)
    )
    return ObjectPlan(key=owner, action=Action.CHANGE if changes else Action.NOTHING, changes=changes)


def _without_ignored(one: ObjectPlan, ignored: Iterable[IgnoredDrift], today: date) -> ObjectPlan:
    fields = [
        tuple(field.split("."))
        for rule in ignored
        if fnmatchcase(one.key.name, rule.resource) and (rule.until is None or today <= rule.until)
        for field in rule.fields
    ]
    if not fields or one.action is not Action.CHANGE:
        return one
    left = tuple(
        change
        for change in one.changes
        if change.cause is not Cause.DRIFT or not any(_is_inside(change.path, field) for field in fields)
    )
    return replace(one, changes=left) if left else replace(one, action=Action.NOTHING, changes=())


def _is_inside(path: FieldPath, field: tuple[str, ...]) -> bool:
    return tuple(map(str, path[: len(field)])) == field


def plan_of(
    objects: tuple[ObjectPlan, ...],
    circumstances: Circumstances,
    *,
    revision: Revision,
    desired: Digest,
    key: Secret,
    correction: Plan | None = None,
) -> Plan:
    """Make the Plan. Its hash is keyed: it covers sensitive values too; no commit, serial or time is in it."""
    content = {
        "placement": str(circumstances.placement),
        "inputs": circumstances.inputs,
        "digest": circumstances.digest,
        "tool": circumstances.tool,
        "providers": dict(sorted(circumstances.providers.items())),
        "lineage": circumstances.lineage,
        "destroy": circumstances.is_destroy,
        "objects": [canonical_of(one) for one in objects if one.action is not Action.NOTHING],
    }
    return Plan(
        placement=circumstances.placement,
        revision=revision,
        desired=desired,
        objects=objects,
        hash=Digest(f"sha256:{keyed_hash(key, content)}"),
        is_whole=True,
        correction=correction,
    )


def canonical_of(one: ObjectPlan) -> list[Any]:
    changes = [
        [format_path(change.path), str(change.cause), _spoken(change.before), _spoken(change.after)]
        for change in one.changes
    ]
    return [str(one.key), str(one.action), str(one.cause), sorted(changes, key=repr)]


def _spoken(value: FieldValue) -> Any:
    match value:
        case Hidden():
            return {"hidden": value.keyed_hash}
        case Unknown():
            return {"unknown": True}
        case Missing():
            return {}
        case _:
            return {"value": value}


def unrepeated(one: tuple[ObjectPlan, ...], other: tuple[ObjectPlan, ...]) -> str:
    """Name the first field in which two plans from the same inputs differ; "" where they are the same."""
    mine = {found.key: found for found in one if found.action is not Action.NOTHING}
    theirs = {found.key: found for found in other if found.action is not Action.NOTHING}
    for key in sorted({*mine, *theirs}):
        here, there = mine.get(key), theirs.get(key)
        if here is None or there is None or here.action is not there.action:
            return key.name
        for change in (*here.changes, *there.changes):
            if change not in here.changes or change not in there.changes:
                return f"{key.name} {format_path(change.path)}"
    return ""
