"""Each test here runs twice: on the sandbox cluster and on a real control plane. That makes the sandbox a double."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.cluster.kubectl import Kubectl
from tests.fixtures.either import access

__all__ = ["access", "api", "kubectl"]


@pytest.fixture
async def api(access: KubeAccess) -> AsyncIterator[Api]:
    async with Api.connect(access) as client:
        yield client


@pytest.fixture
def kubectl(access: KubeAccess) -> Kubectl:
    if not Kubectl.is_there():
        pytest.skip("kubectl is missing: put it on the PATH")
    return Kubectl(access)
