"""Questions to a records branch of 100,000 instances: making the index, keeping it, and asking."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from controller.documents import write
from controller.engine import Query, indexed, parse_query
from controller.git import Mirror, Mirrors
from controller.model import CommitId
from controller.runtime import CredentialStore
from controller.sandbox import GitHost
from tests.engine.query.make import instance, path_of

OBJECTS = 10  # per application
QUESTIONS = (
    "kind=Deployment image~nginx:1.2 replicas>3",
    "environment=prod health!=Healthy",
    "related:uses Secret/db0 application=app00042",
    "relatedBy:uses Deployment/web1 application=app00001",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Seconds: of the index from nothing, of keeping it after a commit, and the slowest question's median."""

    instances: int
    built: float
    kept: float
    slowest: float


async def measure_query(instances: int) -> Asked:
    with tempfile.TemporaryDirectory(prefix="converge-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        async with GitHost(folder / "host") as host:
            files = dict(_records(instances))
            await host.create("records", files)
            mirror = Mirrors(folder / "mirrors", CredentialStore(folder / "none")).mirror(host.url("records"))
            head = await mirror.resolve("main")
            await mirror.tree(head)  # the fetch is git's time
            built = await _seconds(mirror, folder, head)
            slowest = max([await _asked(mirror, folder, head, parse_query(one)) for one in QUESTIONS])
            await host.commit("records", {next(iter(files)): None})
            head = await mirror.resolve("main")
            await mirror.tree(head)
            return Asked(instances, built, await _seconds(mirror, folder, head), slowest)


async def _asked(mirror: Mirror, folder: Path, head: CommitId, query: Query) -> float:
    return median([await _seconds(mirror, folder, head, query) for _ in range(5)])


async def _seconds(mirror: Mirror, folder: Path, head: CommitId, query: Query | None = None) -> float:
    begun = time.perf_counter()
    async with indexed(mirror, folder / "query", head) as index:
        if query is not None:
            await asyncio.to_thread(lambda: list(index.find(query)))
    return time.perf_counter() - begun


def _records(instances: int) -> Iterator[tuple[str, bytes]]:
    for number in range(instances // OBJECTS):
        application = f"app{number:05d}"
        home = f"prod/{application}/hz/{application}"
        for index in range(OBJECTS):
            kind = f"Deployment.apps/web{index}" if index % 2 else f"Secret/db{index}"
            relations = (
                ("partOf", f"prod/{application}"),
                ("runsOn", f"prod/{application}/hz"),
                ("uses", f"{home}/Secret/db{index - 1}"),
            )
            record = instance(
                f"{home}/{kind}",
                *relations,
                health="Degraded" if number % 100 == 0 else "Healthy",
                images={"web": f"nginx:1.{number % 30}"},
                replicas=number % 7,
                ports={"web": [80]},
                requests={"web": {"cpu": "100m", "memory": "64Mi"}},
            )
            yield path_of(record), write(record)
