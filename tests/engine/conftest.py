"""The loop's cluster: the sandbox, and the real control plane for the same tests again."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.sandbox import GitHost, SandboxCluster
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.fixtures.loop import Loop


@pytest.fixture(params=["sandbox", pytest.param("real", marks=pytest.mark.cluster)])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[KubeAccess]:
    """Give a cluster with a namespace of the test's own."""
    if request.param == "real":
        yield request.getfixturevalue("cluster")
        return
    async with SandboxCluster() as sandbox:
        access = KubeAccess(
            server=sandbox.server,
            kubeconfig=sandbox.write_kubeconfig(tmp_path / "kubeconfig"),
            ca=None,
            token=sandbox.token,
            namespace=f"t-{secrets.token_hex(5)}",
        )
        async with Api.connect(access) as api:
            await api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": access.namespace}})
        yield access


@pytest.fixture
def loop(git_host: GitHost, place: KubeAccess, tmp_path: Path) -> Loop:
    """Give a git host and a cluster, with no controller yet."""
    folder = tmp_path / "credentials" / "kubeconfig"
    folder.mkdir(parents=True)
    (folder / "kubeconfig").write_bytes(place.kubeconfig.read_bytes())
    return Loop(git_host, tmp_path, place.namespace)


@pytest.fixture
async def live(place: KubeAccess) -> AsyncIterator[Api]:
    """Look at the loop's cluster as somebody else than Converge."""
    async with Api.connect(place) as api:
        yield api
