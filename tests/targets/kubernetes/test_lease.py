"""One writer per target, on a real control plane and a clock that the test turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from controller.model import InstallationId, Transient
from controller.targets.kubernetes.connection import Connection
from controller.targets.kubernetes.credentials import Login
from controller.targets.kubernetes.lease import (
    DURATION_SECONDS,
    LINGER_SECONDS,
    RENEW_SECONDS,
    Lease,
    is_dead_neighbour,
    my_identity,
)
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.fixtures.clock import ManualClock
from tests.fixtures.waiting import eventually
from tests.targets.kubernetes.placing import login_of

cluster_only = pytest.mark.cluster


@asynccontextmanager
async def leases(access: KubeAccess, clock: ManualClock, *identities: str) -> AsyncIterator[list[Lease]]:
    async def source() -> Login:
        return login_of(access)

    async with Connection("test", source) as connection:
        yield [
            Lease(
                connection,
                InstallationId(access.namespace),
                "prod/hz",
                clock=clock,
                identity=one,
                is_dead=lambda holder: holder == "dead",
            )
            for one in identities
        ]


async def holder(api: Api, lease: Lease) -> str:
    live = await api.get("coordination.k8s.io/v1", "Lease", lease.key.name, namespace="converge-system")
    return str(live["spec"].get("holderIdentity") or "")


@cluster_only
async def test_a_second_writer_waits_until_the_first_has_not_renewed_for_its_whole_duration(
    cluster: KubeAccess, api: Api
) -> None:
    clock = ManualClock()
    async with leases(cluster, clock, "one", "two") as (one, two):
        async with one.held():
            assert await holder(api, one) == "one"
        taking = asyncio.create_task(two.held().__aenter__())
        for _ in range(DURATION_SECONDS):
            await eventually(lambda: clock.sleepers)
            assert not taking.done()
            await clock.advance(1)
        await taking
        assert await holder(api, two) == "two"
        assert not one.is_valid
        with pytest.raises(Transient, match="could not be renewed"):
            one.check()


@cluster_only
async def test_a_dead_neighbour_is_not_waited_for(cluster: KubeAccess, api: Api) -> None:
    async with leases(cluster, ManualClock(), "dead", "two") as (one, two):
        async with one.held():
            pass
        async with two.held():
            assert await holder(api, two) == "two"


@cluster_only
async def test_a_burst_of_writers_asks_once(cluster: KubeAccess) -> None:
    async with leases(cluster, ManualClock(), "one") as (lease,):
        async with lease.held():
            first = lease._mine
            async with lease.held():
                assert lease._mine is first
        async with lease.held():
            assert lease._mine is first


@cluster_only
async def test_it_is_renewed_while_there_is_a_writer_and_given_back_when_there_is_none(
    cluster: KubeAccess, api: Api
) -> None:
    clock = ManualClock()
    async with leases(cluster, clock, "one", "two") as (one, two), asyncio.TaskGroup() as group:
        running = group.create_task(one.run())
        async with one.held():
            for _ in range(4):
                await eventually(lambda: clock.sleepers)
                before = one._mine
                await clock.advance(RENEW_SECONDS)
                await eventually(lambda before=before: one._mine is not before)
            one.check()
        await eventually(lambda: clock.sleepers)
        await clock.advance(max(LINGER_SECONDS, RENEW_SECONDS))
        await eventually(lambda: one._mine is None and not one._lock.locked())
        assert await holder(api, one) == ""
        async with two.held():
            assert await holder(api, two) == "two"
        running.cancel()


@cluster_only
async def test_it_is_given_back_on_the_way_out(cluster: KubeAccess, api: Api) -> None:
    async with leases(cluster, ManualClock(), "one") as (lease,):
        async with asyncio.TaskGroup() as group:
            running = group.create_task(lease.run())
            async with lease.held():
                pass
            await asyncio.sleep(0)
            running.cancel()
        assert await holder(api, lease) == ""


@cluster_only
async def test_a_writer_whose_lease_was_taken_over_stops(cluster: KubeAccess, api: Api) -> None:
    clock = ManualClock()
    async with leases(cluster, clock, "dead", "two") as (one, two), asyncio.TaskGroup() as group:
        running = group.create_task(one.run())
        async with one.held():
            async with two.held():
                pass
            await eventually(lambda: clock.sleepers)
            await clock.advance(RENEW_SECONDS)
            await eventually(lambda: one._mine is None)
            with pytest.raises(Transient):
                one.check()
        running.cancel()
        assert await holder(api, two) == "two"


async def test_a_process_that_runs_no_more_is_a_dead_neighbour_and_a_running_one_is_not() -> None:
    mine = my_identity()
    host, machine, process, _ = mine.rsplit("_", 3)
    child = await asyncio.create_subprocess_exec("true")
    await child.wait()

    assert not is_dead_neighbour(mine)
    assert is_dead_neighbour(f"{host}_{machine}_{child.pid}_x")
    assert not is_dead_neighbour(f"elsewhere_{machine}_{child.pid}_x")
    assert not is_dead_neighbour(f"{host}_other_{process}_x")
    assert not is_dead_neighbour("somebody")
