"""A process that dies before or after any of its writes leaks nothing, and the next one ends where it would have."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from controller.model import State
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.targets.kubernetes.placing import Body, Died, Place, Sent, config_map, placed, service

pytestmark = pytest.mark.cluster

WRITES = range(1, 20)


async def sync(
    access: KubeAccess, application: str, sent: Sent, bodies: list[Body], *, is_absent: bool = False
) -> None:
    async with placed(access, application=application, sent=sent) as place:
        place.target._lease._is_dead = lambda _identity: True  # type: ignore[method-assign]
        if is_absent:
            place.entry(state=State.ABSENT)
        applied = await place.sync(*bodies)
        assert applied.failure is None


async def died(access: KubeAccess, application: str, bodies: list[Body], *, at: int, after: bool, **how: Any) -> bool:
    """Run a sync that dies at its n-th write; False when it had none so late."""
    sent = Sent(fails_at=at, dies_after=after)
    try:
        await sync(access, application, sent, bodies, **how)
    except* Died:
        has_died = True
    else:
        has_died = False
    return has_died


async def inventory(api: Api, application: str) -> tuple[set[str], int]:
    """Name the live objects of an application, and count its parents."""
    found = set()
    for kind in ("ConfigMap", "Service"):
        for one in (await api.list("v1", kind))["items"]:
            if f"prod/{application}@hz" in one["metadata"].get("annotations", {}).get("converge/owner", ""):
                found.add(f"{kind} {one['metadata']['name']} {one.get('data', '')}")
    parents = (await api.list("v1", "ConfigMap", namespace="converge-system"))["items"]
    names = [one["metadata"]["annotations"].get("converge/owner", "") for one in parents]
    installation = f"i-{api.access.namespace} "
    return found, sum(name.startswith(installation) and f"/{application}@" in name for name in names)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_first_sync_an_update_with_a_prune_and_a_teardown_survive_a_death_at_every_write(
    cluster: KubeAccess, api: Api, moment: str
) -> None:
    ns = cluster.namespace
    after = moment == "after"
    reached = []
    for at in WRITES:
        application = f"app-{at}-{after}".lower()
        first = [config_map(f"{application}-a", ns, x="1"), service(f"{application}-b", ns)]
        second = [config_map(f"{application}-a", ns, x="2"), config_map(f"{application}-c", ns, x="1")]
        ways = [await died(cluster, application, first, at=at, after=after)]
        await sync(cluster, application, Sent(), first)
        assert await inventory(api, application) == (
            {f"ConfigMap {application}-a {{'x': '1'}}", f"Service {application}-b "},
            1,
        )
        ways.append(await died(cluster, application, second, at=at, after=after))
        await sync(cluster, application, Sent(), second)
        assert await inventory(api, application) == (
            {f"ConfigMap {application}-a {{'x': '2'}}", f"ConfigMap {application}-c {{'x': '1'}}"},
            1,
        )
        ways.append(await died(cluster, application, [], at=at, after=after, is_absent=True))
        await sync(cluster, application, Sent(), [], is_absent=True)
        assert await inventory(api, application) == (set(), 0)
        if not any(ways):
            break
        reached.append(at)
    assert len(reached) > 4


async def test_a_run_that_is_cancelled_leaves_the_rest_to_the_next(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        bodies = [config_map(f"c{index}", place.namespace, x="1") for index in range(4)]
        plan = await place.plan(*bodies)
        started = asyncio.Event()
        place.sent.on_request = lambda request: started.set() if request.path.endswith("/c1") else None
        task = asyncio.create_task(place.apply(plan))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await converged(place, bodies)


async def converged(place: Place, bodies: list[Body]) -> None:
    applied = await place.sync(*bodies)
    assert applied.failure is None
    assert (await place.plan(*bodies)).is_empty
