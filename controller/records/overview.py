"""What adds up over groups: the README that people open on the forge, and the badges and records of environments.

Read from the applications' records alone, which are small: a status with a thousand objects is not opened for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
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
from controller.records.earlier import NOTHING, earlier, is_long_ago
from controller.records.files import Files, Layered
from controller.records.identity import environment_key, identity
from controller.records.leaving import group_files, strays
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


@dataclass(frozen=True, slots=True)
class _Line:
    """What the overview says of one application in one environment."""

    group: GroupRef
    state: tuple[SyncStatus, Health]
    since: str
    lifecycle: str
    reason: str
    cell: str

    @property
    def is_active(self) -> bool:
        return self.lifecycle == ACTIVE

    def is_outlived(self, now: str) -> bool:
        return self.lifecycle == RETIRED and is_long_ago(self.since, now)


def overview(base: Files, now: str = "") -> Mapping[str, bytes | None]:
    """Give README.md, and the badges and records of environments and fleet, where they differ from the base.

    What was retired for so long at a time `now` that its records go is taken away, and what no record explains.
    """
    files = Layered(base)
    told = tuple(_applications(files))
    records = tuple(one for one in told if not (now and one.is_outlived(now)))
    if len(records) < len(told):
        _remove([one.group for one in told], [one.group for one in records], files)
    environments: dict[EnvironmentName, list[_Line]] = {}
    applications: dict[ApplicationName, list[_Line]] = {}
    for one in records:
        environments.setdefault(one.group.environment, []).append(one)
        applications.setdefault(one.group.application, []).append(one)
    for environment, members in sorted(environments.items()):
        _write_environment(environment, members, files)
    for name, members in sorted(applications.items()):
        states = [one.state for one in members if one.is_active]
        for path, data in summary_badge(name, states).files(f"badges/{APPLICATIONS}/{segment(name)}").items():
            files.write(path, data)
    active = [one for one in records if one.is_active]
    for path, data in summary_badge("fleet", (one.state for one in active)).files(f"badges/{FLEET}").items():
        files.write(path, data)
    files.write(README, _readme(active, refusal(base)).encode())
    for path in [*strays(files)]:
        files.remove(path)
    return files.result()


def _remove(told: Sequence[GroupRef], left: Sequence[GroupRef], files: Layered) -> None:
    """Take the files of groups away, and of the environments and applications that had no others."""
    for group in set(told) - set(left):
        for path in group_files(group, files):
            files.remove(path)
    for environment in {one.environment for one in told} - {one.environment for one in left}:
        for path in (environment_path(environment), *_both(f"badges/{segment(environment)}")):
            files.remove(path)
    for name in {one.application for one in told} - {one.application for one in left}:
        for path in _both(f"badges/{APPLICATIONS}/{segment(name)}"):
            files.remove(path)


def _both(path: str) -> tuple[str, str]:
    return f"{path}.svg", f"{path}.json"


def _applications(files: Layered) -> Iterator[_Line]:
    """Read every application's record. One that is damaged is left out until its next transition writes it anew."""
    known = _lines()
    said: dict[str, _Line | None] = {}
    for environment in files.names("cmdb"):
        paths = [f"cmdb/{environment}/{name}/{APPLICATION}.yaml" for name in files.names(f"cmdb/{environment}")]
        files.read_ahead(paths, is_known=known.__contains__)
        for path in paths:
            name = files.blob_id(path)
            if not name:
                continue
            said[name] = known[name] if name in known else _line(files, path)
            if (line := said[name]) is not None:
                yield line
    known.clear()
    known.update(said)


@cache
def _lines() -> dict[str, _Line | None]:
    """Give what the last overview said of applications, by git's ids of their records. Losing it costs time."""
    return {}


def _line(files: Files, path: str) -> _Line | None:
    record = earlier(files, path, "Instance")
    if not record or not isinstance(record["attributes"].get("environment"), str) or record["model"] != "Application":
        return None
    group = GroupRef(EnvironmentName(record["attributes"]["environment"]), ApplicationName(record["name"]))
    observed = record["observed"]
    return _Line(
        group=group,
        state=(SyncStatus(observed["sync"]), Health(observed["health"])),
        since=observed["since"],
        lifecycle=record["lifecycle"],
        reason=plain(record["attributes"].get("reason", "")),
        cell=_cell(record, group),
    )


def _write_environment(environment: EnvironmentName, members: Sequence[_Line], files: Layered) -> None:
    active = [one for one in members if one.is_active]
    states = [one.state for one in active]
    for path, data in summary_badge(environment, states).files(f"badges/{segment(environment)}").items():
        files.write(path, data)
    path = environment_path(environment)
    files.write(path, write(_environment(environment, active or members, earlier(files, path, "Instance"))))


def _environment(environment: EnvironmentName, members: Sequence[_Line], before: Record) -> dict[str, Any]:
    """Give the record of an environment. Its state holds since it was recorded so, or since the last member's move."""
    state = {
        "sync": str(headline_sync(one.state[0] for one in members)),
        "health": str(headline_health(one.state[1] for one in members)),
    }
    lifecycle = ACTIVE if any(one.is_active for one in members) else RETIRED
    old = before.get("observed") or NOTHING
    is_same = before.get("lifecycle") == lifecycle and all(old.get(name) == value for name, value in state.items())
    since = old["since"] if is_same else max(one.since for one in members)
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


def _readme(records: Sequence[_Line], refused: Iterable[str]) -> str:
    environments = sorted({one.group.environment for one in records})
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


def _attention(records: Sequence[_Line]) -> Iterator[str]:
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


def _is_calm(line: _Line) -> bool:
    sync, health = line.state
    is_busy = sync is SyncStatus.SYNCING or health in (Health.PROGRESSING, Health.TERMINATING)
    is_well = sync is SyncStatus.SYNCED and health in (Health.HEALTHY, Health.SUSPENDED)
    return is_well or (is_busy and sync in _COLOURS_THAT_WAIT and health is not Health.DEGRADED)


def _urgency(line: _Line) -> tuple[int, int, GroupRef]:
    sync, health = line.state
    return tuple(SyncStatus).index(sync), tuple(Health).index(health), line.group


def _trouble(line: _Line) -> str:
    where = f"[{plain(str(line.group))}]({link(page_path(line.group))})"
    sync, health = line.state
    return f"| {where} | {sync}, {health} | {_moment(line.since)} | {line.reason} |"


def _table(records: Sequence[_Line], environments: Sequence[EnvironmentName]) -> Iterator[str]:
    cells = {one.group: one.cell for one in records}
    names = sorted({group.application for group in cells})
    if not names:
        yield "Nothing runs yet.\n"
        return
    heads = (f"{plain(one)}<br>![{plain(one)}](badges/{link(segment(one))}.svg)" for one in environments)
    rows = (
        f"| {plain(name)} | {' | '.join(cells.get(GroupRef(one, name), '') for one in environments)} |"
        for name in names
    )
    yield "## Applications\n"
    yield "\n".join((f"| | {' | '.join(heads)} |", f"| --- |{' --- |' * len(environments)}", *rows, ""))


def _cell(record: Record, group: GroupRef) -> str:
    """Give an application in an environment: badge, version, since, who."""
    attributes = record["attributes"]
    badge = application_badge(record)
    picture = f"[![{plain(badge.message)}]({link(badge_path(group, 'svg'))})]({link(page_path(group))})"
    version = " ".join(f"`{one}`" for one in version_of(record))
    when = f"since {_moment(attributes['versionSince'])}" if attributes.get("versionSince") else ""
    who = f"by {plain(attributes['author'], limit=40)}" if attributes.get("author") else ""
    return "<br>".join(filter(None, (picture, " ".join(filter(None, (version, when, who))))))


def _moment(time: str) -> str:
    """Give a time to the minute, as people read it."""
    return f"{time[:10]} {time[11:16]}"
