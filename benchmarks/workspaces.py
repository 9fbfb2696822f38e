"""What Converge adds to terraform itself, and whether many workspaces get their turn.

The cloud is the tests' own: a provider whose things are files. The floor is `terraform plan` and `terraform show -json`
of a module with the same content, turn by turn with ours.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.machine import peak_memory
from controller.model import (
    ApplicationName,
    CommitId,
    Desired,
    Digest,
    ObjectKey,
    Permitted,
    PlacementRef,
    Revision,
    Secret,
)
from controller.runtime import bare_environment
from controller.targets.terraform.cloud import SHORTEST_SECONDS, SLOWEST
from controller.targets.terraform.reading import Circumstances, objects_of, plan_of, read_document
from tests.fixtures.terraform import FakeCloud, make_cloud, make_mirror, terraform_path
from tests.targets.terraform.placing import REF, application, open_place, render

DEADLINE_SECONDS = 600.0
OWNER = ObjectKey("terraform", "Workspace", "", "shop")
THING = 'resource "fake_thing" "{0}" {{\n  name = "{0}"\n  body = "one"\n}}\n'
MANY = 'resource "terraform_data" "many" {{\n  count = {0}\n  input = {{ name = "n-${{count.index}}", size = 3 }}\n}}\n'
PARSED_RESOURCES = 2_000
SECONDS_PER_WORKSPACE = 1.2  # of the interval: three times what one look takes of a processor
ROUNDS = 2
JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Workspaces:
    """Seconds, but where another unit is named."""

    bare: Sequence[float]  # plan and show
    ours: Sequence[float]  # a look
    first: float  # a look that has to `init`
    bare_init: float
    workspaces: int
    interval: float
    looks: Sequence[int]  # of each workspace
    gap: float  # the longest time that a workspace was not looked at
    slowest: float  # look of them, its wait for a place included
    peak_mebibytes: float
    found: Sequence[float]  # from a hand edit to the plan that tells it, over the interval
    parsed: float
    parsed_mebibytes: float

    @property
    def overhead_seconds(self) -> float:
        return median(ours - bare for ours, bare in zip(self.ours, self.bare, strict=True))

    @property
    def promised(self) -> float:
        """Say how long after its interval a look may end: jitter, and rarer where looks take long."""
        return JITTER * self.interval + (1 + SLOWEST) * self.slowest

    @property
    def lateness(self) -> float:
        """The latest find, as a share of what is promised."""
        return max(self.found, default=float("inf")) / self.promised

    @property
    def starved(self) -> float:
        """The longest time without a look, as a share of what is promised."""
        return self.gap / (self.interval + self.promised)

    @property
    def overhead(self) -> float:
        """As a share of the bare tool's time."""
        return self.overhead_seconds / median(self.bare)


async def measure_workspaces(count: int, runs: int) -> Workspaces:
    """Measure one workspace against the bare tool, then `count` of them on their schedule."""
    with _cloud() as (fake, place):
        bare, ours, first, bare_init = await _overhead(fake, place, runs)
    with _cloud() as (fake, place):
        interval = max(5.0, SECONDS_PER_WORKSPACE * count)
        looks, gap, slowest, peak, found = await _schedule(fake, place, count, interval)
    parsed, parsed_bytes = _parse()
    return Workspaces(
        bare=bare,
        ours=ours,
        first=first,
        bare_init=bare_init,
        workspaces=count,
        interval=interval,
        looks=looks,
        gap=gap,
        slowest=slowest,
        peak_mebibytes=peak,
        found=found,
        parsed=parsed,
        parsed_mebibytes=parsed_bytes / (1 << 20),
    )


@contextmanager
def _cloud() -> Iterator[tuple[FakeCloud, Path]]:
    with TemporaryDirectory(prefix="converge-bench-") as folder:
        yield make_cloud(make_mirror(), Path(folder)), Path(folder)


async def _overhead(fake: FakeCloud, folder: Path, runs: int) -> tuple[Sequence[float], Sequence[float], float, float]:
    """Look as we do and as the bare tool does, turn by turn; and give what the first look of each takes."""
    bare_tool = _Bare(fake, folder / "bare")
    bare_init = bare_tool.prepare()
    desired = render({"infra/main.tf": fake.module(THING.format("web"))})
    async with open_place(fake, folder, interval_seconds=0) as place:
        started = time.perf_counter()
        await place.converge(desired)
        first = time.perf_counter() - started
        bare: list[float] = []
        ours: list[float] = []
        for _ in range(max(3, runs)):
            bare.append(bare_tool.look())
            pause = (1 + JITTER) * SLOWEST * (ours[-1] if ours else 0.0)
            await asyncio.sleep(max(SHORTEST_SECONDS, pause))  # the last look counts no longer
            started = time.perf_counter()
            await place.plan(desired)
            ours.append(time.perf_counter() - started)
    return bare, ours, first, bare_init


@dataclass(frozen=True, slots=True)
class _Bare:
    """The tool itself, on a module of the same content with a state of its own."""

    fake: FakeCloud
    folder: Path

    def prepare(self) -> float:
        """Do once what a workspace needs, and give the seconds of its `init`."""
        self.folder.mkdir()
        state = self.fake.states / "bare.tfstate"
        backend = f'terraform {{\n  backend "local" {{\n    path = "{state}"\n  }}\n}}\n'
        (self.folder / "main.tf").write_bytes(self.fake.module(backend + THING.format("bare")))
        seconds = self._run("init", "-input=false")
        self._run("apply", "-auto-approve", "-input=false")
        return seconds

    def look(self) -> float:
        planned = self._run("plan", "-out=it.tfplan", "-input=false", "-lock=false", "-json")
        return planned + self._run("show", "-json", "it.tfplan")

    def _run(self, *arguments: str) -> float:
        program = terraform_path()
        assert program is not None
        env = bare_environment({"HOME": str(self.folder), "TF_CLI_CONFIG_FILE": str(self.fake.configuration)})
        started = time.perf_counter()
        subprocess.run(
            (program, *arguments), cwd=self.folder, env=env, check=True, capture_output=True, timeout=DEADLINE_SECONDS
        )
        return time.perf_counter() - started


async def _schedule(
    fake: FakeCloud, folder: Path, count: int, interval: float
) -> tuple[Sequence[int], float, float, float, Sequence[float]]:
    """Have many workspaces look on their own schedule for a few intervals.

    Gives the looks of each, the longest time without one, the slowest look, the peak of memory, and for one hand edit
    per interval when it was found: seconds over the interval.
    """
    looks: Counter[PlacementRef] = Counter()
    ended: dict[PlacementRef, float] = {}
    gap = 0.0
    found: list[float] = []
    slowest = 0.0
    async with open_place(fake, folder, interval_seconds=int(interval)) as place, asyncio.TaskGroup() as tasks:
        refs = [replace(REF, application=ApplicationName(f"app-{number}")) for number in range(count)]
        desired = {ref: _desired(fake, ref) for ref in refs}
        apps = {ref: replace(application(), name=ref.application) for ref in refs}
        edited: dict[PlacementRef, float] = {}

        async def look(ref: PlacementRef) -> None:
            nonlocal slowest, gap
            started = time.perf_counter()
            await place.cloud.observe(ref, desired[ref])
            plan = await place.cloud.plan(desired[ref], apps[ref])
            looks[ref] += 1
            now = time.perf_counter()
            slowest, gap = max(slowest, now - started), max(gap, now - ended.get(ref, now))
            ended[ref] = now
            if ref in edited and not plan.is_empty:
                found.append(time.perf_counter() - edited.pop(ref) - interval)
            await place.cloud.apply(Permitted(plan), apps[ref], superseded=asyncio.Event())

        place.woken = lambda ref: tasks.create_task(look(ref))
        async with peak_memory(os.getpid()) as peak:
            await asyncio.gather(*(look(ref) for ref in refs))
            looks.clear()
            slowest = gap = 0.0
            for _ in range(ROUNDS):
                victim = refs[len(found) % count]
                fake.edit(victim.application, body="by hand")
                edited[victim] = time.perf_counter()
                await asyncio.sleep(interval)
        place.woken = None
        gap = max(gap, *(time.perf_counter() - one for one in ended.values()))
    return [looks[ref] for ref in refs], gap, slowest, peak.mebibytes, found


def _desired(fake: FakeCloud, ref: PlacementRef) -> Desired:
    return render({"infra/main.tf": fake.module(THING.format(ref.application))}, ref=ref)


def _parse() -> tuple[float, int]:
    """Make a Plan of what terraform plans for many resources; give CPU seconds, and the bytes at the peak."""
    with TemporaryDirectory(prefix="converge-bench-") as name:
        folder = Path(name)
        (folder / "main.tf").write_text(MANY.format(PARSED_RESOURCES))
        program = terraform_path()
        assert program is not None
        env = bare_environment({"HOME": name, "CHECKPOINT_DISABLE": "1"})
        for arguments in (("init",), ("plan", "-out=it.tfplan"), ("show", "-json", "it.tfplan")):
            done = subprocess.run(
                (program, *arguments), cwd=folder, env=env, check=True, capture_output=True, timeout=DEADLINE_SECONDS
            )
    seconds = min(_read(done.stdout) for _ in range(3))
    tracemalloc.start()
    _read(done.stdout)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return seconds, peak


def _read(data: bytes) -> float:
    started = time.process_time()
    key = Secret(b"k")
    objects = objects_of(read_document(data), OWNER, key, (), today=date(2026, 1, 1))
    none = Digest("sha256:none")
    circumstances = Circumstances(
        placement=REF, inputs=none, digest=none, tool="terraform", providers={}, lineage="", is_destroy=False
    )
    revision = Revision(CommitId("a" * 40), CommitId("b" * 40))
    plan_of(objects, circumstances, revision=revision, desired=none, key=key)
    return time.process_time() - started


def table(one: Workspaces) -> Iterator[str]:
    """Give the lines to print."""
    yield (
        f"terraform plan and show {median(one.bare):.2f} s, a look of ours {median(one.ours):.2f} s: "
        f"{one.overhead_seconds * 1000:+.0f} ms, {one.overhead:+.1%}"
    )
    yield (
        f"init takes the bare tool {one.bare_init:.2f} s each time; here the first look with its apply took "
        f"{one.first:.2f} s, and an unchanged workspace has none"
    )
    yield (
        f"{one.workspaces} workspaces every {one.interval:g} s for {ROUNDS} intervals: {min(one.looks)} to "
        f"{max(one.looks)} looks each, none for {one.gap:.0f} s at the longest, the slowest {one.slowest:.1f} s, "
        f"peak {one.peak_mebibytes:.0f} MiB (PSS, terraform and providers included)"
    )
    late = ", ".join(f"{seconds:+.1f}" for seconds in one.found)
    yield f"hand edits found after their interval, s: {late or 'none'}"
    yield (
        f"a plan of {PARSED_RESOURCES} resources read in {one.parsed:.2f} s of CPU, "
        f"{one.parsed_mebibytes:.0f} MiB at the peak"
    )
