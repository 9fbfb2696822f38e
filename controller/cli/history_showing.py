"""Versions and their differences as people read them, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
import orjson

from controller.model import (
    ABSENT,
    FieldValue,
    Health,
    Hidden,
    SyncStatus,
    TargetName,
    Unknown,
    format_path,
    headline_health,
    headline_sync,
)

if TYPE_CHECKING:
    from controller.engine import Approved, FieldDifference, ObjectDifference, Version
    from controller.git import CommitInfo

LONGEST = 100


def difference_lines(found: Iterable[ObjectDifference]) -> Iterator[str]:
    for one in found:
        if one.before is None:
            yield click.style(f"  + {one.key}", fg="green")
        elif one.after is None:
            yield click.style(f"  - {one.key}", fg="red")
        else:
            yield click.style(f"  ~ {one.key}", fg="yellow")
            for change in one.fields:
                yield f"      {format_path(change.path)}: {_text(change.before)} → {_text(change.after)}"


def differences_lines(found: Mapping[TargetName, Sequence[ObjectDifference]]) -> Iterator[str]:
    """Show differences per target; once, where they are the same on all of them."""
    shown = {target: list(difference_lines(one)) for target, one in found.items()}
    if len({tuple(lines) for lines in shown.values()}) == 1:
        yield from next(iter(shown.values())) or ["  no difference in any object"]
        return
    for target, lines in shown.items():
        yield f"  on {target}:"
        yield from (f"  {line}" for line in lines or ["  no difference in any object"])


def differences_json(found: Mapping[TargetName, Sequence[ObjectDifference]]) -> dict[str, Any]:
    return {str(target): [_object_json(one) for one in some] for target, some in found.items()}


def _object_json(one: ObjectDifference) -> dict[str, Any]:
    key = one.key
    return {
        "object": {"group": key.group, "kind": key.kind, "namespace": key.namespace, "name": key.name},
        "change": "create" if one.before is None else "delete" if one.after is None else "change",
        "fields": [_field_json(field) for field in one.fields],
    }


def _field_json(field: FieldDifference) -> dict[str, Any]:
    values = {"before": field.before, "after": field.after}
    shown = {
        name: str(one) if isinstance(one, Hidden | Unknown) else one
        for name, one in values.items()
        if one is not ABSENT
    }
    return {"field": format_path(field.path), **shown}


def version_line(number: int, version: Version) -> str:
    revision = version.revision
    source = version.source
    sync, health = result(version)
    took = "" if version.seconds is None else f", in {version.seconds:.0f} s"
    outcome = f"{sync}, {health}" if version.was_applied else f"not applied ({sync})"
    colour = "green" if version.is_good else "red" if version.was_applied else "yellow"
    return (
        f"{number:>3}  {revision.application[:8]}+{revision.platform[:8]}  {version.since:%Y-%m-%d %H:%M:%S}Z  "
        f"{click.style(outcome, fg=colour)}{took}  {source.get('subject', '')}"
        + click.style(f"  {source.get('author', '')}", dim=True)
    )


def result(version: Version) -> tuple[SyncStatus, Health]:
    """Add up how a version stood when it was told of last."""
    last = version.last.placements.values()
    return headline_sync(SyncStatus(one["sync"]) for one in last), headline_health(
        Health(one["health"]) for one in last
    )


def platform_line(info: CommitInfo | None) -> Iterator[str]:
    """Tell of the platform commit, where that is what made the version."""
    if info is not None:
        author = click.style(f"  {info.author}", dim=True)
        yield f"     by platform commit {info.commit[:8]}: {info.subject}{author}"


def platform_json(info: CommitInfo | None) -> dict[str, Any]:
    told = {"commit": info.commit, "subject": info.subject, "author": info.author} if info else None
    return {"by_platform": told}


def approval_lines(approved: Iterable[Approved]) -> Iterator[str]:
    for one in approved:
        plans = ", ".join(approval.plan for approval in one.approvals)
        yield f"     approved by {one.info.author} <{one.info.email}> in {one.info.commit[:8]}: {plans}"


def hand_lines(version: Version) -> Iterator[str]:
    """Tell who applied a version by hand."""
    for one in version.by_hand:
        despite = f", despite {', '.join(one['despite'])}" if one.get("despite") else ""
        what = f"applied by hand on {one['target']} by {one['by']} at {one['at']}{despite}: {one['why']}"
        yield f"     {click.style(what, fg='yellow')}"


def version_json(number: int, version: Version, approved: Iterable[Approved] = ()) -> dict[str, Any]:
    sync, health = result(version)
    source = version.source
    return {
        "version": number,
        "revision": {"application": version.revision.application, "platform": version.revision.platform},
        "records": version.states[0].commit,
        "since": version.since.isoformat(),
        "until": version.until.isoformat() if version.until else None,
        "branch": source.get("branch"),
        "subject": source.get("subject"),
        "author": source.get("author"),
        "targets": list(version.targets),
        "sync": str(sync),
        "health": str(health),
        "applied": version.was_applied,
        "good": version.is_good,
        "seconds": version.seconds,
        "approvals": [
            {
                "commit": one.info.commit,
                "author": one.info.author,
                "email": one.info.email,
                "at": one.info.committed.isoformat(),
                "plans": [approval.plan for approval in one.approvals],
            }
            for one in approved
        ],
        "by_hand": [
            {name: value for name, value in one.items() if name not in ("application", "platform")}
            for one in version.by_hand
        ],
    }


def _text(value: FieldValue) -> str:
    if value is ABSENT:
        return click.style("absent", dim=True)
    text = str(value) if isinstance(value, Hidden | Unknown) else orjson.dumps(value).decode()
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
