"""Reads a group's history: its status file at the commits of the records branch, from the newest on.

No file of its own tells the history, so that nothing can tell it otherwise than it was; commits are fetched in growing
steps, only as many as the versions that are asked for need.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeAlias

from controller.config import Validator
from controller.documents import Dialect, read
from controller.engine.approvals import Approval, approvals, approvals_path
from controller.engine.history.versions import State, Version, versions
from controller.git import CommitInfo, Mirror
from controller.model import PLATFORM, CommitId, EntryKind, GroupRef, Invalid, Tree
from controller.records import schemas, status_path

STEPS: Final = (100, 400, 1000)  # commits of the records branch; the last is as far as a mirror goes
APPROVALS_LIMIT: Final = 200  # commits of the platform repository that are looked through for approvals

Log: TypeAlias = Sequence[tuple[CommitInfo, Tree]]  # newest first


@dataclass(frozen=True, slots=True)
class History:
    """Versions, newest first. `is_cut`: the branch goes further back than was read."""

    group: GroupRef
    versions: tuple[Version, ...]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Approved:
    """A commit of the platform repository that said yes."""

    info: CommitInfo
    approvals: tuple[Approval, ...]


async def read_history(mirror: Mirror, head: CommitId, group: GroupRef, *, limit: int) -> History:
    """Read at least `limit` versions of a group, where there are as many within bounds. Raises Transient, Stalled."""
    found: tuple[Version, ...] = ()
    is_cut = False
    for step in STEPS:
        log = await mirror.log(head, limit=step, repository=PLATFORM)
        is_cut = len(log) == step
        found = versions(await mirror.compute(lambda log=log: _states(log, group)))  # type: ignore[misc]
        if not is_cut or len(found) > limit:
            break
    return History(group, found[:limit], is_cut or len(found) > limit)


def _states(log: Log, group: GroupRef) -> list[State]:
    """Read each state that the group's status file had, in order."""
    path = status_path(group)
    return [
        State(info.commit, info.committed, status)
        for info, data in _changes(log, path)
        if (status := _status(data, path)) is not None
    ]


def _changes(log: Log, path: str) -> Iterator[tuple[CommitInfo, bytes]]:
    """Give a file's contents from the oldest commit on, each once."""
    before = ""
    for info, tree in reversed(log):
        digest = tree.digest(path)
        if digest not in ("", before) and tree.kind(path) is EntryKind.FILE:
            yield info, tree.read(path)
        before = digest


def _status(data: bytes, path: str) -> Mapping[str, Any] | None:
    """Read a status; None for one that somebody else wrote, as the writer of records takes it too."""
    try:
        documents = read(data, path=path, dialect=Dialect.KUBERNETES)
    except Invalid:
        return None
    value = documents[0].value if documents else None
    is_ours = isinstance(value, dict) and not Validator(schemas()["Status"]).flaws(value)
    return value if is_ours and isinstance(value, dict) else None


async def read_approvals(mirror: Mirror, head: CommitId, group: GroupRef) -> tuple[Approved, ...]:
    """Give the newest commits that approved a plan of the group, newest first."""
    path = approvals_path(group)
    log = await mirror.log(head, limit=APPROVALS_LIMIT, repository=PLATFORM)
    return await mirror.compute(lambda: tuple(_approved(log, path, group)))


def _approved(log: Log, path: str, group: GroupRef) -> Iterator[Approved]:
    for (info, tree), (_, older) in pairwise(log):
        if tree.digest(path) == older.digest(path):
            continue
        known = _approvals(older, group)
        new = tuple(one for one in _approvals(tree, group) if one not in known)
        if new:
            yield Approved(info, new)


def approvals_by_version(found: Sequence[Version], approved: Sequence[Approved]) -> tuple[tuple[Approved, ...], ...]:
    """Give each version's approvals, by their times: one belongs to the version that was the newest then. Pure."""
    return tuple(
        tuple(
            one
            for one in approved
            if version.since <= one.info.committed and (version.until is None or one.info.committed < version.until)
        )
        for version in found
    )


def _approvals(tree: Tree, group: GroupRef) -> tuple[Approval, ...]:
    try:
        return approvals(tree, group)
    except Invalid:
        return ()
