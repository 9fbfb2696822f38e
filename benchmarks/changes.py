"""What a commit costs the applications that it does not touch, and how soon one is planned before it is merged.

A repository of many applications, one environment, and a cluster of the sandbox kind. The decision is that of a running
controller; the plan is the whole command, its start included: without its cache, and with it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import yaml

from controller.engine import Checkout, Question, Settings, Snapshot, find_candidate, take_snapshot
from controller.git import Mirrors
from controller.model import PlacementRef
from controller.runtime import CredentialStore, SystemClock, bare_environment, run
from controller.sandbox import GitHost, SandboxCluster

DEADLINE_SECONDS = 300.0
PENDING = 3  # the exit code of a plan with something to do


@dataclass(frozen=True, slots=True)
class Changes:
    """Seconds, of each run; `rendered` is how many placements a commit that touches one renders."""

    applications: int
    rendered: int
    decisions: Sequence[float]
    decisions_cpu: Sequence[float]
    first_plan: float
    plans: Sequence[float]
    plans_cpu: Sequence[float]


async def measure_changes(applications: int, runs: int) -> Changes:
    with TemporaryDirectory(prefix="converge-bench-") as scratch:
        async with _stage(Path(scratch), applications) as host:
            walls, cpus, rendered = [], [], 0
            for number in range(runs):
                wall, cpu, rendered = await _decide(Path(scratch), host, number)
                walls.append(wall)
                cpus.append(cpu)
            first, _ = await _plan(Path(scratch), host)
            plans = [await _plan(Path(scratch), host) for _ in range(runs)]
            return Changes(
                applications, rendered, walls, cpus, first, [one for one, _ in plans], [one for _, one in plans]
            )


@asynccontextmanager
async def _stage(folder: Path, applications: int) -> AsyncIterator[GitHost]:
    store = folder / "credentials" / "kubeconfig"
    store.mkdir(parents=True)
    async with SandboxCluster() as cluster, GitHost(folder / "host") as host:
        cluster.write_kubeconfig(store / "kubeconfig")
        await host.create("apps", {path: data for name in range(applications) for path, data in _files(name, "1")})
        await host.create("platform", _platform(host.url("apps"), applications))
        head = await host.head("apps")
        assert head is not None
        await host.move_branch("apps", "proposal", head)
        await host.commit("apps", dict(_files(0, "2")), branch="proposal")
        yield host


def _files(number: int, value: str) -> Iterator[tuple[str, bytes]]:
    """Give one application: a workload, its settings and a service, as a kustomization."""
    name, labels = f"app-{number}", {"app": f"app-{number}"}
    container = {"name": "app", "image": "registry.example.com/app:1", "ports": [{"containerPort": 8080}]}
    workload = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }  # fmt: skip
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": value}}
    yield f"apps/{number}/kustomization.yaml", b"resources: [all.yaml]\n"
    yield f"apps/{number}/all.yaml", yaml.safe_dump_all([workload, service, settings]).encode()


def _platform(url: str, applications: int) -> dict[str, bytes]:
    head = {"apiVersion": "converge/v1", "kind": "Platform", "metadata": {"name": "bench"}}
    entries = {
        f"app-{number}": {"repository": "apps", "path": f"apps/{number}", "revision": "main", "namespace": "default"}
        for number in range(applications)
    }
    environment = {
        "apiVersion": "converge/v1", "kind": "Environment", "metadata": {"name": "bench"},
        "spec": {"targets": {"sandbox": {"kubernetes": {}}}, "applications": entries},
    }  # fmt: skip
    spec = {"installation": "3c9e0f0a-bench", "repositories": {"apps": {"url": url}}}
    return {
        "converge.yaml": yaml.safe_dump({**head, "spec": spec}).encode(),
        "environments/bench.yaml": yaml.safe_dump(environment).encode(),
    }


async def _decide(folder: Path, host: GitHost, number: int) -> tuple[float, float, int]:
    """Render everything, as a controller has it, then decide for all on a new commit: seconds, and renders needed."""
    mirrors = Mirrors(folder / f"mirrors-{number}", CredentialStore(folder / "credentials"))
    try:
        settings = Settings(platform_url=host.url("platform"))
        snapshot = await take_snapshot(settings, mirrors, clock=SystemClock())
        for ref in snapshot.select(()):
            await snapshot.rendered(ref)
        candidate = await find_candidate(snapshot, Question(ref="proposal"), mirrors)
        wall, cpu = time.perf_counter(), time.process_time()
        moved = sum(not _is_current(snapshot, ref, candidate) for ref in snapshot.fleet.entries)
        return time.perf_counter() - wall, time.process_time() - cpu, moved
    finally:
        mirrors.close()


def _is_current(snapshot: Snapshot, ref: PlacementRef, candidate: Checkout) -> bool:
    return snapshot.renderer.is_current(ref, snapshot.entry(ref), candidate, snapshot.fleet.checkout)


async def _plan(folder: Path, host: GitHost) -> tuple[float, float]:
    """Run the command as a person does: seconds, and those of CPU.

    Raises RuntimeError where it does not plan exactly what the commit touches.
    """
    argv = (
        sys.executable, "-m", "controller.cli", "plan", "--ref", "proposal", "--output", "json",
        "--platform", host.url("platform"), "--cache", str(folder / "cache"),
        "--credentials", str(folder / "credentials"),
    )  # fmt: skip
    started, cpu = time.perf_counter(), _children_seconds()
    done = await run(argv, cwd=folder, env=bare_environment(os.environ), deadline_seconds=DEADLINE_SECONDS)
    seconds, cpu = time.perf_counter() - started, _children_seconds() - cpu
    if done.returncode != PENDING or set(json.loads(done.stdout)["effects"]) != {"bench/app-0@sandbox"}:
        raise RuntimeError(f"the plan is not that of the commit: {done.error_text or done.stdout.decode()[:400]}")
    return seconds, cpu


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(measured: Changes) -> Iterator[str]:
    touched = f"a commit that touches one: {measured.rendered} to render"
    yield f"{measured.applications} applications, {touched}; load {os.getloadavg()[0]:.1f}"
    wall, cpu = _milliseconds(measured.decisions), _milliseconds(measured.decisions_cpu)
    yield f"  the decision for all: {wall} ms, CPU {cpu} ms (median of {len(measured.decisions)})"
    after = f"{median(measured.plans):.2f} s after it (CPU {median(measured.plans_cpu):.2f} s)"
    yield f"  converge plan --ref: {measured.first_plan:.2f} s with an empty cache, {after}"


def _milliseconds(seconds: Sequence[float]) -> str:
    return f"{median(seconds) * 1000:.1f}"
