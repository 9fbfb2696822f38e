"""How a records branch grows: simulated days of many applications, each deployed many times a day.

Each deployment is two states, as a rollout has them (the new version Progressing, then Healthy), 20 seconds apart; one
object of five changes. States that become known within what a push takes share a batch, as they do in the recorder.
Batches are derived, drafted, worded and written by what the committer calls, drawings come in the rhythm of a fleet of
this size, and the clock is simulated; commit ids are as random as real ones. Only the pushes are left out, but for some
at the end, which the committer makes itself.

Every simulated day is packed by itself, as a host packs in the night what came in small pushes: deltas are sought anew,
since fast-import's own packs would keep whole what it wrote whole. At the end all is packed as one.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import mean, median

from benchmarks.records import BEGIN, BRANCH, WHO, placement
from controller.documents import blob_id, canonical, decode, digest_of
from controller.engine.drawing import Drawings, fitting_seconds
from controller.engine.recording import rounds
from controller.git import FAST_IMPORT_ARGS, Change, Committer, Entry, Mirrors, NewCommit, import_stream
from controller.git.changes import compose_message, draft
from controller.git.committer import SKIP_CI
from controller.model import CommitId, Health, Manifest, Result, Revision, SyncStatus, Transition
from controller.records import record
from controller.runtime import CredentialStore, SystemClock, bare_environment, run
from controller.sandbox import GitHost
from tests.records.facts import SHOP, WEB, obj, report

YEAR_DAYS = 365
CHUNK = 2_000  # commits per stream
STRIDE = 7919  # from one application that is deployed to the next: a prime
PLATFORM_COMMIT = CommitId("b" * 40)
ROLLOUT = timedelta(seconds=20)
PUSH = timedelta(seconds=0.5)  # how long a batch is under way
GIT_SECONDS = 3_000.0
PUSHED = 5  # commits that the committer itself makes at the end
REPOSITORY = "records"


@dataclass(frozen=True, slots=True)
class Day:
    """Sizes in bytes, index files included."""

    deployments: int
    commits: int
    size: int  # of what came that day, packed by itself
    cpu: float  # seconds to derive, draft and word


@dataclass(frozen=True, slots=True)
class Grown:
    applications: int
    a_day: int
    first: int  # bytes of a branch that tells of everybody once
    days: tuple[Day, ...]
    whole: int  # bytes of all that, packed as one
    clone_seconds: float  # of the branch with all of its history, from a folder
    shallow_seconds: float  # with a depth of 1, as the controller has it
    push_seconds: float  # a transition, from the committer until it is on the host
    load: float  # of the machine, meanwhile

    @property
    def deployments(self) -> int:
        return sum(one.deployments for one in self.days)

    @property
    def bytes_per_deployment(self) -> float:
        return (self.whole - self.first) / self.deployments

    def after(self, days: int) -> float:
        """Extrapolate, in gibibytes."""
        return self.bytes_per_deployment * self.applications * self.a_day * days / (1 << 30)


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


@dataclass
class Branch:
    """The branch, and how far its history has been written out."""

    host: Path
    files: Memory = field(default_factory=Memory)
    drawings: Drawings = field(default_factory=lambda: Drawings(lambda: 0.0))
    head: str = ""
    cpu: float = 0.0

    def commits(self, transitions: Sequence[Transition], at: datetime) -> list[NewCommit]:
        """Do with a batch what recorder and committer do."""
        begun = time.process_time()
        for one in transitions:
            self.drawings.note([one.group])
        drawing = self.drawings.take(at.timestamp())
        changes: list[Change] = [*(record(part) for part in rounds(transitions)), *([drawing] if drawing else [])]
        found = []
        for one in draft(changes, self.files).drafts:
            self.files.take(one.files)
            entries = {path: Entry(data) for path, data in one.files.items() if data is not None}
            message = compose_message(one.changes, suffix=SKIP_CI)
            found.append(NewCommit(parent=None, message=message, author=WHO, at=at, files=entries))
        self.cpu += time.process_time() - begun
        return found

    async def write(self, commits: Sequence[NewCommit]) -> None:
        first, *others = commits
        if self.head:
            first = replace(first, parent=CommitId(self.head))
        stream = import_stream(f"refs/heads/{BRANCH}", [first, *others])
        argv = ("git", *FAST_IMPORT_ARGS)
        await run(argv, cwd=self.host, env=bare_environment(), deadline_seconds=GIT_SECONDS, stdin=stream)
        self.head = await _git(self.host, "rev-parse", f"refs/heads/{BRANCH}")


async def measure_growth(
    applications: int, a_day: int, days: int, *, hours: float = 24.0, said: Callable[[str], None] = print
) -> Grown:
    """Simulate days of so many hours each; `said` hears of each when it is over."""
    with tempfile.TemporaryDirectory(prefix="converge-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        host = folder / "host" / f"{REPOSITORY}.git"
        host.parent.mkdir()
        await _git(folder, "init", "-q", "--bare", f"--initial-branch={BRANCH}", str(host))
        branch = Branch(host)
        everybody = [_told(number, 0, BEGIN, Health.HEALTHY) for number in range(applications)]
        await branch.write(branch.commits(everybody, BEGIN))
        first = await _repacked(host)
        branch.drawings = Drawings(lambda: fitting_seconds(applications))
        batches = _batches(applications, timedelta(days=1) / (applications * a_day))
        told = []
        for number in range(days):
            told.append(await _day(branch, batches, BEGIN + timedelta(hours=hours * (number + 1))))
            said(_about(number + 1, told[-1]))
        whole = await _repacked(host)
        clone = await _timed(folder, "clone", "-q", "--bare", "--no-local", str(host), str(folder / "whole.git"))
        argv = ("clone", "-q", "--bare", "--depth=1", f"file://{host}", str(folder / "shallow.git"))
        shallow = await _timed(folder, *argv)
        push = await _pushes(folder)
        return Grown(applications, a_day, first, tuple(told), whole, clone, shallow, push, os.getloadavg()[2])


async def _day(branch: Branch, batches: Iterator[list[Transition]], until: datetime) -> Day:
    before, begun, commits, deployments = branch.head, branch.cpu, 0, 0

    def commits_of_day() -> Iterator[NewCommit]:
        nonlocal deployments
        for batch in batches:
            deployments += sum(one.report.health is Health.HEALTHY for one in batch)
            yield from branch.commits(batch, batch[-1].at)
            if batch[-1].at >= until:
                return

    news = commits_of_day()
    while some := list(islice(news, CHUNK)):
        commits += len(some)
        await branch.write(some)
    size = await _packed_alone(branch, before)
    return Day(deployments, commits, size, branch.cpu - begun)


def _batches(applications: int, step: timedelta) -> Iterator[list[Transition]]:
    """Give what becomes known while a push is under way, without an end."""
    batch: list[Transition] = []
    for one in _deployed(applications, step):
        if batch and one.at - batch[0].at > PUSH:
            yield batch
            batch = []
        batch.append(one)


def _deployed(applications: int, step: timedelta) -> Iterator[Transition]:
    """Give the states of deployments in the order of their times, without an end."""
    rolling: list[tuple[int, int, datetime]] = []
    number = 0
    while True:
        at = BEGIN + step * (number + 1)
        while rolling and rolling[0][2] <= at:
            yield _told(*rolling.pop(0), Health.HEALTHY)
        of, version = number * STRIDE % applications, number + 1
        yield _told(of, version, at, Health.PROGRESSING)
        rolling.append((of, version, at + ROLLOUT))
        number += 1


def _told(number: int, version: int, at: datetime, health: Health) -> Transition:
    """Tell of a placement at a version of its own, whose commit id is as good as random."""
    commit = CommitId(hashlib.sha1(f"{number} {version}".encode(), usedforsecurity=False).hexdigest())
    revision = Revision(commit, PLATFORM_COMMIT)
    web = obj(_web(version, commit), health=health, result=Result.CONFIGURED if health is Health.PROGRESSING else None)
    others = [obj(one, result=None) for one in SHOP if one is not WEB]
    whole = report(placement(number), [web, *others], sync=SyncStatus.SYNCED, health=health)
    return Transition(replace(whole, revision=revision, applied=revision, subject=f"Change {version}"), at)


def _web(version: int, commit: CommitId) -> Manifest:
    """Give the workload with an image of this version."""
    body = decode(WEB.body)
    assert isinstance(body, dict)
    (container,) = body["spec"]["template"]["spec"]["containers"]  # type: ignore[index,call-overload]
    container["image"] = f"registry.example.com/shop/web:1.8.{version}"
    data = canonical(body)
    return replace(WEB, body=data, digest=digest_of(data), origin=replace(WEB.origin, commit=commit))


async def _packed_alone(branch: Branch, before: str) -> int:
    """Pack what came since a commit by itself, in place of what fast-import wrote; give the bytes of that."""
    folder = branch.host / "objects" / "pack"
    known = {one for one in folder.iterdir() if one.with_suffix(".keep").exists()}
    revisions = f"{branch.head}\n^{before}\n".encode()
    argv = ("git", "pack-objects", "-q", "--revs", "--no-reuse-delta", "--delta-base-offset", str(folder / "pack"))
    done = await run(argv, cwd=branch.host, env=bare_environment(), deadline_seconds=GIT_SECONDS, stdin=revisions)
    (folder / f"pack-{done.stdout.decode().strip()}.keep").touch()
    for one in folder.iterdir():
        if one not in known and not one.with_suffix(".keep").exists():
            one.unlink()
    return sum(one.stat().st_size for one in folder.glob(f"pack-{done.stdout.decode().strip()}.*"))


async def _repacked(host: Path) -> int:
    """Pack a repository as one, and give its bytes; what is packed so is kept as it is until the next time."""
    folder = host / "objects" / "pack"
    for one in folder.glob("*.keep"):
        one.unlink()
    await _git(host, "repack", "-a", "-d", "-f", "-q")
    for one in folder.glob("*.pack"):
        one.with_suffix(".keep").touch()
    return await asyncio.to_thread(_size, host)


def _size(path: Path) -> int:
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())


async def _pushes(folder: Path) -> float:
    """Let a committer bring some transitions to the host; give the median of their seconds."""
    async with GitHost(folder / "host") as host:
        mirror = Mirrors(folder / "mirrors", CredentialStore(folder / "none")).mirror(host.url(REPOSITORY))
        async with Committer(mirror, BRANCH, identity=WHO, clock=SystemClock()) as committer:
            seconds = []
            for version in range(PUSHED + 1):
                begun = time.perf_counter()
                await committer.submit(record([_told(0, -1 - version, BEGIN, Health.HEALTHY)]))
                seconds.append(time.perf_counter() - begun)
            return median(seconds[1:])  # whoever writes has the branch already


async def _git(cwd: Path, *arguments: str) -> str:
    done = await run(("git", *arguments), cwd=cwd, env=bare_environment(), deadline_seconds=GIT_SECONDS)
    return done.stdout.decode().strip()


async def _timed(cwd: Path, *arguments: str) -> float:
    begun = time.perf_counter()
    await _git(cwd, *arguments)
    return time.perf_counter() - begun


def _about(number: int, day: Day) -> str:
    return (
        f"  day {number}: {day.deployments} deployments, {day.commits} commits, {day.size / (1 << 20):.1f} MiB "
        f"packed alone, {day.cpu / max(day.commits, 1) * 1000:.1f} ms of CPU each"
    )


def table(measured: Grown) -> Iterator[str]:
    commits = sum(one.commits for one in measured.days)
    yield (
        f"{measured.deployments} deployments among {measured.applications} applications, {measured.a_day} a day in "
        f"each: {commits} commits, {mean(one.size / one.deployments for one in measured.days):.0f} bytes for each "
        f"deployment where days are packed alone"
    )
    yield (
        f"  all packed as one: {measured.first / (1 << 20):.1f} to {measured.whole / (1 << 20):.1f} MiB, "
        f"{measured.bytes_per_deployment:.0f} bytes for each deployment"
    )
    yield (
        f"  clone {measured.clone_seconds:.1f} s, of depth 1 {measured.shallow_seconds:.1f} s, a transition pushed in "
        f"{measured.push_seconds:.2f} s (load {measured.load:.1f})"
    )
    yield f"  a week {measured.after(7):.2f} GiB, a year {measured.after(YEAR_DAYS):.1f} GiB"
