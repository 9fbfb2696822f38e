"""Order between environments: `prod` after `staging`, once the same application ran well there for long enough.

Since when it has is read from the records branch alone, where every transition is a commit: so a restarted controller
knows what the one before knew, and what people read there is what counts. Two questions are asked of it. Does the group
that goes first run the commit now? Then its status says since when without a break. Has it gone on to a newer one?
Then its history says whether it ended well, and how long it had lasted.

A commit that changes nothing of what a group renders is never applied there: the group runs it all the same, under the
name of the one before. Which name that is, the controller says (`Standing.commits`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from controller.engine.history import Version
from controller.model import CommitId, GroupRef, Health, SyncStatus, Wait, WaitKind

SHORT = 7
WELL = frozenset({Health.HEALTHY, Health.SUSPENDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a group that goes first. `versions`, newest first, are empty where none was asked for."""

    group: GroupRef
    commits: frozenset[CommitId]  # the commit that is waited for, and what the group runs it as
    status: Mapping[str, Any] | None  # as it is recorded now; None: there is no record of it
    versions: Sequence[Version] = ()

    @property
    def is_there(self) -> bool:
        """Tell whether every placement runs the commit now, well or not."""
        placements = _placements(self.status)
        return bool(placements) and all(_commit(one) in self.commits for one in placements)


def wait_for(standing: Standing, wanted: CommitId, *, seconds: int, now: datetime) -> Wait | None:
    """Say what is waited for; None where the group has run the commit well for so many seconds. Pure."""
    span = timedelta(seconds=seconds)
    what = f"waits for {standing.group} to be Healthy at {wanted[:SHORT]} for {_duration(seconds)}"
    whom = (str(standing.group),)
    if not standing.is_there:
        if any(_lasted(one, standing.commits, span) for one in standing.versions):
            return None
        return Wait(kind=WaitKind.ORDER, what=f"{what} ({_elsewhere(standing.status)})", whom=whom)
    since = well_since(standing.status, standing.commits)
    if since is None:
        return Wait(kind=WaitKind.ORDER, what=f"{what} (it is {_state(standing.status)})", whom=whom)
    if since + span <= now:
        return None
    return Wait(kind=WaitKind.ORDER, what=f"{what} (since {_moment(since)})", whom=whom, until=since + span)


def well_since(status: Mapping[str, Any] | None, commits: frozenset[CommitId]) -> datetime | None:
    """Give since when every placement of a status has been Synced and Healthy at one of the commits; None: it isn't."""
    placements = _placements(status)
    if not placements or not all(_is_well(one) and _commit(one) in commits for one in placements):
        return None
    return max(max(_time(one["since"]), _time(one["applied"]["since"])) for one in placements)


def _lasted(version: Version, commits: frozenset[CommitId], span: timedelta) -> bool:
    """Tell whether a version ended well, and had been so for long enough when the next one began."""
    if version.until is None:
        return False
    begin = None
    for state in version.states:
        since = well_since(state.status, commits)
        begin = None if since is None else begin or since
    return begin is not None and version.until - begin >= span


def _placements(status: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    return [one for one in (status or {}).get("placements", ()) if one["lifecycle"] == "active"]


def _commit(placement: Mapping[str, Any]) -> str:
    return str((placement.get("applied") or {}).get("application", ""))


def _is_well(placement: Mapping[str, Any]) -> bool:
    return placement["sync"] == SyncStatus.SYNCED and placement["health"] in WELL


def _elsewhere(status: Mapping[str, Any] | None) -> str:
    commits = sorted({_commit(one)[:SHORT] for one in _placements(status)} - {""})
    return f"it is at {' and '.join(commits)}, {_state(status)}" if commits else "it has not run there yet"


def _state(status: Mapping[str, Any] | None) -> str:
    return f"{status['sync']}, {status['health']}" if status else "not recorded"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}Z"


def _duration(seconds: int) -> str:
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number)
