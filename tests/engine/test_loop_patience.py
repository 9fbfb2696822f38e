"""What a loop does over time: deadlines, newer commits, fights, and a stop in order."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress

import pytest

from controller.engine import PlacementReconciled
from controller.model import Health, SyncStatus
from controller.runtime import bare_environment
from tests.cluster.api import Api, ApiError
from tests.fixtures.loop import Loop, config_map, deployment, dump

pytestmark = pytest.mark.slow

WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}


async def test_what_does_not_become_healthy_in_time_is_degraded_and_says_why(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/web.yaml": deployment("web", image="fail.example/pull/app:1")})
    await loop.platform({"shop": {}}, sync={"healthTimeout": "2s"})
    async with loop.start():
        await loop.report("shop", health=Health.PROGRESSING)
        degraded = await loop.report("shop", health=Health.DEGRADED)
        assert "not healthy within 2 s" in degraded.reason
        assert "Deployment" in degraded.reason
        fixed = await loop.host.commit("shop", {"deploy/web.yaml": deployment("web")})
        await loop.synced("shop", commit=fixed)
        await loop.report("shop", health=Health.HEALTHY)


async def test_a_newer_commit_ends_the_wait_of_an_older_one(loop: Loop, live: Api) -> None:
    second = dump(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "second", "annotations": {"converge/wave": "1"}},
            "data": {"x": "1"},
        }
    )
    broken = {"deploy/web.yaml": deployment("web", image="fail.example/pull/app:1"), "deploy/second.yaml": second}
    await loop.host.create("shop", broken)
    await loop.platform({"shop": {}}, sync={"healthTimeout": "10m"})
    async with loop.start():
        await live.until("apps/v1", "Deployment", "web", lambda found: found is not None)
        with pytest.raises(ApiError, match="not found"):
            await live.get("v1", "ConfigMap", "second")
        fixed = await loop.host.commit("shop", {"deploy/web.yaml": deployment("web")})
        await loop.synced("shop", commit=fixed)
    assert (await live.get("v1", "ConfigMap", "second"))["data"] == {"x": "1"}


async def test_a_fight_over_a_field_is_damped_and_said(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/web.yaml": deployment("web", replicas=2)})
    await loop.platform({"shop": {}})
    async with loop.start():
        await loop.report("shop", health=Health.HEALTHY)
        other = asyncio.create_task(fight(live))
        try:
            damped = await loop.until(
                PlacementReconciled, lambda event: "damped" in event.report.reason and event.report.drifted == 1
            )
        finally:
            other.cancel()
            with suppress(asyncio.CancelledError):
                await other
    assert damped.report.sync is SyncStatus.DRIFTED


async def fight(live: Api) -> None:
    """Set the replicas back whenever somebody else has changed them."""
    while True:
        await live.until("apps/v1", "Deployment", "web", lambda web: web and web["spec"]["replicas"] == 2, seconds=300)
        await live.patch(WEB, {"spec": {"replicas": 3}}, fieldManager="other-controller")


async def test_sigterm_ends_it_in_order_with_its_records_pushed(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "controller.cli", "run", "--interval", "0.3", "--log-format", "json"),
        *("--platform", loop.host.url("platform"), "--cache", str(loop.directory / "cache")),
        *("--credentials", str(loop.directory / "credentials")),
        env=bare_environment({"PYTHONPATH": os.environ.get("PYTHONPATH", "")}),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await live.until("v1", "ConfigMap", "a", lambda found: found is not None, seconds=60)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            assert await process.wait() == 0
    finally:
        with suppress(ProcessLookupError):
            process.kill()
            await process.wait()
    told = await loop.host.show("platform", "status/dev/shop.yaml", branch="converge-status")
    assert "sync: Synced" in told
