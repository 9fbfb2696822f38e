"""Opens a cluster for the engine: logs in, follows what is there, and says so once it can be told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from controller.model import (
    ConvergeError,
    EnvironmentName,
    InstallationId,
    KubernetesTarget,
    PlacementRef,
    Transient,
)
from controller.runtime import Clock, CredentialStore, PlanKeys
from controller.targets.kubernetes.cluster import Cluster
from controller.targets.kubernetes.credentials import Logins

FIRST_LOOK_SECONDS: Final = 15.0


@asynccontextmanager
async def open_cluster(
    spec: KubernetesTarget,
    environment: EnvironmentName,
    installation: InstallationId,
    *,
    credentials: CredentialStore,
    plan_keys: PlanKeys,
    logins: Logins,
    clock: Clock,
    changed: Callable[[PlacementRef], None],
    kept: Path | None = None,
) -> AsyncIterator[Cluster]:
    """Give a cluster that has been looked at, or that is away (then every observation says so until it is back).

    `kept` is a folder of the cache, for what makes a restart short.
    """
    moved = asyncio.Event()

    def notice(placement: PlacementRef) -> None:
        moved.set()
        changed(placement)

    login = logins.source(spec, credentials)
    cluster = Cluster(
        spec,
        environment,
        installation,
        source=login,
        has_news=login.has_moved,
        plan_key=plan_keys.of(environment),
        clock=clock,
        changed=notice,
        kept=kept,
    )
    async with cluster:
        with suppress(ConvergeError, TimeoutError):
            async with asyncio.timeout(FIRST_LOOK_SECONDS):
                await _first_look(cluster, moved)
        yield cluster


async def _first_look(cluster: Cluster, moved: asyncio.Event) -> None:
    """Wait until every placement that has a parent here can be told: a restart is no reason to call any Unknown."""
    for placement in await cluster.placements():
        while True:
            moved.clear()
            try:
                await cluster.observe(placement)
            except Transient:
                await moved.wait()
            else:
                break
