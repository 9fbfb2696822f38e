"""Steady state costs nothing: what a controller asks while nothing happens does not grow with what it keeps.

Seen at proxies before the API server and the git host. Polls of the repositories are the clock: no time is waited for.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from controller.sandbox import GitHost
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.engine.kill.scene import config, kubeconfig, manifests
from tests.fixtures.processes import Converge
from tests.fixtures.proxy import Proxy
from tests.fixtures.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(300)]

POLLS = 5  # of every repository: as long as the window is
INTERVAL_SECONDS = 1.0
ADVERTISEMENT = "info/refs?service=git-upload-pack"


@dataclass(frozen=True, slots=True)
class Watched:
    """A running controller between two proxies."""

    process: Converge
    kubernetes: Proxy
    git: Proxy
    host: GitHost

    def polls(self) -> Counter[str]:
        """Count the advertisements asked of each repository."""
        return Counter(one.path.split("/")[1] for one in self.git.seen if ADVERTISEMENT in one.path)


async def idle_requests(watched: Watched) -> tuple[list[str], float]:
    """Give what was asked of the API server while every repository was polled some times, and of git per poll."""
    asked, fetched, polls = len(watched.kubernetes.seen), len(watched.git.seen), watched.polls()
    await eventually(
        lambda: all((watched.polls() - polls)[name] >= POLLS for name in ("platform.git", "apps.git")),
        deadline_seconds=60,
    )
    quiet = [str(one) for one in watched.kubernetes.seen[asked:] if not one.is_watch]
    return quiet, (len(watched.git.seen) - fetched) / (watched.polls() - polls).total()


@pytest.mark.parametrize("placements", [5, 50])
async def test_an_idle_controller_asks_a_cluster_nothing(
    placements: int, cluster: KubeAccess, api: Api, tmp_path: Path
) -> None:
    async with controller(placements, cluster, api, tmp_path) as watched:
        quiet, per_poll = await idle_requests(watched)
        assert quiet == []
        assert per_poll <= 2, "a poll is one ref advertisement: a GET, and protocol 2's ls-refs"
        await edited_by_hand(api, f"app-{placements - 1}")
        live = await api.until("v1", "ConfigMap", f"app-{placements - 1}", is_as_git_says)
        assert live


async def edited_by_hand(api: Api, name: str) -> None:
    await api.patch(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}},
        {"data": {"version": "by hand"}},
        fieldManager="someone",
    )


def is_as_git_says(live: dict[str, Any] | None) -> bool:
    return live is not None and live["data"] == {"version": "1"}


@asynccontextmanager
async def controller(placements: int, cluster: KubeAccess, api: Api, folder: Path) -> AsyncIterator[Watched]:
    """Run so many placements until they are recorded as they shall be, and the Lease is given back."""
    context = ssl.create_default_context(cafile=str(cluster.ca))
    async with (
        GitHost(folder / "git") as host,
        Proxy(host.url("x").removesuffix("/x.git")) as git,
        Proxy(cluster.server, context=context) as kubernetes,
    ):
        installation = str(uuid.uuid4())
        await make_repositories(host, git.url, placements, cluster.namespace, installation)
        store = folder / "credentials" / "kubeconfig"
        store.mkdir(parents=True)
        (store / "kubeconfig").write_text(json.dumps(kubeconfig(kubernetes.url, cluster.token)))
        process = await Converge.start(
            "run", "--interval", str(INTERVAL_SECONDS), "--platform", f"{git.url}/platform.git",
            "--credentials", str(folder / "credentials"), "--cache", str(folder / "cache"), log=folder / "log",
        )  # fmt: skip
        watched = Watched(process, kubernetes, git, host)
        try:
            await at_rest(watched, api, placements, installation)
            yield watched
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{process.tail()}") from error
        finally:
            await process.stop()


async def at_rest(watched: Watched, api: Api, placements: int, installation: str) -> None:
    """Wait until all is recorded, and the Lease was given back: that is the last write of a burst."""
    async with asyncio.timeout(120):
        while await recorded(watched.host) < placements:  # noqa: ASYNC110  # another process pushes
            await asyncio.sleep(0.1)
    name = f"converge-{hashlib.sha256(f'{installation} dev/hangzhou'.encode()).hexdigest()[:32]}"
    await api.until("coordination.k8s.io/v1", "Lease", name, is_given_back, namespace="converge-system")


def is_given_back(lease: dict[str, Any] | None) -> bool:
    return lease is not None and not lease["spec"].get("holderIdentity")


async def recorded(host: GitHost) -> int:
    """Count the groups whose status says that they are in sync and well."""
    if await host.head("platform", "converge-status") is None:
        return 0
    names = [name for name in await host.names("platform", branch="converge-status") if name.startswith("status/")]
    texts = [await host.show("platform", name, branch="converge-status") for name in names]
    return sum("sync: Synced" in text and "health: Healthy" in text for text in texts)


async def make_repositories(host: GitHost, url: str, placements: int, namespace: str, installation: str) -> None:
    names = [f"app-{number}" for number in range(placements)]
    await host.create("apps", {f"{name}/config.yaml": manifests(config(name, 1)) for name in names})
    platform = {
        "apiVersion": "converge/v1", "kind": "Platform", "metadata": {"name": "test"},
        "spec": {"installation": installation, "repositories": {"apps": {"url": f"{url}/apps.git"}}},
    }  # fmt: skip
    applications = {
        name: {"repository": "apps", "path": name, "revision": "main", "namespace": namespace} for name in names
    }
    environment = {
        "apiVersion": "converge/v1", "kind": "Environment", "metadata": {"name": "dev"},
        "spec": {"targets": {"hangzhou": {"kubernetes": {}}}, "applications": applications},
    }  # fmt: skip
    await host.create(
        "platform", {"converge.yaml": manifests(platform), "environments/dev.yaml": manifests(environment)}
    )
