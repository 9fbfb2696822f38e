"""Our build of a kustomization beside `kubectl kustomize` (a process) and kustomize's Go API in one warm process.

All three build the same directories, in turn, in one run; each must give the same bytes. The first of our builds has
read none of the files before; a controller's later ones have, and only look them up. A Kubernetes command that is a
dispatcher adds its own start: KUBECTL names another one.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.kustomizations import write_full, write_median
from controller.model import RepositoryName
from controller.render import build
from controller.runtime import DirectoryTree
from tests.cluster.cache import cache_directory, locked
from tests.cluster.toolchain import find_go

SOURCE = Path(__file__).parent / "kustomize_api"
SIZES = (100, 1000, 3000, 10_000)
PEERS_UP_TO = 3000  # the peers grow faster than their input: larger ones take them many minutes
ENOUGH_SECONDS = 20.0  # a peer that takes longer is run once
PROCESS_SECONDS = 1800
START_RUNS = 5


@dataclass(slots=True)
class Times:
    """Wall seconds of each run, and CPU seconds where they can be told."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return median(self.wall)

    @property
    def cpu_seconds(self) -> float | None:
        return median(self.cpu) if self.cpu else None


@dataclass(frozen=True, slots=True)
class Built:
    """What one kustomization took."""

    name: str
    ours: Times
    command: Times | None
    warm: Times | None


@dataclass(frozen=True, slots=True)
class Rendering:
    """All figures of one run."""

    builds: tuple[Built, ...]
    start_seconds: float  # of the command that does nothing
    mebibytes: float  # that a build of 1,000 resources adds to the process
    growth: float  # CPU time of 10,000 resources in times of 1,000

    def built(self, name: str) -> Built:
        return next(one for one in self.builds if one.name == name)


def measure_rendering(runs: int, peers_up_to: int = PEERS_UP_TO) -> Rendering:
    """Build every size, the larger ones without the peers.

    Raises RuntimeError where two of the three give different bytes.
    """
    with TemporaryDirectory(prefix="converge-bench-") as scratch, _warm_api() as warm:
        root = Path(scratch)
        folders = {"median": write_median(root / "median")}
        folders |= {str(size): write_full(root / str(size), size) for size in SIZES}
        _build(folders["100"])  # a controller is warm too
        builds = []
        for name, folder in folders.items():
            has_peers = name == "median" or int(name) <= peers_up_to
            builds.append(_measure(name, folder, warm if has_peers else None, runs))
        starts = [_run([kubectl(), "version", "--client"])[0] for _ in range(START_RUNS)]
        growth = _growth(folders["1000"], folders["10000"], runs)
        return Rendering(tuple(builds), median(starts), _memory(folders["1000"]), growth)


def _measure(name: str, folder: Path, warm: Callable[[Path], tuple[float, str]] | None, runs: int) -> Built:
    """Let the three take turns, so that a busy moment meets all of them."""
    ours, theirs, api = Times(), Times(), Times()
    if warm is not None:
        warm(folder)  # the first build of a process parses the schema: it is not warm yet
    for number in range(runs):
        digest = _ours(folder, ours)
        if warm is None:
            continue
        if number == 0 or theirs.seconds < ENOUGH_SECONDS:
            _same(name, digest, _command(folder, theirs))
        if number == 0 or api.seconds < ENOUGH_SECONDS:
            seconds, other = warm(folder)
            api.wall.append(seconds)
            _same(name, digest, other)
    return Built(name, ours, theirs if warm else None, api if warm else None)


def _growth(small: Path, large: Path, runs: int) -> float:
    """Compare CPU times, the two in turn: other processes take cores from either, and a build waits for nothing."""
    ratios = []
    for _ in range(runs):
        few, many = Times(), Times()
        for _ in range(3):
            _ours(small, few)
        _ours(large, many)
        ratios.append(median(many.cpu) / median(few.cpu))
    return median(ratios)


def _same(name: str, ours: str, theirs: str) -> None:
    if ours != theirs:
        raise RuntimeError(f"{name}: two builds of the same kustomization differ")


def _ours(folder: Path, times: Times) -> str:
    wall, cpu = time.perf_counter(), time.process_time()
    built = _build(folder)
    times.wall.append(time.perf_counter() - wall)
    times.cpu.append(time.process_time() - cpu)
    return hashlib.sha256(built).hexdigest()


def _build(folder: Path) -> bytes:
    return build(DirectoryTree(folder.parent, RepositoryName("bench")), folder.name)


def _command(folder: Path, times: Times) -> str:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds, out = _run([kubectl(), "kustomize", "--", str(folder)])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    times.wall.append(seconds)
    times.cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return hashlib.sha256(out).hexdigest()


def _run(argv: list[str]) -> tuple[float, bytes]:
    environment = {"HOME": "/nonexistent", "PATH": os.environ["PATH"]}
    wall = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, check=True, timeout=PROCESS_SECONDS, env=environment)
    return time.perf_counter() - wall, done.stdout


def kubectl() -> str:
    found = os.environ.get("KUBECTL") or shutil.which("kubectl")
    if found is None:
        raise RuntimeError("kubectl is not installed: there is nothing to compare with")
    return found


@contextmanager
def _warm_api() -> Iterator[Callable[[Path], tuple[float, str]]]:
    """Give a function that builds in one Go process, which lives as long as the block: seconds and digest."""
    with subprocess.Popen([_api()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        stdin, stdout = process.stdin, process.stdout

        def warm(folder: Path) -> tuple[float, str]:
            print(folder, file=stdin, flush=True)
            seconds, _, digest = stdout.readline().strip().partition(" ")
            return float(seconds), digest

        yield warm
        stdin.close()
        process.wait(timeout=60)


def _api() -> Path:
    """Give the Go program, building it where its sources are new."""
    digest = hashlib.sha256(b"".join(one.read_bytes() for one in sorted(SOURCE.iterdir()))).hexdigest()
    target = cache_directory() / f"kustomize-api-{digest[:16]}"
    with locked(target):
        if not target.exists():
            environment = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
            argv = [str(find_go(SOURCE)), "build", "-o", str(target), "."]
            subprocess.run(argv, cwd=SOURCE, env=environment, check=True, timeout=600)
    return target


def _memory(folder: Path) -> float:
    """Give what a build adds to the peak of a process that has everything imported, in MiB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_added_mebibytes, (folder,))


def _added_mebibytes(folder: Path) -> float:
    """Compare the peak with the start. A process' `ru_maxrss` is its parent's at first, so it tells nothing here."""
    before = _status_kibibytes("VmRSS")
    _build(folder)
    return (_status_kibibytes("VmHWM") - before) / 1024


def _status_kibibytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def table(measured: Rendering) -> Iterator[str]:
    """Show seconds, and how many times ours each peer takes."""
    yield f"kubectl that does nothing: {measured.start_seconds:.3f} s; load {os.getloadavg()[0]:.1f}"
    yield _row(
        "resources",
        "first s",
        "ours s",
        "CPU s",
        "command s",
        "CPU s",
        "÷ ours",
        "CPU ÷",
        "warm Go s",
        "÷ ours",
        "runs",
    )
    for one in measured.builds:
        ours = [one.name, f"{one.ours.wall[0]:.4f}", f"{one.ours.seconds:.4f}", f"{one.ours.cpu_seconds or 0:.4f}"]
        if one.command is None or one.warm is None:
            yield _row(*ours, "", "", "", "", "", "", f"{len(one.ours.wall)}")
            continue
        cpu = one.command.cpu_seconds or 0
        yield _row(
            *ours,
            f"{one.command.seconds:.3f}",
            f"{cpu:.3f}",
            f"{one.command.seconds / one.ours.seconds:.1f}",
            f"{cpu / (one.ours.cpu_seconds or cpu):.1f}",
            f"{one.warm.seconds:.3f}",
            f"{one.warm.seconds / one.ours.seconds:.1f}",
            f"{len(one.ours.wall)}/{len(one.command.wall)}/{len(one.warm.wall)}",
        )
    yield f"10 × the resources: {measured.growth:.1f} × the CPU time; 1,000 resources add {measured.mebibytes:.0f} MiB"


def _row(*cells: str) -> str:
    return "  ".join(cell.rjust(9) for cell in cells)
