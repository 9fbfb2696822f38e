"""Instance records: one file per object, target, application and environment, as a CMDB keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from controller.config import model_of
from controller.documents import canonical, decode, digest_of
from controller.model import (
    GroupRef,
    Health,
    JsonValue,
    KindModels,
    Manifest,
    ObjectKey,
    ObjectReport,
    PlacementRef,
    PlacementReport,
    Result,
    SyncStatus,
    TargetName,
    format_path,
    plain,
    values_at,
)
from controller.records.earlier import NOTHING, Earlier, earlier, is_long_ago, since
from controller.records.files import Files
from controller.records.identity import environment_key, group_key, identity, object_key, placement_key
from controller.records.paths import TARGET, instance_path, target_folder, target_path
from controller.records.relations import Neighbours, relations
from controller.records.showing import shown_revision
from controller.records.status import ACTIVE, API_VERSION, RETIRED

Record = dict[str, JsonValue]


def instances(report: PlacementReport, now: str, files: Files) -> Mapping[str, Record]:
    """Give the records of a placement's target and objects by path: those it names, and those that are gone."""
    bodies = {one.key: _body(one.manifest) for one in report.objects if one.manifest}
    objects = {key: body for key, body in bodies.items() if isinstance(body, dict)}
    neighbours = Neighbours(report.placement, objects, report.models)
    found = {
        target_path(report.placement): _target(report, now, earlier(files, target_path(report.placement), "Instance"))
    }
    for one in report.objects:
        path = instance_path(report.placement, one.key)
        record = _object(one, report, neighbours, now, earlier(files, path, "Instance"))
        if record is not None:
            found[path] = record
    return {**found, **dict(_gone(report, frozenset(found), now, files))}


def _body(manifest: Manifest) -> Any:
    return decode(manifest.body)


def _object(
    one: ObjectReport, report: PlacementReport, neighbours: Neighbours, now: str, before: Earlier
) -> Record | None:
    """Give an object's record. None: nothing is known of it but that it is not there."""
    if report.retired or one.result is Result.PRUNED:
        return retired(before, now) if before else None
    facts = _facts(one, report, neighbours, before)
    return {
        "apiVersion": API_VERSION,
        "kind": "Instance",
        "identity": identity(object_key(report.placement, one.key)),
        "model": one.key.group_kind,
        "name": one.key.name,
        **facts,
        "observed": _observed(one.sync, one.health, now, before, drift=_drifted_fields(one)),
        "lifecycle": ACTIVE,
    }


def _facts(one: ObjectReport, report: PlacementReport, neighbours: Neighbours, before: Earlier) -> Record:
    """Give what git says of an object; of one that git no longer names, what it said last."""
    if one.manifest is None:
        kept = {name: before[name] for name in ("attributes", "relations", "provenance") if name in before}
        if one.part_of is not None:
            return _part(one, one.part_of, report)
        return {"attributes": _named(one.key), "relations": _memberships(report), **kept}
    body = neighbours.objects.get(one.key, {})
    return {
        "attributes": {
            **_named(one.key),
            "apiVersion": one.manifest.api_version,
            **attributes(one.key, body, report.models),
            **dict(sorted(one.attributes.items())),
        },
        "relations": [*_memberships(report), *relations(one.key, body, neighbours)],
        "provenance": _provenance(one.manifest, body, report, before.get("provenance") or NOTHING),
    }


def _part(one: ObjectReport, owner: ObjectKey, report: PlacementReport) -> Record:
    """Give the facts of what a target made out of another object: what the target itself tells of it."""
    whole: Record = {"type": "partOf", "target": object_key(report.placement, owner)}
    return {
        "attributes": {**_named(one.key), **dict(sorted(one.attributes.items()))},
        "relations": [*_memberships(report), whole],
    }


def _named(key: ObjectKey) -> Record:
    return {
        "kind": key.kind,
        **({"group": key.group} if key.group else {}),
        **({"namespace": key.namespace} if key.namespace else {}),
    }


def attributes(key: ObjectKey, body: Any, own: KindModels) -> Record:
    """Give the facts of an object that its kind's model allows: the platform's own model, or ours."""
    model = model_of(key.group_kind, own)
    found = {
        name: values_at(body, path, plain) if name in model.guarded else values_at(body, path)
        for name, path in model.attributes.items()
    }
    return {name: value for name, value in found.items() if value not in (None, "", [], {})}


def _memberships(report: PlacementReport) -> list[JsonValue]:
    return [
        {"type": "partOf", "target": group_key(report.placement.group)},
        {"type": "runsOn", "target": placement_key(report.placement)},
    ]


def _provenance(manifest: Manifest, body: Any, report: PlacementReport, before: Earlier) -> Record:
    """Say which commit last changed what was rendered: as long as the content is the same, nothing of it moves."""
    content = content_hash(manifest, body)
    if before.get("contentHash") == content:
        return dict(before)
    origin, revision = manifest.origin, report.revision
    found: Record = {
        "repository": origin.repository,
        "path": origin.path,
        "line": origin.line,
        "commit": origin.commit,
        "revision": shown_revision(revision) if revision else "",
        "author": report.author,
        "contentHash": content,
    }
    return {name: value for name, value in found.items() if value not in ("", 0)}


def content_hash(manifest: Manifest, body: Any) -> str:
    """Digest what was rendered. A Secret's values are left out before: not even a hash of them is told (rule 9)."""
    if (manifest.key.group, manifest.key.kind) != ("", "Secret") or not isinstance(body, dict):
        return manifest.digest
    return digest_of(canonical({name: value for name, value in body.items() if name not in ("data", "stringData")}))


def _drifted_fields(one: ObjectReport) -> list[str]:
    if one.sync is not SyncStatus.DRIFTED:
        return []
    return sorted({format_path(change.path) for change in one.drift})


def _observed(sync: SyncStatus, health: Health, now: str, before: Earlier, *, drift: list[str]) -> Record:
    state: Record = {"sync": str(sync), "health": str(health), **({"drift": list(drift)} if drift else {})}
    old = before.get("observed") or NOTHING
    is_same = before.get("lifecycle") == ACTIVE and old.get("drift", []) == drift
    return {**state, "since": since(old, now, **state) if is_same else now}


def retired(before: Earlier, now: str) -> Record:
    """Say that an instance is gone, once: a record that says so already is left as it is."""
    if before["lifecycle"] == RETIRED:
        return dict(before)
    observed = {"sync": str(SyncStatus.SYNCED), "health": str(Health.MISSING), "since": now}
    return {**before, "observed": observed, "lifecycle": RETIRED}


def is_outlived(record: Earlier, now: str) -> bool:
    """Tell whether an instance has been gone for so long that its record goes too: its git history stays."""
    return record["lifecycle"] == RETIRED and is_long_ago(record["observed"]["since"], now)


def _gone(report: PlacementReport, known: frozenset[str], now: str, files: Files) -> Iterator[tuple[str, Record]]:
    """Retire what a placement no longer names, and only where it is certain: it is retired itself, or it is Synced.

    A report after a failed render or a failed look names few objects or none, and that is no absence (rules 3, 4).
    """
    if not (report.retired or report.sync is SyncStatus.SYNCED):
        return
    for path in object_paths(target_folder(report.placement), files):
        if path not in known:
            before = earlier(files, path, "Instance")
            if before:
                yield path, retired(before, now)


def recorded_objects(placement: PlacementRef, files: Files) -> Iterator[Earlier]:
    """Give a placement's objects as they are recorded."""
    for path in object_paths(target_folder(placement), files):
        if found := earlier(files, path, "Instance"):
            yield found


def object_paths(folder: str, files: Files) -> Iterator[str]:
    """Give the paths of a placement's object records: namespace, kind, name."""
    for namespace in files.names(folder):
        if namespace == f"{TARGET}.yaml":
            continue
        for kind in files.names(f"{folder}/{namespace}"):
            for name in files.names(f"{folder}/{namespace}/{kind}"):
                yield f"{folder}/{namespace}/{kind}/{name}"


def _target(report: PlacementReport, now: str, before: Earlier) -> Record:
    """Give the record of a placement: an application on one target."""
    placement = report.placement
    if report.retired and before:
        return retired(before, now)
    return {
        "apiVersion": API_VERSION,
        "kind": "Instance",
        "identity": identity(placement_key(placement)),
        "model": "Target",
        "name": placement.target,
        "attributes": {"environment": placement.environment, "application": placement.application},
        "relations": [{"type": "partOf", "target": group_key(placement.group)}],
        "observed": _observed(report.sync, report.health, now, before, drift=[]),
        "lifecycle": RETIRED if report.retired else ACTIVE,
    }


def application(group: GroupRef, status: Mapping[str, Any]) -> Record:
    """Give the record of an application in an environment, from its status."""
    placements: list[Mapping[str, Any]] = status["placements"]
    active = [one for one in placements if one["lifecycle"] == ACTIVE] or placements
    applied = [one["applied"] for one in active if one.get("applied")]
    newest = max(applied, key=lambda one: (one["since"], one["application"], one["platform"]), default=None)
    source: Mapping[str, Any] = next(
        (one["source"] for one in active if one.get("source") and one.get("applied") == newest), {}
    )
    facts: dict[str, Any] = {
        **source,
        "version": newest["application"] if newest else "",
        "versionSince": newest["since"] if newest else "",
        "versions": sorted({one["application"] for one in applied})
        if len({one["application"] for one in applied}) > 1
        else [],
        "reason": _why(active, status["sync"]),
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "Instance",
        "identity": identity(group_key(group)),
        "model": "Application",
        "name": group.application,
        "attributes": {
            "environment": group.environment,
            **{n: v for n, v in sorted(facts.items()) if v not in ("", [])},
        },
        "relations": [
            {"type": "partOf", "target": environment_key(group.environment)},
            *({"type": "runsOn", "target": _target_key(group, one)} for one in placements),
        ],
        "observed": {name: status[name] for name in ("sync", "health", "since")},
        "lifecycle": status["lifecycle"],
    }


def _target_key(group: GroupRef, placement: Mapping[str, Any]) -> str:
    return placement_key(PlacementRef(group.environment, group.application, TargetName(placement["target"])))


def _why(placements: list[Mapping[str, Any]], sync: str) -> str:
    """Say why a group is as it is: the reason of the placement that it is so for, or who changed which field."""
    reasons = [one for one in placements if one.get("reason")]
    worst = next((one["reason"] for one in reasons if one["sync"] == sync), "")
    if worst or reasons:
        return worst or str(reasons[0]["reason"])
    return "; ".join(
        _edit(one) for placement in placements for one in placement.get("drift", ()) if not one["corrected"]
    )


def _edit(drift: Mapping[str, Any]) -> str:
    where = f"{drift['namespace']}/" if drift.get("namespace") else ""
    who = f" by {drift['manager']}" if drift.get("manager") else ""
    return f"{drift['kind']} {where}{drift['name']}: {drift['field']}{who}"
