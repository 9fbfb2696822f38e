"""What adds up over groups: the README that people open on the forge, and the badges and records of environments.

Read from the applications' records alone, which are small: a status with a thousand objects is not opened for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from controller.documents import write
from controller.model import (
    ApplicationName,
    EnvironmentName,
    GroupRef,
    Health,
    SyncStatus,
    headline_health,
    headline_sync,
)
from controller.records.badges import application_badge, summary_badge, version_of
from controller.records.earlier import NOTHING, earlier
from controller.records.files import Files, Layered, read_ahead
from controller.records.identity import environment_key, identity
from controller.records.markdown import link, plain
from controller.records.paths import (
    APPLICATION,
    APPLICATIONS,
    FLEET,
    README,
    badge_path,
    environment_path,
    page_path,
    segment,
)
from controller.records.platform import refusal
from controller.records.status import ACTIVE, API_VERSION, RETIRED

Record = Mapping[str, Any]
_COLOURS_THAT_WAIT = frozenset({SyncStatus.SYNCED, SyncStatus.SYNCING})


def overview(base: Files) -> Mapping[str, bytes | None]:
    """Give README.md, and the badges and records of environments and fleet, where they differ from the base."""
    files = Layered(base)
    records = tuple(_applications(base))
    environments: dict[EnvironmentName, list[Record]] = {}
    applications: dict[ApplicationName, list[Record]] = {}
    for one in records:
        group = _group(one)
        environments.setdefault(group.environment, []).append(one)
        applications.setdefault(group.application, []).append(one)
    drawn = [f"badges/{APPLICATIONS}/{segment(one)}.{ending}" for one in applications for ending in ("svg", "json")]
    read_ahead(base, drawn)
    for environment, members in sorted(environments.items()):
        _write_environment(environment, members, files)
    for name, members in sorted(applications.items()):
        states = [_state(one) for one in members if one["lifecycle"] == ACTIVE]
        for path, data in summary_badge(name, states).files(f"badges/{APPLICATIONS}/{segment(name)}").items():
            files.write(path, data)
    active = [one for one in records if one["lifecycle"] == ACTIVE]
    for path, data in summary_badge("fleet", map(_state, active)).files(f"badges/{FLEET}").items():
        files.write(path, data)
    files.write(README, _readme(active, refusal(base)).encode())
    return files.result()


def _applications(base: Files) -> Iterator[Record]:
    """Read every application's record. One that is damaged is left out until its next transition writes it anew."""
    for environment in base.names("cmdb"):
        folders = [f"cmdb/{environment}/{name}" for name in base.names(f"cmdb/{environment}")]
        read_ahead(base, [f"{one}/{APPLICATION}.yaml" for one in folders])
        for folder in folders:
            record = earlier(base, f"{folder}/{APPLICATION}.yaml", "Instance")
            if record and isinstance(record["attributes"].get("environment"), str) and record["model"] == "Application":
                yield record


def _group(record: Record) -> GroupRef:
    return GroupRef(EnvironmentName(record["attributes"]["environment"]), ApplicationName(record["name"]))


def _state(record: Record) -> tuple[SyncStatus, Health]:
    return SyncStatus(record["observed"]["sync"]), Health(record["observed"]["health"])


def _write_environment(environment: EnvironmentName, members: Sequence[Record], files: Layered) -> None:
    active = [one for one in members if one["lifecycle"] == ACTIVE]
    for path, data in summary_badge(environment, map(_state, active)).files(f"badges/{segment(environment)}").items():
        files.write(path, data)
    path = environment_path(environment)
    files.write(path, write(_environment(environment, active or members, earlier(files, path, "Instance"))))


def _environment(environment: EnvironmentName, members: Sequence[Record], before: Record) -> dict[str, Any]:
    """Give the record of an environment. Its state holds since it was recorded so, or since the last member's move."""
    state = {
        "sync": str(headline_sync(SyncStatus(one["observed"]["sync"]) for one in members)),
        "health": str(headline_health(Health(one["observed"]["health"]) for one in members)),
    }
    lifecycle = ACTIVE if any(one["lifecycle"] == ACTIVE for one in members) else RETIRED
    old = before.get("observed") or NOTHING
    is_same = before.get("lifecycle") == lifecycle and all(old.get(name) == value for name, value in state.items())
    since = old["since"] if is_same else max(one["observed"]["since"] for one in members)
    return {
        "apiVersion": API_VERSION,
        "kind": "Instance",
        "identity": identity(environment_key(environment)),
        "model": "Environment",
        "name": environment,
        "attributes": {},
        "relations": [],
        "observed": {**state, "since": since},
        "lifecycle": lifecycle,
    }


def _readme(records: Sequence[Record], refused: Iterable[str]) -> str:
    environments = sorted({_group(one).environment for one in records})
    parts = (
        "# What runs where\n",
        f"![fleet](badges/{FLEET}.svg)\n",
        "Written by Converge when a state changes. `git log` of this branch is the history; edits are overwritten.\n",
        *refused,
        *_attention(records),
        *_table(records, environments),
        "`pages/` tells of each application, `status/` its objects and drift, `cmdb/` has a record per object.\n",
    )
    return "\n".join(parts)


def _attention(records: Sequence[Record]) -> Iterator[str]:
    """Give the applications that somebody should look at, worst first."""
    troubled = [one for one in records if not _is_calm(one)]
    if not troubled:
        return
    yield "## Needs attention\n"
    yield "\n".join(
        (
            "| Application | State | Since | Why |",
            "| --- | --- | --- | --- |",
            *(_trouble(one) for one in sorted(troubled, key=_urgency)),
            "",
        )
    )


def _is_calm(record: Record) -> bool:
    sync, health = _state(record)
    is_busy = sync is SyncStatus.SYNCING or health in (Health.PROGRESSING, Health.TERMINATING)
    is_well = sync is SyncStatus.SYNCED and health in (Health.HEALTHY, Health.SUSPENDED)
    return is_well or (is_busy and sync in _COLOURS_THAT_WAIT and health is not Health.DEGRADED)


def _urgency(record: Record) -> tuple[int, int, GroupRef]:
    sync, health = _state(record)
    return tuple(SyncStatus).index(sync), tuple(Health).index(health), _group(record)


def _trouble(record: Record) -> str:
    group, observed = _group(record), record["observed"]
    where = f"[{plain(str(group))}]({link(page_path(group))})"
    why = plain(record["attributes"].get("reason", ""))
    return f"| {where} | {observed['sync']}, {observed['health']} | {_moment(observed['since'])} | {why} |"


def _table(records: Sequence[Record], environments: Sequence[EnvironmentName]) -> Iterator[str]:
    by_group = {_group(one): one for one in records}
    names = sorted({group.application for group in by_group})
    if not names:
        yield "Nothing runs yet.\n"
        return
    heads = (f"{plain(one)}<br>![{plain(one)}](badges/{link(segment(one))}.svg)" for one in environments)
    rows = (
        f"| {plain(name)} | {' | '.join(_cell(by_group.get(GroupRef(one, name))) for one in environments)} |"
        for name in names
    )
    yield "## Applications\n"
    yield "\n".join((f"| | {' | '.join(heads)} |", f"| --- |{' --- |' * len(environments)}", *rows, ""))


def _cell(record: Record | None) -> str:
    """Give an application in an environment: badge, version, since, who."""
    if record is None:
        return ""
    group, attributes = _group(record), record["attributes"]
    badge = application_badge(record)
    picture = f"[![{plain(badge.message)}]({link(badge_path(group, 'svg'))})]({link(page_path(group))})"
    version = " ".join(f"`{one}`" for one in version_of(record))
    when = f"since {_moment(attributes['versionSince'])}" if attributes.get("versionSince") else ""
    who = f"by {plain(attributes['author'], limit=40)}" if attributes.get("author") else ""
    return "<br>".join(filter(None, (picture, " ".join(filter(None, (version, when, who))))))


def _moment(time: str) -> str:
    """Give a time to the minute, as people read it."""
    return f"{time[:10]} {time[11:16]}"
