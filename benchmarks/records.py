"""Writing records: a cycle among many instances, one transition, and a storm of them, on a branch with a long past.

The branch is made as the controller would have made it, and then given tens of thousands of commits; the remote answers
each request a tenth of a second late.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from controller.engine.recording import rounds
from controller.git import BranchFiles, Change, Committer, Entry, Identity, Mirror, Mirrors, NewCommit, import_stream
from controller.git.changes import draft
from controller.model import (
    ApplicationName,
    CommitId,
    EnvironmentName,
    Health,
    PlacementRef,
    Revision,
    SyncStatus,
    TargetName,
    Transition,
)
from controller.records import Drawing, record
from controller.runtime import CredentialStore, SystemClock, bare_environment, run
from controller.sandbox import GitHost
from tests.records.facts import report

BRANCH = "converge-status"
OBJECTS = 5  # per application, as the tests' shop has them
LATENCY_SECONDS = 0.1
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WHO = Identity("Converge", "converge@users.noreply.invalid")


@dataclass(frozen=True, slots=True)
class Recorded:
    """Seconds until readable at the remote, unless said otherwise."""

    files: int
    commits: int
    instances: int
    cycle: float  # 10 transitions derived, the overview brought up to date, and the commit written; not pushed
    cycle_cpu: float
    cycle_trees: int  # that this commit has written
    cycle_folders: int  # in which files of it lie, with those above
    single: float
    storm: float
    storm_transitions: int
    storm_commits: int
    storm_cpu: float  # ours and our children's, the host's included: on a busy machine seconds say little


def placement(number: int) -> PlacementRef:
    environment = EnvironmentName(("dev", "staging", "prod")[number % 3])
    return PlacementRef(environment, ApplicationName(f"app-{number // 3:04d}"), TargetName("hangzhou"))


def transition(number: int, version: int, *, sync: SyncStatus = SyncStatus.SYNCED) -> Transition:
    """Tell that a placement runs a version."""
    revision = Revision(CommitId(f"{version:040x}"), CommitId(f"{version:040x}"))
    found = report(placement(number), sync=sync, revision=revision, applied=revision, subject=f"Change {version}")
    return Transition(replace(found, health=Health.HEALTHY), BEGIN + timedelta(seconds=version))


async def measure_records(groups: int, commits: int, storm: int) -> Recorded:
    with tempfile.TemporaryDirectory(prefix="converge-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        async with GitHost(folder / "host") as host:
            await host.create_empty("records", branch=BRANCH)
            store = CredentialStore(folder / "none")
            first = Mirrors(folder / "first", store).mirror(host.url("records"))
            async with _committer(first) as committer:
                for start in range(0, groups, 200):
                    await _submit(committer, [transition(one, 1) for one in range(start, min(start + 200, groups))])
            await _grow(host, commits)
            files = len(await host.names("records", branch=BRANCH))
            cycle, cycle_cpu, trees, folders = await _cycle(folder / "cycle", host, groups)
            host.latency_seconds = LATENCY_SECONDS
            mirror = Mirrors(folder / "second", store).mirror(host.url("records"))
            async with _committer(mirror) as committer:
                await _submit(committer, [transition(0, commits + 2)])  # whoever writes has the branch already
                singles = [await _timed(committer, [transition(1, commits + 3 + one)]) for one in range(5)]
                before = await host.head("records", BRANCH)
                cpu = _cpu_seconds()
                many = [transition(one, commits + 20) for one in range(storm)]
                seconds = await _timed(committer, many)
                cpu = _cpu_seconds() - cpu
                written = (await host.log("records", BRANCH)).index(str(before))
            return Recorded(
                files,
                commits,
                groups * OBJECTS,
                cycle,
                cycle_cpu,
                trees,
                folders,
                median(singles),
                seconds,
                storm,
                written,
                cpu,
            )


def _committer(mirror: Mirror) -> Committer:
    return Committer(mirror, BRANCH, identity=WHO, clock=SystemClock())


async def _submit(committer: Committer, transitions: Sequence[Transition]) -> None:
    """Submit a batch as the recorder does, in a fleet that is drawn at once."""
    await asyncio.gather(*(committer.submit(one) for one in _changes(transitions)))


def _changes(transitions: Sequence[Transition]) -> list[Change]:
    groups = frozenset(one.group for one in transitions)
    return [*(record(part) for part in rounds(transitions)), Drawing(groups)]


async def _timed(committer: Committer, transitions: Sequence[Transition]) -> float:
    begun = time.perf_counter()
    await _submit(committer, transitions)
    return time.perf_counter() - begun


async def _grow(host: GitHost, commits: int) -> None:
    """Give a branch a long past, each commit of which touches one status."""
    head = await host.head("records", BRANCH)
    path = host.path("records")

    def chain() -> Iterator[NewCommit]:
        for number in range(commits):
            at = BEGIN + timedelta(seconds=number)
            files: dict[str, Entry | None] = {"status/_note.yaml": Entry(f"number: {number}\n".encode())}
            yield NewCommit(parent=None if number else head, message=f"{number}", author=WHO, at=at, files=files)

    stream = import_stream(f"refs/heads/{BRANCH}", list(chain()))
    env = bare_environment()
    argv = ("git", "fast-import", "--quiet", "--force", "--done", "--date-format=raw")
    await run(argv, cwd=path, env=env, deadline_seconds=600.0, stdin=stream)
    await run(("git", "gc", "-q"), cwd=path, env=env, deadline_seconds=600.0)


async def _cycle(folder: Path, host: GitHost, groups: int) -> tuple[float, float, int, int]:
    """Write ten transitions into a mirror that has the branch; give the median, and what the last of them has written.

    This is what the committer does between two pushes: derive, draw, write the commit.
    """
    mirror = Mirrors(folder, CredentialStore(folder)).mirror(host.url("records"))
    head = await mirror.resolve(BRANCH)
    step = max(1, groups // 10)
    times, spent = [], []
    before = head
    for number in range(6):
        tree, before = await mirror.tree(head), head
        ten = _changes([transition(one, 100 + number) for one in range(0, step * 10, step)])
        begun, cpu = time.perf_counter(), _cpu_seconds()
        drafted = await mirror.compute(lambda ten=ten, tree=tree: draft(ten, BranchFiles(tree)))  # type: ignore[misc]
        (one,) = drafted.drafts
        files = {path: data and Entry(data) for path, data in one.files.items()}
        commit = NewCommit(parent=head, message="Ten", author=WHO, at=BEGIN, files=files)  # type: ignore[arg-type]
        (head,) = await mirror.import_commits("refs/converge/bench", [commit])
        times.append(time.perf_counter() - begun)
        spent.append(_cpu_seconds() - cpu)
    return median(times[1:]), median(spent[1:]), *await _written(mirror.path, before, head)


def _cpu_seconds() -> float:
    return sum(os.times()[:4])


async def _written(path: Path, old: CommitId, new: CommitId) -> tuple[int, int]:
    """Count the trees that a commit has written, and the folders that its files lie in."""
    env = bare_environment()
    argv = ("git", "diff-tree", "-r", "-t", "--no-renames", old, new)
    done = await run(argv, cwd=path, env=env, deadline_seconds=60.0)
    rows = [line.split("\t") for line in done.stdout.decode().splitlines()]
    trees = [path for head, path in rows if head.split()[1] == "040000"]
    files = [path for head, path in rows if head.split()[1] != "040000"]
    folders = {parent.as_posix() for one in files for parent in Path(one).parents}
    return len(trees) + 1, len(folders)


def table(measured: Recorded) -> Iterator[str]:
    yield f"a branch of {measured.files} files, {measured.commits} commits, {measured.instances} instances"
    yield (
        f"  10 transitions: {measured.cycle * 1000:.0f} ms ({measured.cycle_cpu * 1000:.0f} of CPU) to derive and "
        f"write, without the push; "
        f"{measured.cycle_trees} trees written, for {measured.cycle_folders} folders"
    )
    yield f"  at a remote {LATENCY_SECONDS * 1000:.0f} ms away: one transition {measured.single:.2f} s,"
    storm = f"{measured.storm:.2f} s ({measured.storm_cpu:.1f} s of CPU)"
    yield f"  {measured.storm_transitions} at once {storm}, in {measured.storm_commits} commits"
