"""Order between environments, through the whole loop: who waits, for whom, since when, and what does not wait."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from controller.engine import DriftFound, PlacementReconciled
from controller.model import CommitId, PlacementReport, SyncStatus
from tests.cluster.api import Api
from tests.fixtures.clock import SkippingClock
from tests.fixtures.loop import Loop, config_map, dump

pytestmark = pytest.mark.slow
MINUTE = 60.0


@pytest.fixture
def clock(loop: Loop) -> SkippingClock:
    loop.clock = found = SkippingClock()
    return found


async def platform(loop: Loop, **entry: Any) -> CommitId:
    """Commit two environments on one cluster: prod comes after dev, ten minutes."""
    prod = {
        "apiVersion": "converge/v1",
        "kind": "Environment",
        "metadata": {"name": "prod"},
        "spec": {
            "targets": {"home": {"kubernetes": {}}},
            "sync": {"after": [{"environment": "dev", "healthyFor": "10m"}]},
            "applications": {
                "shop": {
                    "repository": "shop",
                    "path": "prod",
                    "revision": "main",
                    "namespace": loop.namespace,
                    **entry,
                }
            },
        },
    }
    return await loop.platform({"shop": {"path": "dev"}}, files={"environments/prod.yaml": dump(prod)})


def both(x: str) -> dict[str, bytes]:
    return {"dev/a.yaml": config_map("dev", x=x), "prod/a.yaml": config_map("prod", x=x)}


async def told(
    loop: Loop, environment: str, sync: SyncStatus, *, commit: CommitId | None = None, says: str = "", since: int = 0
) -> PlacementReport:
    """Wait until an environment's shop has a state, for a commit, with words in its reason."""

    def holds(event: PlacementReconciled) -> bool:
        report = event.report
        at = report.revision.application if report.revision else None
        is_it = report.placement.environment == environment and report.sync is sync
        return is_it and commit in (None, at) and says in report.reason

    return (await loop.until(PlacementReconciled, holds, since=since)).report


async def data(live: Api, name: str) -> Any:
    return (await live.get("v1", "ConfigMap", name))["data"]


async def status(loop: Loop, environment: str) -> Any:
    text = await loop.host.show("platform", f"status/{environment}/shop.yaml", branch="converge-status")
    return yaml.safe_load(text)["placements"][0]


async def test_a_later_environment_waits_until_the_earlier_ran_the_commit_well_for_long_enough(
    loop: Loop, live: Api, clock: SkippingClock
) -> None:
    first = await loop.host.create("shop", both("1"))
    await platform(loop)
    async with loop.start() as controller:
        await told(loop, "dev", SyncStatus.SYNCED, commit=first)
        waiting = await told(loop, "prod", SyncStatus.PENDING, says="(since ")
        (wait,) = waiting.waits
        assert wait.whom == ("dev/shop",)
        assert wait.until is not None
        await controller.settled()
        recorded = await status(loop, "prod")
        assert recorded["waits"][0]["for"] == "order"
        assert recorded["waits"][0]["whom"] == ["dev/shop"]
        assert first[:7] in recorded["waits"][0]["what"]
        clock.skip(10 * MINUTE)
        await told(loop, "prod", SyncStatus.SYNCED, commit=first)
        await controller.settled()
        assert "waits" not in await status(loop, "prod")
    assert await data(live, "prod") == {"x": "1"}


async def test_how_long_it_ran_well_outlives_the_controller(loop: Loop, live: Api, clock: SkippingClock) -> None:
    first = await loop.host.create("shop", both("1"))
    await platform(loop)
    async with loop.start() as controller:
        await told(loop, "prod", SyncStatus.PENDING, says="(since ")
        await controller.settled()
    clock.skip(10 * MINUTE)
    mark = loop.mark()
    async with loop.start():
        await told(loop, "prod", SyncStatus.SYNCED, commit=first, since=mark)
    assert await data(live, "prod") == {"x": "1"}


async def test_a_commit_that_changes_nothing_of_the_earlier_environment_does_not_begin_the_wait_anew(
    loop: Loop, live: Api, clock: SkippingClock
) -> None:
    first = await loop.host.create("shop", both("1"))
    await platform(loop)
    async with loop.start():
        await told(loop, "prod", SyncStatus.PENDING, says="(since ")
        clock.skip(10 * MINUTE)
        await told(loop, "prod", SyncStatus.SYNCED, commit=first)
        second = await loop.host.commit("shop", {"prod/a.yaml": config_map("prod", x="2")})
        await told(loop, "prod", SyncStatus.SYNCED, commit=second)
    assert await data(live, "prod") == {"x": "2"}


async def test_drift_is_put_back_and_a_rollback_made_while_a_newer_commit_waits(
    loop: Loop, live: Api, clock: SkippingClock
) -> None:
    first = await loop.host.create("shop", both("1"))
    await platform(loop)
    async with loop.start():
        await told(loop, "prod", SyncStatus.PENDING, says="(since ")
        clock.skip(10 * MINUTE)
        await told(loop, "prod", SyncStatus.SYNCED, commit=first)
        mark = loop.mark()
        files = {**both("2"), "prod/b.yaml": config_map("more", x="2"), "prod/a.yaml": config_map("prod", x="1")}
        second = await loop.host.commit("shop", files)
        await told(loop, "prod", SyncStatus.PENDING, commit=second, since=mark)
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "prod"}}
        await live.patch(body, {"data": {"x": "edited"}}, fieldManager="kubectl-edit")
        await loop.until(DriftFound, since=mark)
        await live.until("v1", "ConfigMap", "prod", lambda found: found and found["data"] == {"x": "1"})
        clock.skip(10 * MINUTE)
        await told(loop, "prod", SyncStatus.SYNCED, commit=second, since=mark)
        third = await loop.host.commit("shop", {**both("3"), "prod/b.yaml": config_map("more", x="3")})
        await told(loop, "prod", SyncStatus.PENDING, commit=third, since=mark)
        mark = loop.mark()
        await platform(loop, rollback={"to": first, "from": third})
        await told(loop, "prod", SyncStatus.SYNCED, commit=first, since=mark)


async def test_an_earlier_environment_that_went_on_has_proven_what_ran_well_before(
    loop: Loop, live: Api, clock: SkippingClock
) -> None:
    first = await loop.host.create("shop", both("1"))
    await platform(loop, revision=first)
    async with loop.start():
        await told(loop, "prod", SyncStatus.PENDING, says="(since ")
        clock.skip(9 * MINUTE)
        second = await loop.host.commit("shop", both("2"))
        await told(loop, "dev", SyncStatus.SYNCED, commit=second)
        await told(loop, "prod", SyncStatus.PENDING, says=f"it is at {second[:7]}")
        clock.skip(11 * MINUTE)
        third = await loop.host.commit("shop", both("3"))
        await told(loop, "dev", SyncStatus.SYNCED, commit=third)
        await platform(loop, revision=second)
        await told(loop, "prod", SyncStatus.SYNCED, commit=second)
    assert await data(live, "prod") == {"x": "2"}


async def test_a_window_that_opens_lets_go_of_what_waited(loop: Loop, live: Api, clock: SkippingClock) -> None:
    soon = clock.now().replace(second=0)
    opens = (soon.hour + 2) % 24
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}}, sync={"windows": [{"cron": f"0 {opens} * * *", "for": "1h"}]})
    async with loop.start():
        waiting = await loop.report("shop", SyncStatus.PENDING)
        assert waiting.waits[0].until is not None
        clock.skip((waiting.waits[0].until - clock.now()).total_seconds())
        await loop.synced("shop")
    assert await data(live, "a") == {"x": "1"}
