"""How a records branch grows: a simulated week of many applications, each deployed many times a day.

Records are derived as the controller derives them, a batch of deployments per commit (each deployment is two states:
Syncing, then Synced at another version), and written by git's own fast-import; the clock is simulated. Sizes are those
of the host's repository after git's own upkeep, as forges do it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.records import BEGIN, BRANCH, WHO, transition
from controller.git import FAST_IMPORT_ARGS, Entry, NewCommit, import_stream
from controller.model import SyncStatus, Transition
from controller.records import overview, record
from controller.runtime import bare_environment, run

DAYS = 7
TOGETHER = 10  # deployments that are told in one commit
CHUNK = 200  # commits per stream
YEAR_DAYS = 365


@dataclass(frozen=True, slots=True)
class Grown:
    applications: int
    deployments: int  # a day, of each application
    commits: int
    mebibytes: float
    clone_seconds: float  # of the branch with all of its history, from a folder
    shallow_seconds: float  # with a depth of 1, as the controller has it
    push_seconds: float  # one commit more

    @property
    def bytes_per_deployment(self) -> float:
        return self.mebibytes * (1 << 20) / (self.applications * self.deployments * DAYS)

    def year(self, applications: int, deployments: int) -> float:
        """Extrapolate to a year of a fleet, in gibibytes."""
        return self.bytes_per_deployment * applications * deployments * YEAR_DAYS / (1 << 30)


@dataclass
class Memory:
    """A branch in memory."""

    files: dict[str, bytes] = field(default_factory=dict)
    folders: dict[str, set[str]] = field(default_factory=dict)

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def names(self, directory: str) -> tuple[str, ...]:
        return tuple(sorted(self.folders.get(directory, ())))

    def take(self, changes: Mapping[str, bytes | None]) -> None:
        for path, data in changes.items():
            assert data is not None
            self.files[path] = data
            rest = path
            while rest:
                rest, _, name = rest.rpartition("/")
                self.folders.setdefault(rest, set()).add(name)


async def measure_growth(applications: int, deployments: int) -> Grown:
    with tempfile.TemporaryDirectory(prefix="converge-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        path = folder / "host.git"
        await _git(folder, "init", "-q", "--bare", f"--initial-branch={BRANCH}", str(path))
        commits = 0
        chunk: list[NewCommit] = []
        for one in _week(applications, deployments):
            chunk.append(one)
            commits += 1
            if len(chunk) == CHUNK:
                await _import(path, chunk, is_first=commits == CHUNK)
                chunk = []
        if chunk:
            await _import(path, chunk, is_first=commits == len(chunk))
        await _git(path, "gc", "-q", "--prune=now")
        size = sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
        clone = await _timed(folder, "clone", "-q", "--bare", "--no-local", str(path), str(folder / "whole.git"))
        argv = ("clone", "-q", "--bare", "--depth=1", f"file://{path}", str(folder / "shallow.git"))
        shallow = await _timed(folder, *argv)
        await _import(folder / "whole.git", [_more(deployments)], is_first=False)
        push = await _timed(folder / "whole.git", "push", "-q", str(path), f"refs/heads/{BRANCH}")
        return Grown(applications, deployments, commits, size / (1 << 20), clone, shallow, push)


def _week(applications: int, deployments: int) -> Iterator[NewCommit]:
    branch = Memory()
    everybody = [transition(number, 1) for number in range(applications)]
    yield _commit(branch, everybody, BEGIN, "Begin")
    step = timedelta(days=1) / (applications * deployments)
    order = [(round_, number) for round_ in range(deployments * DAYS) for number in range(applications)]
    for start in range(0, len(order), TOGETHER):
        at = BEGIN + step * start
        some = order[start : start + TOGETHER]
        for sync in (SyncStatus.SYNCING, SyncStatus.SYNCED):
            told = [_at(transition(number, 2 + round_, sync=sync), at) for round_, number in some]
            yield _commit(branch, told, at, f"{len(told)} groups: {sync}")


def _at(one: Transition, at: datetime) -> Transition:
    return Transition(one.report, at)


def _commit(branch: Memory, transitions: list[Transition], at: datetime, message: str) -> NewCommit:
    change = record(transitions)
    files = dict(change.derive(branch))
    branch.take(files)
    finished = overview(branch)
    branch.take(finished)
    trailers = "\n".join(f"{key}: {value}" for key, value in change.trailers)
    entries = {path: Entry(data) for path, data in {**files, **finished}.items() if data is not None}
    return NewCommit(parent=None, message=f"{message} [skip ci]\n\n{trailers}\n", author=WHO, at=at, files=entries)


def _more(deployments: int) -> NewCommit:
    at = BEGIN + timedelta(days=DAYS + 1)
    branch = Memory()
    return _commit(branch, [_at(transition(0, 10 + deployments * DAYS), at)], at, "One more")


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
        f"a week of {measured.applications} applications × {measured.deployments} deployments a day: "
        f"{measured.commits} commits, {measured.mebibytes:.1f} MiB, {measured.bytes_per_deployment:.0f} bytes each"
    )
    yield (
        f"  clone {measured.clone_seconds:.1f} s, of depth 1 {measured.shallow_seconds:.1f} s, "
        f"a commit pushed in {measured.push_seconds:.2f} s"
    )
    yield f"  a year of 1,000 applications × 20 a day: {measured.year(1000, 20):.1f} GiB"
