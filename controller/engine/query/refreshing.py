"""Brings an index to a commit of a records branch: by what changed since, or from the start."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from controller.documents import Dialect, read, read_plainly
from controller.engine.query.index import Index
from controller.git import FULL_ID, SHORT_ID, CommitInfo, GitTree, Mirror
from controller.model import PLATFORM, CommitId, EntryKind, Invalid, Stalled

FOLDER: Final = "cmdb"
TOGETHER: Final = 20  # applications
STEPS: Final = (100, 1000)  # commits that are looked through for a date; the last is as far as a mirror goes
TEXTS: Final = (("model",), ("name",), ("lifecycle",), ("identity", "key"), ("identity", "id"))
OBSERVED: Final = (("observed", "sync"), ("observed", "health"), ("observed", "since"))


@asynccontextmanager
async def indexed(mirror: Mirror, cache: Path, head: CommitId, at: CommitId | None = None) -> AsyncIterator[Index]:
    """Give the index of a branch at its head, or of an earlier commit as a copy. Raises Transient, Stalled.

    The file below `cache` is kept for the next time; deleting it loses nothing.
    """
    path = cache / f"{hashlib.sha256(mirror.url.encode()).hexdigest()[:16]}.sqlite"
    index = _opened(path)
    with index:
        await refresh(index, mirror, head)
        if at is None or at == head:
            yield index
            return
        with tempfile.TemporaryDirectory(prefix="converge-query-") as folder:
            copy = Path(folder) / "index.sqlite"
            await mirror.compute(lambda: index.copy_to(copy))
            with Index(copy) as earlier:
                await refresh(earlier, mirror, at)
                yield earlier


def _opened(path: Path) -> Index:
    """Open an index; a file that is damaged, or none of ours, is made anew."""
    try:
        return Index(path)
    except sqlite3.DatabaseError:
        for one in path.parent.glob(f"{path.name}*"):
            one.unlink()
        return Index(path)


async def refresh(index: Index, mirror: Mirror, commit: CommitId) -> None:
    """Bring an index to a commit. Raises Transient, Stalled."""
    if index.commit == commit:
        return
    tree = await mirror.tree(commit, repository=PLATFORM)
    changed = await mirror.changed_paths(index.commit, commit) if index.commit else None
    if changed is None:
        await mirror.compute(lambda: index.replace(_everything(tree), commit))
    else:
        wanted = sorted(path for path in changed if path.startswith(f"{FOLDER}/"))
        await mirror.compute(lambda: index.update(_files(tree, wanted), commit))


async def commit_at(mirror: Mirror, head: CommitId, when: str) -> CommitId:
    """Find the commit that a date, a time or a commit id means on a branch. Raises Stalled where there is none."""
    if FULL_ID.fullmatch(when):
        await mirror.fetch(CommitId(when))
        return CommitId(when)
    moment = None if SHORT_ID.fullmatch(when) else read_time(when, is_end=True)
    oldest: CommitInfo | None = None
    for step in STEPS:
        log = [info for info, _ in await mirror.log(head, limit=step, repository=PLATFORM)]
        for info in log:
            if (moment is None and info.commit.startswith(when)) or (moment is not None and info.committed <= moment):
                return info.commit
        oldest = log[-1]
        if len(log) < step:
            break
    began = f"the records that are at hand begin at {oldest.committed:%Y-%m-%d %H:%M} UTC" if oldest else "none"
    raise Stalled(f"{when}: no commit of the records is meant by that; {began}")


async def time_of(mirror: Mirror, head: CommitId, when: str) -> datetime:
    """Give the time that a date (its begin), a time or a commit id of a branch means. Raises Stalled for another."""
    if FULL_ID.fullmatch(when) or SHORT_ID.fullmatch(when):
        return (await mirror.describe(await commit_at(mirror, head, when))).committed
    return read_time(when, is_end=False)


def read_time(text: str, *, is_end: bool) -> datetime:
    """Read a date (its end, or its begin) or a time, in UTC where no zone is said. Raises Stalled for another."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Stalled(f"{text}: write a date such as 2026-11-01, a time, or a commit of the records") from None
    if is_end and len(text) == len("2026-11-01"):
        found = found.replace(hour=23, minute=59, second=59)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _everything(tree: GitTree) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """Read all records, those of several applications in one request to git."""
    for environment in tree.names(FOLDER):
        folders = [f"{FOLDER}/{environment}/{name}" for name in tree.names(f"{FOLDER}/{environment}")]
        for first in range(0, len(folders), TOGETHER):
            some = folders[first : first + TOGETHER]
            tree.prefetch(some)
            for folder in some:
                yield from _files(tree, _below(tree, folder))


def _below(tree: GitTree, path: str) -> Iterator[str]:
    if tree.kind(path) is not EntryKind.DIRECTORY:
        yield path
        return
    for name in tree.names(path):
        yield from _below(tree, f"{path}/{name}")


def _files(tree: GitTree, paths: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    for path in paths:
        is_file = tree.kind(path) is EntryKind.FILE
        yield path, _record(tree.read(path), path) if is_file else None


def _record(data: bytes, path: str) -> Mapping[str, Any] | None:
    """Read a record; None for what somebody else wrote, as the writer of records takes it too."""
    value: Any = read_plainly(data)
    if value is None:
        try:
            documents = read(data, path=path, dialect=Dialect.KUBERNETES)
        except Invalid:
            return None
        value = documents[0].value if len(documents) == 1 else None
    if not isinstance(value, dict) or value.get("kind") != "Instance":
        return None
    return value if all(isinstance(_at(value, place), str) for place in (*TEXTS, *OBSERVED)) else None


def _at(value: Any, place: tuple[str, ...]) -> Any:
    for name in place:
        value = value.get(name) if isinstance(value, dict) else None
    return value
