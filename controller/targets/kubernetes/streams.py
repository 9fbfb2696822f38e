"""Many idle streams of few HTTP/2 connections: what watches of a TLS cluster run on.

The API server allows about a hundred streams on a connection and lets the next one wait for ever, so another connection
is opened in time. Every stream gets its bytes as they arrive, whoever else is silent: general HTTP clients read a
shared connection on behalf of whichever stream waited first, so that an event of one idle watch lies undelivered until
the others hear something. Hence h2 directly.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from typing import Final, cast
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from controller.model import Transient

STREAMS: Final = 90  # per connection; API servers allow 100 by default and less by configuration
STREAM_WINDOW_BYTES: Final = 1 << 20  # what a slow reader may leave unread before its stream, and only that, is held
CONNECTION_WINDOW_BYTES: Final = 1 << 24
CONNECT_SECONDS: Final = 10.0
QUIET_SECONDS: Final = 30.0  # silence after which a ping asks whether the peer lives (as client-go's ReadIdleTimeout)
PING_SECONDS: Final = 15.0  # and how long its answer may take

Headers = Sequence[tuple[str, str]]


class NotSpoken(Exception):
    """The server does not speak HTTP/2."""


class Stream:
    """One request and the bytes of its answer. The reader is one task."""

    def __init__(self, connection: HttpTwoConnection, stream_id: int) -> None:
        self._connection = connection
        self._id = stream_id
        self._chunks: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._is_ended = False
        self._failure = ""
        self.status = 0
        self.retry_after = ""

    async def headers(self) -> int:
        """Wait for the answer's status."""
        while not self.status:
            if self._is_ended:
                raise Transient(self._failure or "the stream ended before it was answered")
            await self._wait()
        return self.status

    async def chunk(self) -> bytes:
        """Give the next bytes of the body, none at its end; raises Transient when the connection is lost."""
        while True:
            if self._chunks:
                chunk = self._chunks.popleft()
                self._connection.consumed(self._id, len(chunk))
                return chunk
            if self._failure:
                raise Transient(self._failure)
            if self._is_ended:
                return b""
            await self._wait()

    async def body(self) -> bytes:
        """Give all that is left of the body. Raises as `chunk`."""
        parts = []
        while chunk := await self.chunk():
            parts.append(chunk)
        return b"".join(parts)

    def close(self) -> None:
        """Tell the server that nobody reads any more."""
        self._connection.forget(self._id, is_ended=self._is_ended)

    def feed(self, data: bytes) -> None:
        self._chunks.append(data)
        self._wake()

    def answer(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
        self.status = int(fields.get(":status", "0"))
        self.retry_after = fields.get("retry-after", "")
        self._wake()

    def end(self, failure: str = "") -> None:
        self._is_ended = True
        self._failure = failure
        self._wake()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class HttpTwoConnection(asyncio.Protocol):
    """One TLS connection and its streams. Owned by `HttpTwoStreams`."""

    def __init__(self, authority: str) -> None:
        self._authority = authority
        self._state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
        self._streams: dict[int, Stream] = {}
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._is_closing = False

    @property
    def has_room(self) -> bool:
        limit = min(STREAMS, self._state.remote_settings.max_concurrent_streams)
        return not self._is_closing and len(self._streams) < limit

    @property
    def is_idle(self) -> bool:
        return not self._streams

    def open(self, path: str, headers: Headers) -> Stream:
        """Send a GET. The caller has seen `has_room` since it last waited for anything."""
        stream_id = self._state.get_next_available_stream_id()
        stream = Stream(self, stream_id)
        fields = [(":method", "GET"), (":scheme", "https"), (":authority", self._authority), (":path", path), *headers]
        self._state.send_headers(stream_id, fields, end_stream=True)
        self._streams[stream_id] = stream
        self._flush()
        return stream

    def consumed(self, stream_id: int, size: int) -> None:
        if stream_id in self._streams and size:
            try:
                self._state.increment_flow_control_window(size, stream_id)
            except (h2.exceptions.StreamClosedError, h2.exceptions.ProtocolError):
                return  # it ended meanwhile: nothing more will come
            self._flush()

    def forget(self, stream_id: int, *, is_ended: bool) -> None:
        if self._streams.pop(stream_id, None) is None or is_ended or self._is_closing:
            return
        try:
            self._state.reset_stream(stream_id, error_code=h2.errors.ErrorCodes.CANCEL)
        except (h2.exceptions.StreamClosedError, h2.exceptions.ProtocolError):
            return
        self._flush()

    def close(self) -> None:
        self._lose("the connection was closed by us")

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports have the methods, not the class
        # Set, not updated: an update would send its frame before the preface.
        self._state.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                h2.settings.SettingCodes.ENABLE_PUSH: 0,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW_BYTES,
            },
        )
        self._state.initiate_connection()
        self._state.increment_flow_control_window(CONNECTION_WINDOW_BYTES)
        self._flush()
        self._timer = self._loop.call_later(QUIET_SECONDS, self._check)

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        try:
            events = self._state.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            self._lose(f"the server broke the HTTP/2 protocol: {error}")
            return
        for event in events:
            self._hear(event)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(f"the connection was lost: {exc}" if exc else "the server closed the connection")

    def _hear(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            # GOAWAY: streams that are open may end in peace; no new one is begun here.
            self._is_closing = True
            return
        stream = self._streams.get(getattr(event, "stream_id", 0) or 0)
        if isinstance(event, h2.events.DataReceived):
            # The connection's window is opened at once, a stream's when its reader took the bytes.
            if event.flow_controlled_length:
                self._state.increment_flow_control_window(event.flow_controlled_length)
            if stream and event.data:
                stream.feed(event.data)
        elif stream is None:
            return
        elif isinstance(event, h2.events.ResponseReceived):
            stream.answer(event.headers or [])
        elif isinstance(event, h2.events.StreamEnded):
            stream.end()
        elif isinstance(event, h2.events.StreamReset):
            stream.end(f"the server reset the stream ({event.error_code})")

    def _check(self) -> None:
        quiet = self._loop.time() - self._heard_at
        if quiet >= QUIET_SECONDS + PING_SECONDS:
            self._lose(f"the server was silent for {quiet:.0f} s and did not answer a ping")
            return
        if quiet >= QUIET_SECONDS:
            self._state.ping(b"converge")
            self._flush()
            self._timer = self._loop.call_later(PING_SECONDS, self._check)
        else:
            self._timer = self._loop.call_later(QUIET_SECONDS - quiet, self._check)

    def _lose(self, why: str) -> None:
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()  # nothing is lost: a watch that ends early is resumed where it was
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.end(why)

    def _flush(self) -> None:
        data = self._state.data_to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


class HttpTwoStreams:
    """The connections to one server, as many as its streams need."""

    def __init__(self, server: str, context: ssl.SSLContext, *, server_name: str = "") -> None:
        parts = urlsplit(server)
        self._host = parts.hostname or ""
        self._port = parts.port or 443
        self._authority = parts.netloc.rpartition("@")[2]
        self._context = context
        self._server_name = server_name or self._host
        self._connections: list[HttpTwoConnection] = []
        self._connecting = asyncio.Lock()

    async def open(self, path: str, headers: Headers) -> Stream:
        """Begin a GET. Raises NotSpoken, and OSError or TimeoutError when the server can't be reached."""
        async with self._connecting:
            self._connections = [one for one in self._connections if one.has_room or not one.is_idle]
            for connection in self._connections:
                if connection.has_room:
                    return connection.open(path, headers)
            connection = await self._connect()
            self._connections.append(connection)
            return connection.open(path, headers)

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    async def _connect(self) -> HttpTwoConnection:
        async with asyncio.timeout(CONNECT_SECONDS):
            transport, connection = await asyncio.get_running_loop().create_connection(
                lambda: HttpTwoConnection(self._authority),
                self._host,
                self._port,
                ssl=self._context,
                server_hostname=self._server_name,
            )
        tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
        if tls.selected_alpn_protocol() != "h2":
            connection.close()
            raise NotSpoken
        return connection
