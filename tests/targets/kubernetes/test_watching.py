"""Following a kind when the server misbehaves: a scripted API server says what a real one says too rarely."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from controller.model import Secret
from controller.targets.kubernetes.cache import CONFIG_MAPS
from controller.targets.kubernetes.connection import Connection
from controller.targets.kubernetes.credentials import Login
from controller.targets.kubernetes.watching import (
    Away,
    Back,
    Change,
    Listed,
    Page,
    Seen,
    Unseen,
    Unserved,
    follow,
)

Script = list[web.Response | list[Any]]


def page(*names: str, version: str = "10", token: str = "") -> web.Response:
    metadata = {"resourceVersion": version, **({"continue": token} if token else {})}
    return web.json_response({"metadata": metadata, "items": [item(name) for name in names]})


def item(name: str, version: str = "1") -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": version}}


def event(kind: str, name: str, version: str) -> dict[str, Any]:
    return {"type": kind, "object": item(name, version)}


def error(code: int, message: str = "it said so") -> dict[str, Any]:
    return {"type": "ERROR", "object": {"kind": "Status", "code": code, "message": message}}


class Server:
    """Answers requests in the order of a script: a Response, or the events of a watch (None: keep it open)."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[dict[str, str]] = []
        self._end = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.query))
        step = self.script.pop(0) if self.script else [None]
        if isinstance(step, web.Response):
            return step
        stream = web.StreamResponse()
        await stream.prepare(request)
        for one in step:
            if one is None:
                await self._end.wait()
            elif isinstance(one, bytes):
                await stream.write(one)
            else:
                await stream.write(json.dumps(one).encode() + b"\n")
        return stream

    def close(self) -> None:
        self._end.set()


@asynccontextmanager
async def following(*script: web.Response | list[Any]) -> AsyncIterator[tuple[Server, AsyncIterator[Change]]]:
    server = Server(list(script))
    app = web.Application()
    app.router.add_get("/api/v1/configmaps", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]

    async def login() -> Login:
        return Login(server=f"http://127.0.0.1:{port}", authorization=Secret("Bearer x"))

    try:
        async with (
            Connection("test", login) as connection,
            aclosing(follow(connection, CONFIG_MAPS, "a=b")) as changes,
        ):
            yield server, changes
    finally:
        server.close()
        await runner.cleanup()


async def heard(changes: AsyncIterator[Change], until: Callable[[list[Change]], bool]) -> list[Change]:
    found: list[Change] = []
    async with asyncio.timeout(30):
        async for change in changes:
            found.append(change)
            if until(found):
                return found
    return found


def kinds(changes: list[Change]) -> list[str]:
    return [type(one).__name__ for one in changes]


async def test_a_list_comes_page_by_page_and_the_watch_goes_on_from_it() -> None:
    script = (page("a", token="more"), page("b"), [event("ADDED", "c", "11"), event("DELETED", "a", "12"), None])
    async with following(*script) as (server, changes):
        found = await heard(changes, lambda seen: isinstance(seen[-1], Unseen))
    assert kinds(found) == ["Page", "Page", "Listed", "Seen", "Unseen"]
    assert [one.is_first for one in found if isinstance(one, Page)] == [True, False]
    assert server.asked[0] == {"labelSelector": "a=b", "limit": "500"}
    assert server.asked[1]["continue"] == "more"
    watch = server.asked[2]
    assert (watch["resourceVersion"], watch["allowWatchBookmarks"], watch["watch"]) == ("10", "true", "true")
    assert 240 <= int(watch["timeoutSeconds"]) <= 480


async def test_a_watch_that_breaks_is_resumed_at_the_last_bookmark() -> None:
    script = (page("a"), [event("BOOKMARK", "", "50")], [event("MODIFIED", "a", "51"), None])
    async with following(*script) as (server, changes):
        found = await heard(changes, lambda seen: isinstance(seen[-1], Seen))
    assert kinds(found) == ["Page", "Listed", "Seen"]  # one failure is no news
    assert server.asked[2]["resourceVersion"] == "50"


@pytest.mark.parametrize(
    "expired",
    [pytest.param([error(410)], id="as an event"), pytest.param(web.json_response({}, status=410), id="as an answer")],
)
async def test_a_version_that_is_too_old_lists_again(expired: Any) -> None:
    async with following(page("a"), expired, page("b"), [None]) as (server, changes):
        found = await heard(changes, lambda seen: kinds(seen).count("Listed") == 2)
    assert kinds(found) == ["Page", "Listed", "Page", "Listed"]
    assert [one.is_first for one in found if isinstance(one, Page)] == [True, True]
    assert "watch" not in server.asked[2]


async def test_a_page_token_that_expires_begins_the_list_anew() -> None:
    script = (page("a", token="more"), web.json_response({}, status=410), page("a"), [None])
    async with following(*script) as (_, changes):
        found = await heard(changes, lambda seen: isinstance(seen[-1], Listed))
    assert kinds(found) == ["Page", "Page", "Listed"]
    assert [one.is_first for one in found if isinstance(one, Page)] == [True, True]


async def test_the_second_failure_in_a_row_is_away_and_the_next_success_is_back() -> None:
    down = [web.json_response({"message": "overloaded"}, status=500) for _ in range(2)]
    async with following(page("a"), *down, [None]) as (_, changes):
        found = await heard(changes, lambda seen: isinstance(seen[-1], Back))
    assert kinds(found) == ["Page", "Listed", "Away", "Back"]
    away = found[2]
    assert isinstance(away, Away)
    assert "overloaded" in away.why
    assert not away.is_refused


async def test_what_we_may_not_list_is_away_at_once_and_refused() -> None:
    forbidden = web.json_response({"kind": "Status", "code": 403, "message": "configmaps is forbidden"}, status=403)
    async with following(forbidden) as (_, changes):
        found = await heard(changes, lambda _: True)
    assert found == [Away("403: configmaps is forbidden", is_refused=True)]


async def test_a_kind_that_is_not_served_ends_it() -> None:
    async with following(web.json_response({}, status=404)) as (_, changes):
        assert [one async for one in changes] == [Unserved()]


async def test_an_event_that_was_cut_off_is_heard_when_it_comes_again() -> None:
    half = json.dumps(event("MODIFIED", "a", "51")).encode()[:40]
    async with following(page("a"), [half], [event("MODIFIED", "a", "51"), None]) as (server, changes):
        found = await heard(changes, lambda seen: isinstance(seen[-1], Seen))
    assert kinds(found) == ["Page", "Listed", "Seen"]
    assert server.asked[2]["resourceVersion"] == "10"


async def test_what_is_no_json_is_a_failure_and_no_event() -> None:
    async with following(page("a"), [b"<html>\n"], [b"<html>\n"], [event("ADDED", "b", "11"), None]) as (_, changes):
        found = await heard(changes, lambda seen: isinstance(seen[-1], Seen))
    assert kinds(found)[:2] == ["Page", "Listed"]
    assert any(isinstance(one, Away) and "can't be read" in one.why for one in found)


async def test_a_line_larger_than_any_buffer_is_one_event() -> None:
    large = event("MODIFIED", "a", "51")
    large["object"]["data"] = "x" * 3_000_000
    async with following(page("a"), [large, None]) as (_, changes):
        found = await heard(changes, lambda seen: isinstance(seen[-1], Seen))
    last = found[-1]
    assert isinstance(last, Seen)
    assert len(bytes(last.object)) > 3_000_000
