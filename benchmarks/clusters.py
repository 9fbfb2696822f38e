"""One application on many clusters: sandboxes in a few processes, twenty kinds watched in each.

What it takes to watch them all, and what clusters that are away cost the others: a commit reaches them with all of them
there, and with some of them gone. Sandboxes speak HTTP/1.1 without TLS, where a watch is a connection of its own; real
clusters carry ninety watches on one HTTP/2 connection, so the memory here is an upper bound.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.controller_process import Controller, Line, controller
from benchmarks.fleet import Fleet, environment
from benchmarks.machine import cpu_seconds, peak_memory, proportional_bytes
from benchmarks.sandboxes import sandboxes
from benchmarks.workload import Workload

PROCESSES = 4  # with clusters in them; one of them goes away
SECONDS = 600.0
IDLE_SECONDS = 10.0
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Clusters:
    """What was measured with so many clusters."""

    count: int
    kinds: int
    first: float  # seconds from the push to the last cluster's state
    update: float
    update_away: float  # with `away` of them gone, until the others have it
    away: int
    rest_bytes: int  # PSS of the process tree when all is at rest
    peak_bytes: int
    idle_share: float  # of a core, with some of them away


async def measure_clusters(count: int) -> Clusters:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="converge-bench-")))
        sizes = [count // PROCESSES + (number < count % PROCESSES) for number in range(PROCESSES)]
        groups = [await stack.enter_async_context(sandboxes(size)) for size in sizes if size]
        logins = [login for group in groups for login in group.logins]
        names = [f"c-{number:03}" for number in range(count)]
        fleet = Fleet(folder, Workload(1))
        await _begin(fleet, names, logins)
        async with controller(fleet) as running, peak_memory(running.pid) as peak:
            first = await _reached(running, names, await _pushed(fleet, "platform"), _synced_on)
            update = await _delivered(running, fleet, names, "v2")
            await asyncio.sleep(IDLE_SECONDS)
            rest = proportional_bytes(running.pid)
            away = len(groups[-1].logins) if len(groups) > 1 else 0
            if away:
                await groups[-1].end()
            here = names[: count - away]
            update_away = await _delivered(running, fleet, here, "v3")
            await asyncio.sleep(IDLE_SECONDS if away else 0)  # until all of them are told, and looked for but rarely
            cpu = cpu_seconds(running.pid)
            await asyncio.sleep(IDLE_SECONDS)
            idle_share = (cpu_seconds(running.pid) - cpu) / IDLE_SECONDS
        return Clusters(count, len(objects("v1")), first, update, update_away, away, rest, peak.bytes, idle_share)


async def _begin(fleet: Fleet, names: Sequence[str], logins: Sequence[tuple[str, str]]) -> None:
    await fleet.begin(_kubeconfig(names, logins))
    await fleet.commit("apps", {"many/all.yaml": _all("v1")})
    await fleet.push("apps")
    spec = {
        "targets": {name: {"kubernetes": {"context": name}} for name in names},
        "applications": {"many": {"repository": "apps", "path": "many", "revision": "main", "namespace": "default"}},
    }
    platform = yaml.safe_load((fleet.folder / "platform" / "converge.yaml").read_text())
    platform["spec"]["repositories"]["apps"]["may"] = {"kinds": ["*"]}
    await fleet.commit(
        "platform", {"converge.yaml": yaml.safe_dump(platform), "environments/bench/base.yaml": environment(spec)}
    )


def _kubeconfig(names: Sequence[str], logins: Sequence[tuple[str, str]]) -> bytes:
    value = {
        "apiVersion": "v1", "kind": "Config", "current-context": names[0],
        "clusters": [{"name": one, "cluster": {"server": server}}
                     for one, (server, _) in zip(names, logins, strict=True)],
        "users": [{"name": one, "user": {"token": token}} for one, (_, token) in zip(names, logins, strict=True)],
        "contexts": [{"name": one, "context": {"cluster": one, "user": one}} for one in names],
    }  # fmt: skip
    return json.dumps(value).encode()


async def _pushed(fleet: Fleet, repository: str) -> float:
    begun = time.perf_counter()
    await fleet.push(repository)
    return begun


async def _delivered(running: Controller, fleet: Fleet, names: Sequence[str], tag: str) -> float:
    """Change the ConfigMap; the clock stops when the last of these clusters has it."""
    await fleet.commit("apps", {"many/all.yaml": _all(tag)})
    return await _reached(running, names, await _pushed(fleet, "apps"), _written_on)


async def _reached(running: Controller, names: Sequence[str], begun: float, named_by: Callable[[Line], str]) -> float:
    return max(await running.each(names, named_by, after=begun, seconds=SECONDS)) - begun


def _synced_on(line: Line) -> str:
    is_it = line.get("event") == "placement.reconciled" and line.get("sync") == "Synced"
    return str(line.get("target")) if is_it and line.get("application") == "many" else ""


def _written_on(line: Line) -> str:
    is_it = line.get("event") == "object.applied" and "ConfigMap default/many" in str(line.get("object"))
    return str(line.get("target")) if is_it else ""


def _all(tag: str) -> str:
    return yaml.safe_dump_all(objects(tag), sort_keys=False)


def objects(tag: str) -> list[Object]:
    """Give one object of each of twenty kinds; the ConfigMap says the version."""
    pod = {"containers": [{"name": "c", "image": "registry.example.com/many:1"}]}
    labels = {"app": "many"}
    template = {"metadata": {"labels": labels}, "spec": pod}
    once = {"metadata": {"labels": labels}, "spec": {**pod, "restartPolicy": "Never"}}
    workload = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    rbac = "rbac.authorization.k8s.io"
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "many", "port": {"number": 80}}}}
    scaled = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "many"}
    parts: list[tuple[str, str, Object]] = [
        ("v1", "ConfigMap", {"data": {"version": tag}}),
        ("v1", "Secret", {"stringData": {"a": "b"}}),
        ("v1", "Service", {"spec": {"selector": labels, "ports": [{"port": 80}]}}),
        ("v1", "ServiceAccount", {}),
        ("v1", "PersistentVolumeClaim", {"spec": {"accessModes": ["ReadWriteOnce"],
                                                  "resources": {"requests": {"storage": "1Gi"}}}}),
        ("coordination.k8s.io/v1", "Lease", {"spec": {"holderIdentity": "nobody"}}),
        (f"{rbac}/v1", "ClusterRole", {"rules": rules}),
        (f"{rbac}/v1", "ClusterRoleBinding", {"roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "many"},
                                              "subjects": [{"kind": "User", "name": "nobody"}]}),
        ("apps/v1", "Deployment", {"spec": workload}),
        ("apps/v1", "StatefulSet", {"spec": {**workload, "serviceName": "many"}}),
        ("apps/v1", "DaemonSet", {"spec": {"selector": {"matchLabels": labels}, "template": template}}),
        ("apps/v1", "ReplicaSet", {"spec": workload}),
        ("batch/v1", "Job", {"spec": {"suspend": True, "template": {"spec": once["spec"]}}}),
        ("batch/v1", "CronJob", {"spec": {"schedule": "0 0 1 1 *", "suspend": True,
                                          "jobTemplate": {"spec": {"template": {"spec": once["spec"]}}}}}),
        ("networking.k8s.io/v1", "Ingress", {"spec": {"rules": [{"http": {"paths": [path]}}]}}),
        ("networking.k8s.io/v1", "NetworkPolicy", {"spec": {"podSelector": {"matchLabels": labels}}}),
        ("autoscaling/v2", "HorizontalPodAutoscaler", {"spec": {"maxReplicas": 2, "scaleTargetRef": scaled}}),
        ("policy/v1", "PodDisruptionBudget", {"spec": {"maxUnavailable": 1, "selector": {"matchLabels": labels}}}),
        (f"{rbac}/v1", "Role", {"rules": rules}),
        (f"{rbac}/v1", "RoleBinding", {"roleRef": {"apiGroup": rbac, "kind": "Role", "name": "many"},
                                       "subjects": [{"kind": "ServiceAccount", "name": "many"}]}),
    ]  # fmt: skip
    return [
        {"apiVersion": version, "kind": kind, "metadata": {"name": "many"}, **body} for version, kind, body in parts
    ]


def table(found: Clusters) -> tuple[str, ...]:
    """Give what was measured, for people."""
    rest, most = found.rest_bytes / 1e6, found.peak_bytes / 1e6
    away = f"with {found.away} of them away, to the others {found.update_away:.2f} s"
    return (
        f"{found.count} clusters in {PROCESSES} processes, {found.kinds} kinds watched in each",
        f"first sync {found.first:.1f} s; a commit to all {found.update:.2f} s; {away}",
        f"PSS {rest:.0f} MB at rest, {most:.0f} MB at most; idle {100 * found.idle_share:.2f} % of a core",
    )


def goals(found: Clusters) -> Sequence[tuple[str, float, float]]:
    """Give what is judged; memory at the size that it is stated for."""
    lines = [("clusters: a commit with some away ÷ with all there", found.update_away / found.update, 1.5)]
    if found.count >= 300:
        lines.append(("clusters: PSS at rest, MB", found.rest_bytes / 1e6, 300.0))
    return lines
