"""Each test here runs twice: on the sandbox cluster and on a real control plane. That makes the sandbox a double."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.sandbox import SandboxCluster
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.cluster.kubectl import Kubectl


@pytest.fixture(params=["sandbox", pytest.param("real", marks=pytest.mark.cluster)])
async def access(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[KubeAccess]:
    """A cluster with a namespace of the test's own."""
    if request.param == "real":
        yield request.getfixturevalue("cluster")
        return
    namespace = f"t-{secrets.token_hex(5)}"
    async with SandboxCluster() as sandbox:
        access = KubeAccess(
            server=sandbox.server,
            kubeconfig=sandbox.write_kubeconfig(tmp_path / "kubeconfig"),
            ca=None,
            token=sandbox.token,
            namespace=namespace,
        )
        async with Api.connect(access) as api:
            await api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        yield access


@pytest.fixture
async def api(access: KubeAccess) -> AsyncIterator[Api]:
    async with Api.connect(access) as client:
        yield client


@pytest.fixture
def kubectl(access: KubeAccess) -> Kubectl:
    if not Kubectl.is_there():
        pytest.skip("kubectl is missing: put it on the PATH")
    return Kubectl(access)
