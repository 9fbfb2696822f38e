"""The sessions that carry requests and watches for one TLS identity, and the headers of who we are.

Requests go over HTTP/1.1 with kept-alive connections (aiohttp); watches of a TLS cluster are streams of few HTTP/2
connections (`streams.py`), because an idle TLS connection costs asyncio a quarter of a megabyte and a stream a few KB.
"""

from __future__ import annotations

import asyncio
import socket
import time
import weakref
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import orjson
from yarl import URL

from controller.model import Stalled
from controller.targets.kubernetes.credentials import Login
from controller.targets.kubernetes.exchange import Request, Response
from controller.targets.kubernetes.streams import HttpTwoStreams, NotSpoken
from controller.targets.kubernetes.tls import tls_context

CONNECTIONS: Final = 32  # requests in flight per cluster
CONNECT_SECONDS: Final = 10.0
CLOSING_TURNS: Final = 100  # of the loop, which closes a socket a few turns after its stream's end
IDLE_SECONDS: Final = 30.0  # a connection that nobody used for this long is closed
TOKEN_SECONDS: Final = 60.0  # a token file is read again after this, as client-go does
RENEW_SECONDS: Final = 60.0  # a login is renewed this long before it expires


class Line:
    """Made from a login; takes a renewed one as long as its TLS identity stays the same."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self.login_expires_at = 0.0
        self._token = ""
        self._token_read_at = 0.0
        is_tls = urlsplit(login.server).scheme == "https"
        self._context = tls_context(login) if is_tls else None
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                limit_per_host=0,
                ssl=self._context or True,
                keepalive_timeout=IDLE_SECONDS,
                socket_factory=self._socket,
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._streams: HttpTwoStreams | None = None
        self._watches: set[aiohttp.ClientResponse] = set()
        self._under_way = 0  # requests that were not answered yet
        self.is_ended = False
        self.is_met = True  # False: nobody asked yet who answers
        if self._context is not None and not login.proxy:
            watching = tls_context(login, protocols=("h2", "http/1.1"))
            self._streams = HttpTwoStreams(login.server, watching, server_name=login.server_name)
        self.take(login)

    def take(self, login: Login) -> None:
        """Use a renewed login over the connections there are."""
        self.login = login
        self.login_expires_at = login.expires_at - RENEW_SECONDS if login.expires_at else float("inf")
        self._token_read_at = 0.0

    def holds(self) -> bool:
        return time.time() < self.login_expires_at

    async def send(self, request: Request) -> Response:
        self._under_way += 1
        try:
            async with self._slots, self._exchange(request) as answer:
                body = await answer.read()
                return Response(answer.status, body, _seconds(answer.headers.get("Retry-After", "")))
        finally:
            self._under_way -= 1
            await self._close_when_done()

    def watch(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Give the lines of a watch. Raises NotSpoken once where the server speaks no HTTP/2: ask again."""
        return self._watch_streams(request) if self._streams else self._watch_session(request)

    async def end(self) -> None:
        """End what watches over it now, and the connections when the requests under way have their answers."""
        self.is_ended = True
        if self._streams is not None:
            self._streams.close()
        for answer in tuple(self._watches):
            answer.close()
        await self._close_when_done()

    async def _close_when_done(self) -> None:
        if self.is_ended and not self._under_way:
            await self.close()

    async def close(self) -> None:
        if self._streams is not None:
            self._streams.close()
        await self._session.close()
        await self._end_sockets()

    async def _end_sockets(self) -> None:
        """Wait until no socket is open.

        A request cancelled just after its TLS handshake leaves asyncio waiting half a minute for the peer's farewell:
        the end of the stream is the farewell that it gets.
        """
        for made in tuple(self._sockets):
            with suppress(OSError):  # closed already, or never connected
                made.shutdown(socket.SHUT_RDWR)
        for _ in range(CLOSING_TURNS):
            if all(made.fileno() < 0 for made in tuple(self._sockets)):
                return
            await asyncio.sleep(0)

    def _socket(self, address: tuple[int, int, int, str, Any]) -> socket.socket:
        """Make a socket that notices a peer which vanished without a word, within about a minute."""
        family, kind, protocol, _, _ = address
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
            option = getattr(socket, name, None)  # not on every system
            if option is not None:
                made.setsockopt(socket.IPPROTO_TCP, option, value)
        self._sockets.add(made)
        return made

    def _exchange(self, request: Request) -> aiohttp.client._RequestContextManager:
        return self._session.request(
            request.method,
            URL(self.login.server + request.target, encoded=True),
            data=request.body or None,
            headers=dict(self._headers(request)),
            allow_redirects=False,
            proxy=self.login.proxy or None,
            server_hostname=self.login.server_name or None,
        )

    async def _watch_session(self, request: Request) -> AsyncGenerator[bytes, None]:
        async with self._exchange(request) as answer:
            if answer.status != 200:
                yield _refusal(answer.status, await answer.read(), answer.headers.get("Retry-After", ""))
                return
            self._watches.add(answer)
            try:
                yield b""
                rest = Rest()
                while chunk := await answer.content.readany():
                    lines = rest.cut(chunk)
                    del chunk  # an idle watch shall hold nothing of what it said last
                    while lines:
                        yield lines.pop()
            finally:
                self._watches.discard(answer)

    async def _watch_streams(self, request: Request) -> AsyncGenerator[bytes, None]:
        assert self._streams is not None  # noqa: S101 - asked by the caller
        path = urlsplit(self.login.server).path + request.target
        try:
            stream = await self._streams.open(path, [(name.lower(), value) for name, value in self._headers(request)])
        except NotSpoken:
            self._streams = None
            raise
        try:
            async with asyncio.timeout(CONNECT_SECONDS * 3):
                status = await stream.headers()
            if status != 200:
                yield _refusal(status, await stream.body(), stream.retry_after)
                return
            yield b""
            rest = Rest()
            while chunk := await stream.chunk():
                lines = rest.cut(chunk)
                del chunk
                while lines:
                    yield lines.pop()
        finally:
            stream.close()

    def _headers(self, request: Request) -> list[tuple[str, str]]:
        headers = [("Accept", request.accept), ("User-Agent", "converge")]
        if request.content_type:
            headers.append(("Content-Type", request.content_type))
        if request.account:  # its groups are known to the server
            headers.append(("Impersonate-User", f"system:serviceaccount:{request.account}"))
        authorization = self._authorization()
        if authorization:
            headers.append(("Authorization", authorization))
        return headers

    def _authorization(self) -> str:
        if not self.login.token_path:
            return self.login.authorization.reveal_text() if self.login.authorization else ""
        now = time.monotonic()
        if not self._token_read_at or now - self._token_read_at > TOKEN_SECONDS:
            self._token = read_token(self.login.token_path)
            self._token_read_at = now
        return f"Bearer {self._token}"


def read_token(path: str) -> str:
    """Read a token file: small, local and renewed by the kubelet or a sidecar. Raises Stalled when it can't be read."""
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise Stalled(f"{path}: the token file can't be read: {error.strerror}. Mount it again.") from error


class Rest:
    """Cuts a stream into its lines, without their ends; a last line that was cut off is dropped with it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def cut(self, chunk: bytes) -> list[bytes]:
        """Give the lines that a chunk completes, the last one first."""
        *whole, rest = chunk.split(b"\n")
        if whole and self._parts:
            whole[0] = b"".join((*self._parts, whole[0]))
            self._parts = []
        if rest:
            self._parts.append(rest)
        whole.reverse()
        return whole


def _refusal(status: int, body: bytes, retry_after: str) -> bytes:
    return orjson.dumps(
        {
            "type": "ERROR",
            "object": {
                "kind": "Status",
                "code": status,
                "message": body[:2000].decode(errors="replace").strip(),
                "details": {"retryAfterSeconds": _seconds(retry_after)},
            },
        }
    )


def _seconds(retry_after: str) -> float:
    return float(retry_after) if retry_after.isdigit() else 0.0
