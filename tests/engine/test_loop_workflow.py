"""An OAM Application's workflow through the whole loop: two targets, a pause between them, and a yes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from controller.engine import PlacementReconciled
from controller.model import CommitId, PlacementReport, SyncStatus
from tests.cluster.api import Api
from tests.fixtures.clock import SkippingClock
from tests.fixtures.loop import Loop, dump

pytestmark = pytest.mark.slow

TARGETS = {"targets": {"north": {"kubernetes": {}, "labels": {"region": "north"}}, "south": {"kubernetes": {}}}}


def settings(name: str, value: str) -> dict[str, Any]:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"x": value}}
    return {"name": name, "type": "k8s-objects", "properties": {"objects": [body]}}


def shop(value: str, *, pause: dict[str, Any] | None = None) -> bytes:
    """Make an Application with a ConfigMap of its own on each target: north first, then south."""
    steps = [
        {"name": "a", "type": "apply-component", "properties": {"component": "north-settings", "cluster": "north"}},
        *([{"name": "look", "type": "suspend", "properties": pause}] if pause is not None else []),
        {"name": "b", "type": "apply-component", "properties": {"component": "south-settings", "cluster": "south"}},
    ]
    return dump(
        {
            "apiVersion": "core.oam.dev/v1beta1",
            "kind": "Application",
            "metadata": {"name": "shop"},
            "spec": {
                "components": [settings("north-settings", value), settings("south-settings", value)],
                "workflow": {"steps": steps},
            },
        }
    )


async def told(
    loop: Loop, target: str, sync: SyncStatus, *, commit: CommitId | None = None, since: int = 0
) -> PlacementReport:
    """Wait until a target has a state, at a commit where one is given."""

    def holds(event: PlacementReconciled) -> bool:
        report = event.report
        at = report.applied.application if report.applied else None
        return report.placement.target == target and report.sync is sync and commit in (None, at)

    return (await loop.until(PlacementReconciled, holds, since=since)).report


async def data(live: Api, name: str) -> Any:
    return (await live.get("v1", "ConfigMap", name))["data"]


async def names(live: Api) -> list[str]:
    return [one["metadata"]["name"] for one in (await live.list("v1", "ConfigMap"))["items"]]


@pytest.fixture
def clock(loop: Loop) -> SkippingClock:
    loop.clock = found = SkippingClock()
    return found


async def test_a_later_step_waits_for_the_targets_of_the_earlier_one(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/app.yaml": shop("1")})
    await loop.platform({"shop": {}}, spec=TARGETS)
    async with loop.start() as controller:
        await told(loop, "south", SyncStatus.SYNCED)
        order = [one.report.placement.target for one in loop.events if isinstance(one, PlacementReconciled)
                 and one.report.sync is SyncStatus.SYNCED]  # fmt: skip
        assert order.index("north") < order.index("south")  # type: ignore[arg-type]
        assert await data(live, "south-settings") == {"x": "1"}
        commit = await loop.host.commit("shop", {"deploy/app.yaml": shop("2")}, message="Change it")
        controller.poke()
        await told(loop, "south", SyncStatus.SYNCED, commit=commit)
        assert await data(live, "north-settings") == await data(live, "south-settings") == {"x": "2"}


async def test_what_comes_after_a_pause_waits_for_a_commit_that_says_yes(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/app.yaml": shop("1", pause={})})
    await loop.platform({"shop": {}}, spec=TARGETS)
    async with loop.start() as controller:
        waiting = await told(loop, "south", SyncStatus.AWAITING_APPROVAL)
        assert await data(live, "north-settings") == {"x": "1"}
        assert "south-settings" not in await names(live)
        plan = waiting.reason.rpartition(" ")[2]
        approvals = {"approvals/dev/shop.yaml": yaml.safe_dump({"plans": [plan]}).encode()}
        await loop.host.commit("platform", approvals, message="Yes")
        controller.poke()
        await told(loop, "south", SyncStatus.SYNCED)
        assert await data(live, "south-settings") == {"x": "1"}


async def test_a_pause_with_a_duration_ends_by_itself(loop: Loop, live: Api, clock: SkippingClock) -> None:
    keys = loop.directory / "credentials" / "plan-keys"
    keys.mkdir(parents=True)
    (keys / "dev").write_bytes(b"k" * 32)  # without one a plan's hash means nothing to another process
    await loop.host.create("shop", {"deploy/app.yaml": shop("1", pause={"duration": "20m"})})
    await loop.platform({"shop": {}}, spec=TARGETS)
    async with loop.start() as controller:
        waiting = await told(loop, "south", SyncStatus.AWAITING_APPROVAL)
        assert waiting.waits[0].until is not None
        await controller.settled()
    clock.skip(600)
    mark = len(loop.events)
    async with loop.start() as controller:  # another controller goes on from what the records say
        again = await told(loop, "south", SyncStatus.AWAITING_APPROVAL, since=mark)
        assert again.waits[0].until is not None
        assert abs(again.waits[0].until - waiting.waits[0].until).total_seconds() < 300
        await controller.settled()
        clock.skip(600)
        await told(loop, "south", SyncStatus.SYNCED, since=mark)
        assert await data(live, "south-settings") == {"x": "1"}
