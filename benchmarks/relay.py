"""A relay of bytes between a controller and a TLS server: it can't read what passes, and cuts what carries watches.

Which connections do is told in the clear: their ClientHello asks for HTTP/2 by ALPN (RFC 7301).
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

ASKS_FOR_HTTP_TWO: Final = b"\x02h2"
CHUNK: Final = 1 << 16


class Relay:
    """Use as `async with Relay(server, lifetime_seconds) as relay:`; lifetimes of watches are of that range."""

    def __init__(self, upstream: str, lifetime_seconds: tuple[float, float]) -> None:
        self._upstream = urlsplit(upstream)
        self._lifetime_seconds = lifetime_seconds
        self._passing: set[asyncio.Task[None]] = set()
        self.cuts = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)
        ends = [writer]
        try:
            far_reader, far_writer = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
            ends.append(far_writer)
            hello = await reader.read(CHUNK)
            far_writer.write(hello)
            has_watches = ASKS_FOR_HTTP_TWO in hello
            seconds = random.uniform(*self._lifetime_seconds) if has_watches else None
            await self._carry((reader, far_writer), (far_reader, writer), seconds=seconds)
        except OSError:
            pass  # as a wire: those at its ends see that it is cut
        finally:
            for end in ends:
                end.transport.abort()

    async def _carry(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter], seconds: float | None) -> None:
        """Pass both ways until one of them ends, or the time is over."""
        copies = [asyncio.create_task(_copied(*way)) for way in ways]
        try:
            done, _ = await asyncio.wait(copies, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            self.cuts += not done
        finally:
            for copy in copies:
                copy.cancel()
            await asyncio.gather(*copies, return_exceptions=True)


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
