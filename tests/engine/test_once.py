"""`converge run --once`, as a person runs it."""

from __future__ import annotations

import pytest

from tests.fixtures.canary import converge
from tests.fixtures.loop import Loop, config_map, dump

pytestmark = pytest.mark.slow


async def test_what_has_not_come_to_rest_in_time_is_shown_with_its_reason(loop: Loop) -> None:
    nobody = {"name": "away", "cluster": {"server": "http://127.0.0.1:9"}}
    context = {"name": "away", "context": {"cluster": "away", "user": "me"}}
    login = {"apiVersion": "v1", "kind": "Config", "clusters": [nobody], "contexts": [context],
             "users": [{"name": "me", "user": {}}], "current-context": "away"}  # fmt: skip
    (loop.directory / "credentials" / "kubeconfig" / "kubeconfig").write_bytes(dump(login))
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}}, spec={"targets": {"home": {"kubernetes": {"context": "away"}}}})
    told = await converge(loop, "run", "--once", "--timeout", "3", "--log-level", "error")
    line = next(line for line in told.splitlines() if line.startswith("dev/shop@home"))
    assert "Unknown" in line
    assert "127.0.0.1:9" in line
    assert "within 3 s" in told
