"""One cluster's API server: every request has an answer, a deadline or an error with a name."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Self

import aiohttp

from controller.model import Transient
from controller.targets.kubernetes.credentials import Login, LoginSource
from controller.targets.kubernetes.exchange import JSON, Request, Response
from controller.targets.kubernetes.line import Line
from controller.targets.kubernetes.reaching import Reachability, Unreachable
from controller.targets.kubernetes.streams import NotSpoken

__all__ = ["JSON", "Connection", "Request", "Response"]


def nobody_doubts() -> None:
    """Be told of a doubt in vain."""


class Connection:
    """An async context manager: `async with Connection(name, login_source) as connection`.

    Any HTTP status is an answer; no answer raises Transient (Unreachable where nothing could be asked). An answer of
    401 renews the login once, and so does a certificate that is refused in the handshake. `doubt` is called whenever
    the next one who answers may be another one: a login was renewed, a connection was lost, or a watch ended.
    """

    def __init__(self, name: str, source: LoginSource, *, doubt: Callable[[], None] = nobody_doubts) -> None:
        self.name = name  # of the target, for messages
        self._source = source
        self._doubt = doubt
        self._line: Line | None = None
        self._retired: list[Line] = []
        self._renewing = asyncio.Lock()
        self._reachability = Reachability()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        lines = [*self._retired, *([self._line] if self._line else [])]
        self._line, self._retired = None, []
        for line in lines:
            await line.close()

    async def send(self, request: Request, *, deadline_seconds: float = 30.0) -> Response:
        """Ask, and wait for the answer. Raises Transient without one, Stalled when there is no way to log in.

        429 and 503 that say when to come back (the server did nothing then) are asked again within the deadline.
        """
        until = asyncio.get_running_loop().time() + deadline_seconds
        try:
            async with asyncio.timeout_at(until):
                return await self._send(request, until)
        except TimeoutError as error:
            raise Transient(self._say(request, f"no answer within {deadline_seconds:g} s")) from error

    async def watch(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Give one JSON line per event until the server ends the stream; raises Transient when it is lost.

        An empty line comes first, when the server has accepted the watch: an idle one is silent for long. An answer
        that is no stream comes as the one ERROR event that it is, its Status holding the HTTP code.
        """
        is_accepted = False
        while not is_accepted:
            line = await self._ready()
            try:
                async with aclosing(line.watch(request)) as events:
                    async for event in events:
                        if not is_accepted:
                            is_accepted = True
                            self._reachability.found()
                        yield event
                        del event  # an idle watch holds nothing of what it said last
            except NotSpoken:
                continue
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                if is_accepted:
                    raise Transient(self._say(request, _reason(error))) from error
                raise self._lost(request, error) from error
            finally:
                self._doubt()

    async def turn(self) -> None:
        """After Unreachable: return when the server is there again, or when it is the caller's turn to find out."""
        await self._reachability.turn()

    async def _send(self, request: Request, until: float) -> Response:
        may_renew = True
        while True:
            line = await self._ready()
            try:
                response = await line.send(request)
            except (aiohttp.ClientError, OSError) as error:
                self._doubt()
                if may_renew and _is_refusal(error):
                    may_renew = False
                    line.login_expires_at = 0.0
                    continue
                if _may_be_refusal(error, line.login):
                    line.login_expires_at = 0.0
                if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
                    raise self._lost(request, error) from error
                raise Transient(self._say(request, _reason(error))) from error
            self._reachability.found()
            if response.status == 401 and may_renew:
                may_renew = False
                line.login_expires_at = 0.0
                continue
            wait = response.retry_after_seconds * random.uniform(1.0, 1.3)  # noqa: S311 - jitter
            is_deferred = response.status in {429, 503} and wait
            if not is_deferred or asyncio.get_running_loop().time() + wait > until:
                return response
            await asyncio.sleep(wait)

    async def _ready(self) -> Line:
        """Give a line with a login that holds, made or renewed when need be."""
        line = self._line
        if line is not None and line.holds():
            return line
        async with self._renewing:
            if self._line is not line and self._line is not None:
                return self._line  # another task renewed it meanwhile
            login = await self._source()
            self._doubt()
            if line is not None and line.login.tls == login.tls:
                line.take(login)
                return line
            for old in self._retired:  # replaced at least one renewal ago: nothing in flight is that old
                await old.close()
            self._retired = [line] if line else []
            self._line = Line(login)
            return self._line

    def _lost(self, request: Request, error: Exception) -> Unreachable:
        self._reachability.lost()
        return Unreachable(self._say(request, _reason(error)))

    def _say(self, request: Request, why: str) -> str:
        return f"{self.name}: {request.method} {request.path}: {why}"


def _is_refusal(error: BaseException | None) -> bool:
    """Tell whether the peer ended a handshake by an alert (RFC 8446 §6.2): it will not have our certificate."""
    while error is not None:
        if isinstance(error, ssl.SSLError) and "ALERT" in (getattr(error, "reason", "") or ""):
            return True
        error = error.__cause__
    return False


def _may_be_refusal(error: Exception, login: Login) -> bool:
    """Tell whether the peer may have refused a certificate after the handshake (TLS 1.3), its alert lost with a reset.

    What was sent may have been taken nevertheless: it is not sent again by itself.
    """
    is_cut = isinstance(error, aiohttp.ServerDisconnectedError) or isinstance(error.__cause__, ConnectionResetError)
    return bool(login.certificate) and is_cut and not isinstance(error, aiohttp.ClientConnectorError)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        # aiohttp's own error of this kind holds the reason inside
        cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLCertVerificationError) else error
        return f"the server's certificate is not trusted: {getattr(cause, 'verify_message', '') or cause}"
    if isinstance(error, TimeoutError):
        return "no connection or answer in time"
    return str(error) or type(error).__name__
