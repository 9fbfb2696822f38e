"""A workload that does not run: the status file says why in one line, and the badge that it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from controller.engine import PlacementReconciled
from controller.model import Health, PlacementReport
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.fixtures.loop import Loop, deployment, dump

pytestmark = pytest.mark.slow

BRANCH = "converge-status"
PATIENCE = {"healthTimeout": "12s"}  # a little more than until pods are asked


async def degraded(loop: Loop, manifest: bytes, why: str) -> PlacementReport:
    """Deliver a workload that can't run, wait until that is told with its reason, and look at what git has of it."""
    await loop.host.create("shop", {"deploy/web.yaml": manifest})
    await loop.platform({"shop": {}}, sync=PATIENCE)
    async with loop.start() as controller:

        def holds(event: PlacementReconciled) -> bool:
            return event.report.health is Health.DEGRADED and why in event.report.reason

        report = (await loop.until(PlacementReconciled, holds)).report
        await controller.settled()
    assert "\n" not in report.reason
    assert why in (await recorded(loop))["reason"]
    badge = json.loads(await loop.host.show("platform", "badges/dev/shop.json", branch=BRANCH))
    assert "Degraded" in badge["message"]
    assert badge["isError"] is True
    return report


async def recorded(loop: Loop) -> dict[str, Any]:
    """Give what the status file says of the one placement."""
    (placement,) = yaml.safe_load(await loop.host.show("platform", "status/dev/shop.yaml", branch=BRANCH))["placements"]
    return dict(placement)


async def test_an_image_that_cannot_be_pulled_is_named(loop: Loop, live: Api) -> None:
    why = 'ImagePullBackOff: Back-off pulling image "fail.example/pull/app:1"'
    await degraded(loop, deployment("web", image="fail.example/pull/app:1"), why)


async def test_a_container_that_crashes_says_its_exit_code(loop: Loop, live: Api) -> None:
    why = "CrashLoopBackOff: container app ended with exit code 1"
    await degraded(loop, deployment("web", image="fail.example/crash/app:1"), why)


@pytest.mark.parametrize("place", [pytest.param("real", marks=pytest.mark.cluster)], indirect=True)
async def test_a_full_quota_is_told_with_what_was_asked(loop: Loop, place: KubeAccess, live: Api) -> None:
    metadata = {"name": "few", "namespace": place.namespace}
    await live.create(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": {"pods": "0"}}}
    )
    await live.until("v1", "ResourceQuota", "few", lambda one: one and one.get("status", {}).get("hard"))
    report = await degraded(loop, deployment("web"), "exceeded quota: few, requested: pods=1, used: pods=0")
    assert report.reason.count("exceeded quota") == 1


@pytest.mark.parametrize("place", [pytest.param("real", marks=pytest.mark.cluster)], indirect=True)
async def test_a_pod_that_fits_on_no_node_says_so(loop: Loop, live: Api) -> None:
    body = yaml.safe_load(deployment("web"))
    body["spec"]["template"]["spec"]["nodeSelector"] = {"none": "such"}
    await degraded(loop, dump(body), "can't be scheduled: 0/1 nodes are available")
