"""A server that is away: those who wait for it take turns in looking, and all go on when it is back."""

from __future__ import annotations

import asyncio

import pytest

from controller.model import Secret
from controller.targets.kubernetes import reaching
from controller.targets.kubernetes.connection import Connection, Request
from controller.targets.kubernetes.credentials import Login
from controller.targets.kubernetes.reaching import Reachability, Unreachable

WAITERS = 20


async def test_one_of_all_who_wait_finds_out_whether_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "PAUSE_SECONDS", (0.01, 3600.0))
    server = Reachability()
    server.lost()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(server.turn()) for _ in range(WAITERS)]
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1
        server.found()


async def test_all_go_on_at_once_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "PAUSE_SECONDS", (3600.0, 3600.0))
    server = Reachability()
    server.lost()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(server.turn()) for _ in range(WAITERS)]
        await asyncio.sleep(0)
        assert not any(one.done() for one in waiting)
        server.found()
    await server.turn()  # nobody waits for a server that is there


async def test_a_server_that_is_not_there_is_unreachable_for_requests_and_watches() -> None:
    async def login() -> Login:
        return Login(server="http://127.0.0.1:1", authorization=Secret("Bearer x"))

    async with Connection("test", login) as connection:
        with pytest.raises(Unreachable):
            await connection.send(Request("GET", "/version"))
        with pytest.raises(Unreachable):
            await anext(connection.watch(Request("GET", "/api/v1/configmaps", (("watch", "true"),))))
