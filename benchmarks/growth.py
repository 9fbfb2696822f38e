"""How a records branch grows: some simulated hours of many applications, each deployed many times a day.

Each deployment is two states (Syncing, then Synced at another version), and each state a commit of its own, as it is
when deployments are spread over the day: no two meet within the seconds that are gathered. Records are derived as the
controller derives them and written by git's own fast-import; the clock is simulated, commit ids are as random as real
ones. The host's repository is packed as a forge packs what came in small pushes (`repack -f`: fast-import's own packs
would keep whole what it wrote whole). What a deployment adds is the same in every hour: a week and a year follow.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from benchmarks.records import BEGIN, BRANCH, WHO, transition
from controller.documents import blob_id
from controller.git import FAST_IMPORT_ARGS, Entry, NewCommit, import_stream
from controller.model import CommitId, Revision, SyncStatus, Transition
from controller.records import overview, record
from controller.runtime import bare_environment, run

DAYS, YEAR_DAYS = 7, 365
CHUNK = 200  # commits per stream
STRIDE = 7919  # from one application that is deployed to the next: a prime
PLATFORM_COMMIT = CommitId("b" * 40)


@dataclass(frozen=True, slots=True)
class Grown:
    applications: int
    deployments: int  # that were simulated
    commits: int
    first: float  # mebibytes of a branch that tells of everybody once
    mebibytes: float  # after the deployments
    clone_seconds: float  # of the branch with all of its history, from a folder
    shallow_seconds: float  # with a depth of 1, as the controller has it
    push_seconds: float  # one commit more

    @property
    def bytes_per_deployment(self) -> float:
        return (self.mebibytes - self.first) * (1 << 20) / self.deployments

    def after(self, days: int, applications: int, a_day: int) -> float:
        """Extrapolate, in gibibytes."""
        return self.bytes_per_deployment * applications * a_day * days / (1 << 30)


@dataclass
class Memory:
    """A branch in memory."""

    files: dict[str, bytes] = field(default_factory=dict)
    folders: dict[str, set[str]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def blob_id(self, path: str) -> str:
        return self.ids.get(path, "")

    def read_ahead(self, files: Iterable[str], folders: Iterable[str], is_known: Callable[[str], bool]) -> None:
        """Nothing is far away."""

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def names(self, directory: str) -> tuple[str, ...]:
        return tuple(sorted(self.folders.get(directory, ())))

    def take(self, changes: Mapping[str, bytes | None]) -> None:
        for path, data in changes.items():
            assert data is not None
            self.files[path] = data
            self.ids[path] = blob_id(data)
            rest = path
            while rest:
                rest, _, name = rest.rpartition("/")
                self.folders.setdefault(rest, set()).add(name)


async def measure_growth(applications: int, a_day: int, hours: float) -> Grown:
    deployments = round(applications * a_day * hours / 24)
    with tempfile.TemporaryDirectory(prefix="converge-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        path = folder / "host.git"
        await _git(folder, "init", "-q", "--bare", f"--initial-branch={BRANCH}", str(path))
        branch = Memory()
        everybody = [_told(number, 1, BEGIN, SyncStatus.SYNCED) for number in range(applications)]
        await _import(path, [_commit(branch, everybody, BEGIN, "Begin")], is_first=True)
        first = await _packed(path)
        news = _deployed(branch, applications, deployments, timedelta(days=1) / (applications * a_day))
        while some := list(islice(news, CHUNK)):
            await _import(path, some, is_first=False)
        size = await _packed(path)
        clone = await _timed(folder, "clone", "-q", "--bare", "--no-local", str(path), str(folder / "whole.git"))
        argv = ("clone", "-q", "--bare", "--depth=1", f"file://{path}", str(folder / "shallow.git"))
        shallow = await _timed(folder, *argv)
        at = BEGIN + timedelta(days=DAYS)
        more = _commit(branch, [_told(0, deployments + 3, at, SyncStatus.SYNCED)], at, "One more")
        await _import(folder / "whole.git", [more], is_first=False)
        push = await _timed(folder / "whole.git", "push", "-q", str(path), f"refs/heads/{BRANCH}")
        return Grown(applications, deployments, 2 * deployments + 1, first, size, clone, shallow, push)


def _deployed(branch: Memory, applications: int, deployments: int, step: timedelta) -> Iterator[NewCommit]:
    for number in range(deployments):
        at = BEGIN + timedelta(minutes=1) + step * number
        for sync, later in ((SyncStatus.SYNCING, 0), (SyncStatus.SYNCED, 3)):
            moment = at + timedelta(seconds=later)
            told = _told(number * STRIDE % applications, number + 2, moment, sync)
            yield _commit(branch, [told], moment, f"{told.group}: {sync}")


def _told(number: int, version: int, at: datetime, sync: SyncStatus) -> Transition:
    """Tell of a placement at a version of its own, whose commit id is as good as random."""
    one = transition(number, 1, sync=sync).report
    commit = CommitId(hashlib.sha1(f"{number} {version}".encode(), usedforsecurity=False).hexdigest())
    revision = Revision(commit, PLATFORM_COMMIT)
    return Transition(replace(one, revision=revision, applied=revision, subject=f"Change {version}"), at)


async def _packed(path: Path) -> float:
    """Pack a repository as its host does in time, and give its size in mebibytes."""
    await _git(path, "repack", "-a", "-d", "-f", "-q")
    return await asyncio.to_thread(_size, path)


def _size(path: Path) -> float:
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file()) / (1 << 20)


def _commit(branch: Memory, transitions: list[Transition], at: datetime, message: str) -> NewCommit:
    change = record(transitions)
    files = dict(change.derive(branch))
    branch.take(files)
    finished = overview(branch)
    branch.take(finished)
    trailers = "\n".join(f"{key}: {value}" for key, value in change.trailers)
    entries = {path: Entry(data) for path, data in {**files, **finished}.items() if data is not None}
    return NewCommit(parent=None, message=f"{message} [skip ci]\n\n{trailers}\n", author=WHO, at=at, files=entries)


async def _import(path: Path, commits: list[NewCommit], *, is_first: bool) -> None:
    head = await _git(path, "rev-parse", "-q", "--verify", f"refs/heads/{BRANCH}") if not is_first else ""
    first, *others = commits
    if head:
        first = NewCommit(
            parent=head.strip(),
            message=first.message,
            author=first.author,
            at=first.at,
            files=first.files,  # type: ignore[arg-type]
        )
    stream = import_stream(f"refs/heads/{BRANCH}", [first, *others])
    env = bare_environment()
    await run(("git", *FAST_IMPORT_ARGS), cwd=path, env=env, deadline_seconds=600.0, stdin=stream)


async def _git(cwd: Path, *arguments: str) -> str:
    done = await run(("git", *arguments), cwd=cwd, env=bare_environment(), deadline_seconds=600.0)
    return done.stdout.decode()


async def _timed(cwd: Path, *arguments: str) -> float:
    begun = time.perf_counter()
    await _git(cwd, *arguments)
    return time.perf_counter() - begun


def table(measured: Grown) -> Iterator[str]:
    yield (
        f"{measured.deployments} deployments among {measured.applications} applications: {measured.commits} commits, "
        f"{measured.first:.1f} to {measured.mebibytes:.1f} MiB, {measured.bytes_per_deployment:.0f} bytes each"
    )
    yield (
        f"  clone {measured.clone_seconds:.1f} s, of depth 1 {measured.shallow_seconds:.1f} s, "
        f"a commit pushed in {measured.push_seconds:.2f} s"
    )
    yield (
        f"  1,000 applications × 20 a day: {measured.after(DAYS, 1000, 20):.2f} GiB a week, "
        f"{measured.after(YEAR_DAYS, 1000, 20):.1f} GiB a year"
    )
