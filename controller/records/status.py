"""`status/<environment>/<application>.yaml`: a group's placements, each as it was last reported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from controller.model import (
    ABSENT,
    FieldChange,
    GroupRef,
    Health,
    JsonValue,
    ObjectReport,
    PlacementRef,
    PlacementReport,
    Result,
    Revision,
    SyncStatus,
    TargetName,
    Transition,
    format_path,
    headline_health,
    headline_sync,
)
from controller.records.earlier import NOTHING, Earlier, is_long_ago, since
from controller.records.showing import shown, shown_revision, shown_time

API_VERSION = "converge/v1"
ACTIVE, RETIRED = "active", "retired"
VERSIONS = 5


def status(transition: Transition, before: Earlier) -> dict[str, JsonValue]:
    """Give a group's status with one placement's new state. The other placements stay as they were recorded."""
    report, now = transition.report, shown_time(transition.at)
    gone = {one.target for one in outlived(transition.group, before, now)} - {report.placement.target}
    placements = {one["target"]: one for one in before.get("placements", ()) if one["target"] not in gone}
    placements[report.placement.target] = placement_status(
        report, now, placements.get(report.placement.target, NOTHING)
    )
    return {
        "apiVersion": API_VERSION,
        "kind": "Status",
        "metadata": _metadata(transition.group),
        **headline([one for _, one in sorted(placements.items())], now, before),
        "placements": [one for _, one in sorted(placements.items())],
        **_versions([one for _, one in sorted(placements.items())], before),
    }


def outlived(group: GroupRef, before: Earlier, now: str) -> tuple[PlacementRef, ...]:
    """Name the placements that have been gone for so long that their records go."""
    return tuple(
        PlacementRef(group.environment, group.application, TargetName(one["target"]))
        for one in before.get("placements", ())
        if one["lifecycle"] == RETIRED and is_long_ago(one["since"], now)
    )


def _versions(placements: list[Earlier], before: Earlier) -> dict[str, JsonValue]:
    """Tell the last versions that ran anywhere, newest first; the branch's log has all of them."""
    known: list[Earlier] = list(before.get("versions", ()))
    running = [one for one in placements if one["lifecycle"] == ACTIVE and one.get("applied")]
    told = {(one["application"], one["platform"]) for one in known}
    new = {
        (one["applied"]["application"], one["applied"]["platform"]): one
        for one in sorted(running, key=lambda one: one["applied"]["since"], reverse=True)
    }
    found = [_version(one) for commits, one in new.items() if commits not in told]
    versions = sorted([*found, *known], key=lambda one: str(one["since"]), reverse=True)[:VERSIONS]
    return {"versions": [dict(one) for one in versions]} if versions else {}


def _version(placement: Earlier) -> dict[str, JsonValue]:
    source = placement.get("source") or NOTHING
    ran = {name: placement["applied"][name] for name in ("application", "platform", "since")}
    facts = {**ran, "subject": source.get("subject", ""), "author": source.get("author", "")}
    return {name: value for name, value in facts.items() if value}


def _metadata(group: GroupRef) -> dict[str, JsonValue]:
    return {"environment": group.environment, "application": group.application}


def headline(placements: list[Earlier], now: str, before: Earlier) -> dict[str, JsonValue]:
    """Add placements up to what their group is. Retired ones count only where no other is left."""
    active = [one for one in placements if one["lifecycle"] == ACTIVE]
    state = {
        "sync": str(headline_sync(SyncStatus(one["sync"]) for one in active or placements)),
        "health": str(headline_health(Health(one["health"]) for one in active or placements)),
        "lifecycle": ACTIVE if active else RETIRED,
    }
    return {**state, "since": since(before, now, **state)}


def placement_status(report: PlacementReport, now: str, before: Earlier) -> dict[str, JsonValue]:
    """Give one placement's part of a status."""
    lifecycle = RETIRED if report.retired else ACTIVE
    state: dict[str, JsonValue] = {"sync": str(report.sync), "health": str(report.health), "lifecycle": lifecycle}
    is_seen = is_observed(report)
    found: dict[str, JsonValue] = {
        **state,
        "since": since(before, now, **state),
        "reason": report.reason,
        "pending": report.pending,
        "drifted": report.drifted,
        "revision": _revision(report.revision, before.get("revision")),
        "applied": _applied(report, now, before.get("applied") or NOTHING, is_seen=is_seen),
        "byHand": _by_hand(report, now, before.get("byHand") or NOTHING),
        "removal": _removal(report, now, before),
        "source": _source(report, before.get("source") or NOTHING),
        "waits": _waits(report, now, before),
        "drift": _drift(report, before),
        "ignored": _ignored(report) if is_seen else before.get("ignored", []),
        "objects": _objects(report, before) if is_seen else before.get("objects", []),
    }
    return {
        "target": report.placement.target,
        **{name: value for name, value in found.items() if value not in (None, "", [], {})},
    }


def is_observed(report: PlacementReport) -> bool:
    """Tell whether a report speaks of what the target holds. A failed look is Unknown, and never absence (rule 3)."""
    return bool(report.objects or report.applied) or report.retired or report.health is not Health.UNKNOWN


def _waits(report: PlacementReport, now: str, before: Earlier) -> list[JsonValue]:
    """Say what pending changes wait for, for whom, and since when: since it was told so first."""
    began = {(one["for"], one["what"]): one["since"] for one in before.get("waits", ())}
    found: list[JsonValue] = []
    for one in report.waits:
        entry: dict[str, JsonValue] = {"for": str(one.kind), "what": one.what}
        entry |= {"whom": list(one.whom)} if one.whom else {}
        entry |= {"since": began.get((str(one.kind), one.what), now)}
        entry |= {"until": shown_time(one.until)} if one.until else {}
        found.append(entry)
    return found


def _revision(revision: Revision | None, before: JsonValue) -> JsonValue:
    return shown_revision(revision) if revision else before


def _applied(report: PlacementReport, now: str, before: Earlier, *, is_seen: bool) -> JsonValue:
    """Say what the target runs, and by which warrant it came there."""
    if report.applied is None:
        return None if is_seen else dict(before)
    commits = shown_revision(report.applied)
    begin = since(before, now, **commits)
    is_same = all(before.get(name) == commit for name, commit in commits.items())
    warrant = before.get("warrant") if is_same else None
    if report.warrant is not None and (report.warrant.plan is not None or not warrant):
        warrant = {"platform": report.warrant.platform}
        warrant |= {"plan": report.warrant.plan} if report.warrant.plan is not None else {}
    return {**commits, "since": begin, **({"warrant": warrant} if warrant else {})}


def _by_hand(report: PlacementReport, now: str, before: Earlier) -> JsonValue:
    """Say who applied a version by hand last, why, and past what; until git says another one, or another one runs."""
    found = report.by_hand
    if found is not None and report.revision is not None:
        despite: list[JsonValue] = [*sorted(map(str, found.despite))]
        told = {**shown_revision(report.revision), "at": now, "by": found.who, "why": found.why}
        return {**told, **({"despite": despite} if despite else {})}
    revisions = [shown_revision(one) for one in (report.revision, report.applied) if one is not None]
    is_of_it = any(all(before.get(name) == commit for name, commit in one.items()) for one in revisions)
    return dict(before) if before and (is_of_it or not revisions) else None


def _removal(report: PlacementReport, now: str, before: Earlier) -> JsonValue:
    """Say what let it be taken away. What a later look at what has gone says is less; git saying it again ends it."""
    earlier = before.get("removal")
    if report.removal is None:
        return earlier if report.revision is None else None
    told: dict[str, JsonValue] = {"platform": report.removal.platform}
    told |= {"plan": report.removal.plan} if report.removal.plan is not None else {}
    is_less = report.removal.plan is None or before.get("lifecycle") == RETIRED
    if earlier and (is_less or all(earlier.get(name) == value for name, value in told.items())):
        return dict(earlier)
    return {**told, "since": now}


def _source(report: PlacementReport, before: Earlier) -> JsonValue:
    """Say where the application comes from. What a report does not know, as at a teardown, stays as it was."""
    found = {
        "repository": report.repository_url,
        "branch": report.branch,
        "subject": report.subject,
        "author": report.author,
        "entry": report.origin.path if report.origin else "",
    }
    return {name: value or before.get(name, "") for name, value in found.items() if value or before.get(name)}


def _objects(report: PlacementReport, before: Earlier) -> list[JsonValue]:
    earlier_results = {_named(one): one.get("result", "") for one in before.get("objects", ())}
    return [_object(one, earlier_results) for one in sorted(report.objects, key=lambda one: one.key)]


def _named(record: Earlier) -> tuple[str, str, str]:
    return record["kind"], record.get("namespace", ""), record["name"]


def _object(one: ObjectReport, earlier_results: Mapping[tuple[str, str, str], str]) -> dict[str, JsonValue]:
    """Give one object's line. Its result is that of the last run that touched it."""
    key = one.key
    result = str(one.result) if one.result not in (None, Result.UNCHANGED) else ""
    found: dict[str, JsonValue] = {
        "kind": key.group_kind,
        "namespace": key.namespace,
        "name": key.name,
        "sync": str(one.sync),
        "health": str(one.health),
        "result": result or earlier_results.get((key.group_kind, key.namespace, key.name), "") or str(one.result or ""),
        "reason": one.reason or one.health_reason,
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def _drift(report: PlacementReport, before: Earlier) -> list[JsonValue]:
    """Say which fields somebody else changed. What was corrected stays until the placement moves again."""
    found: list[JsonValue] = [
        entry for one in sorted(report.objects, key=lambda one: one.key) for entry in _entries(one)
    ]
    if found or not is_observed(report):
        return found or list(before.get("drift", ()))
    applied = before.get("applied") or NOTHING
    is_same = report.applied is not None and all(
        applied.get(name) == value for name, value in shown_revision(report.applied).items()
    )
    return [one for one in before.get("drift", ()) if is_same and one["corrected"]]


def _entries(one: ObjectReport) -> Iterator[dict[str, JsonValue]]:
    corrected = one.sync is not SyncStatus.DRIFTED
    for change in one.drift:
        yield {
            **_which(one),
            "field": format_path(change.path),
            "corrected": corrected,
            **_values(one, change),
            **_who(change),
        }


def _ignored(report: PlacementReport) -> list[JsonValue]:
    """Say which fields of git are left to others, and why."""
    return [
        {**_which(one), "field": path, "why": why}
        for one in sorted(report.objects, key=lambda one: one.key)
        for path, why in sorted(one.released.items())
    ]


def _which(one: ObjectReport) -> dict[str, Any]:
    key = one.key
    return {"kind": key.group_kind, **({"namespace": key.namespace} if key.namespace else {}), "name": key.name}


def _values(one: ObjectReport, change: FieldChange) -> dict[str, JsonValue]:
    """Give the desired and the live value; one that is left out is a field that is not there, null is a null."""
    pair = {"desired": shown(one.key, change.path, change.after), "live": shown(one.key, change.path, change.before)}
    return {name: value for name, value in pair.items() if value is not ABSENT}


def _who(change: FieldChange) -> dict[str, JsonValue]:
    editor = change.editor
    if editor is None:
        return {}
    found = {
        "manager": editor.manager,
        "operation": editor.operation,
        "subresource": editor.subresource,
        "time": shown_time(editor.time) if editor.time else "",
    }
    return {name: value for name, value in found.items() if value}
