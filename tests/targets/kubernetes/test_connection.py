"""What counts as an answer, what is asked again, and how a login is renewed."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from controller.model import Secret, Stalled, Transient
from controller.targets.kubernetes.connection import Connection, Request
from controller.targets.kubernetes.credentials import Login
from controller.targets.kubernetes.line import Rest
from tests.cluster.access import KubeAccess
from tests.targets.kubernetes.observing import login_to, pump

GET = Request("GET", "/x")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[Login]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield Login(server=f"http://127.0.0.1:{runner.addresses[0][1]}", authorization=Secret("Bearer first"))
    finally:
        await runner.cleanup()


def source(*logins: Login) -> Callable[[], Awaitable[Login]]:
    """Give one login after the other, the last one again and again."""
    waiting = list(logins)

    async def login() -> Login:
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    return login


async def test_a_request_goes_out_as_it_is_said() -> None:
    async def echo(request: web.Request) -> web.Response:
        said = f"{request.method} {request.path_qs} {request.content_type} {request.headers['Authorization']} "
        return web.Response(status=418, body=said.encode() + await request.read())

    async with served(echo) as login, Connection("t", source(login)) as connection:
        request = Request("PATCH", "/a/b", (("k", "v w"), ("k", "&")), b"{}", "application/apply-patch+yaml")
        answer = await connection.send(request)
    assert answer.status == 418  # any status is an answer
    assert answer.body == b"PATCH /a/b?k=v+w&k=%26 application/apply-patch+yaml Bearer first {}"


async def test_a_server_that_is_not_there_is_transient() -> None:
    login = Login(server="http://127.0.0.1:1")
    async with Connection("hz", source(login)) as connection:
        with pytest.raises(Transient, match="hz: GET /x: "):
            await connection.send(GET)
        with pytest.raises(Transient, match="hz: GET /x: "):
            async for _ in connection.watch(GET):
                pass


async def test_a_server_that_does_not_answer_is_transient_at_the_deadline() -> None:
    async def never(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async with served(never) as login, Connection("t", source(login)) as connection:
        with pytest.raises(Transient, match=r"no answer within 0\.05 s"):
            await connection.send(GET, deadline_seconds=0.05)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_throttled_request_is_sent_again_when_the_server_said(status: int) -> None:
    answers = [web.Response(status=status, headers={"Retry-After": "1"}), web.Response(body=b"ok")]

    async def throttle(_: web.Request) -> web.Response:
        return answers.pop(0)

    async with served(throttle) as login, Connection("t", source(login)) as connection:
        assert (await connection.send(GET)).body == b"ok"


async def test_a_throttled_request_whose_deadline_is_too_near_is_answered_as_it_is() -> None:
    async def throttle(_: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "60"})

    async with served(throttle) as login, Connection("t", source(login)) as connection:
        answer = await connection.send(GET, deadline_seconds=5)
    assert (answer.status, answer.retry_after_seconds) == (429, 60)


async def test_a_503_that_does_not_say_when_is_an_answer() -> None:
    asked = []

    async def down(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=503)

    async with served(down) as login, Connection("t", source(login)) as connection:
        assert (await connection.send(GET)).status == 503
    assert asked == ["/x"]


async def test_a_401_renews_the_login_once() -> None:
    seen = []

    async def guard(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.Response(status=200 if seen[-1] == "Bearer second" else 401)

    async with served(guard) as login:
        second = replace(login, authorization=Secret("Bearer second"))
        async with Connection("t", source(login, second)) as connection:
            assert (await connection.send(GET)).status == 200
        async with Connection("t", source(login)) as connection:
            assert (await connection.send(GET)).status == 401
    assert seen == ["Bearer first", "Bearer second", "Bearer first", "Bearer first"]


async def test_a_login_that_is_about_to_expire_is_renewed_before_it_is_used() -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=request.headers["Authorization"].encode())

    async with served(echo) as login:
        old = replace(login, expires_at=1.0)
        fresh = replace(login, authorization=Secret("Bearer fresh"))
        async with Connection("t", source(old, fresh)) as connection:
            await connection.send(GET)
            assert (await connection.send(GET)).body == b"Bearer fresh"


async def test_a_token_file_gives_the_token(tmp_path: Path) -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=request.headers["Authorization"].encode())

    (tmp_path / "token").write_text("abc\n")
    async with served(echo) as login:
        by_file = replace(login, authorization=None, token_path=str(tmp_path / "token"))
        async with Connection("t", source(by_file)) as connection:
            assert (await connection.send(GET)).body == b"Bearer abc"
        missing = replace(by_file, token_path=str(tmp_path / "missing"))
        async with Connection("t", source(missing)) as connection:
            with pytest.raises(Stalled, match="token file can't be read"):
                await connection.send(GET)


async def test_no_way_to_log_in_is_stalled() -> None:
    async def refuse() -> Login:
        raise Stalled("no such context")

    async with Connection("t", refuse) as connection:
        with pytest.raises(Stalled, match="no such context"):
            await connection.send(GET)


async def test_a_watch_that_is_refused_gives_one_error_event() -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=429, body=b"Too many requests", headers={"Retry-After": "7"})

    async with served(refuse) as login, Connection("t", source(login)) as connection:
        events = [line async for line in connection.watch(GET)]
    assert len(events) == 1
    assert b'"code":429' in events[0]
    assert b'"retryAfterSeconds":7' in events[0]


@pytest.mark.cluster
async def test_a_certificate_that_nobody_trusts_is_said(cluster: KubeAccess) -> None:
    login = replace(await login_to(cluster)(), ca=b"")
    async with Connection("t", source(login)) as connection:
        with pytest.raises(Transient, match="certificate is not trusted"):
            await connection.send(Request("GET", "/version"))
        with pytest.raises(Transient, match="certificate is not trusted"):
            async for _ in connection.watch(Request("GET", "/version")):
                pass


@pytest.mark.cluster
async def test_a_login_with_another_authority_opens_new_connections(cluster: KubeAccess) -> None:
    good = await login_to(cluster)()
    wrong = replace(good, ca=b"", expires_at=1.0)
    async with Connection("t", source(wrong, good)) as connection:
        with pytest.raises(Transient):
            await connection.send(Request("GET", "/version"))
        assert (await connection.send(Request("GET", "/version"))).status == 200


async def test_certificates_that_are_none_are_stalled() -> None:
    login = Login(server="https://127.0.0.1:1", ca=b"no certificate")
    async with Connection("t", source(login)) as connection:
        with pytest.raises(Stalled, match="certificates can't be used"):
            await connection.send(GET)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"a\nb\n"], [b"a", b"b"]),
        ([b"a", b"b", b"c\nd", b"\n"], [b"abc", b"d"]),
        ([b"a\nrest"], [b"a"]),
        ([b"\n\n"], [b"", b""]),
        ([], []),
    ],
)
def test_lines_are_cut_wherever_the_chunks_end(chunks: list[bytes], expected: list[bytes]) -> None:
    rest = Rest()
    assert [line for chunk in chunks for line in reversed(rest.cut(chunk))] == expected


@pytest.mark.cluster
async def test_a_proxy_of_the_kubeconfig_carries_requests_and_watches(cluster: KubeAccess) -> None:
    connected = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).split()
        connected.append(head[:2])
        host, _, port = head[1].decode().rpartition(":")
        up_reader, up_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))
        finally:
            writer.transport.abort()
            up_writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    login = replace(await login_to(cluster)(), proxy=f"http://127.0.0.1:{port}")
    async with server, Connection("t", source(login)) as connection:
        assert (await connection.send(Request("GET", "/version"))).status == 200
        watch = connection.watch(Request("GET", "/api/v1/secrets", (("watch", "1"), ("timeoutSeconds", "30"))))
        assert await anext(watch) == b""
        await watch.aclose()
    assert {method for method, _ in connected} == {b"CONNECT"}


@pytest.mark.cluster
async def test_a_key_pair_is_loaded_and_a_wrong_one_is_stalled(cluster: KubeAccess) -> None:
    assert cluster.ca is not None
    folder = cluster.ca.parent
    certificate, key = (folder / "server.crt").read_bytes(), (folder / "server.key").read_bytes()
    good = replace(await login_to(cluster)(), certificate=certificate, key=Secret(key))
    async with Connection("t", source(good)) as connection:
        assert (await connection.send(Request("GET", "/version"))).status == 200
    wrong = replace(good, certificate=cluster.ca.read_bytes())
    async with Connection("t", source(wrong)) as connection:
        with pytest.raises(Stalled, match="certificates can't be used"):
            await connection.send(Request("GET", "/version"))


@pytest.mark.cluster
async def test_requests_that_are_cancelled_leave_no_socket_open(cluster: KubeAccess) -> None:
    login = await login_to(cluster)()
    for delay_ms in range(60):  # over a TLS handshake and what follows it
        async with Connection("t", source(login)) as connection:
            asking = asyncio.create_task(connection.send(Request("GET", "/version")))
            await asyncio.wait((asking,), timeout=delay_ms / 4000)
            asking.cancel()
            await asyncio.wait((asking,))
        assert not connected_to(cluster), f"cancelled after {delay_ms / 4} ms"


def connected_to(cluster: KubeAccess) -> list[socket.socket]:
    """Give this process' open sockets whose other end is the cluster's API server."""
    server = int(cluster.server.rpartition(":")[2])
    return [one for one in gc.get_objects() if type(one) is socket.socket and peer_port(one) == server]


def peer_port(one: socket.socket) -> int:
    if one.family != socket.AF_INET:
        return 0
    try:
        return int(one.getpeername()[1])
    except OSError:  # closed, or not connected
        return 0
