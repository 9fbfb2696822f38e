"""One cluster's API server: every request has an answer, a deadline or an error with a name."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Final, Self

import aiohttp

from controller.model import ConvergeError, Transient
from controller.targets.kubernetes.credentials import Login, LoginSource
from controller.targets.kubernetes.exchange import JSON, Request, Response, Sender
from controller.targets.kubernetes.line import Line
from controller.targets.kubernetes.reaching import Reachability, Unreachable
from controller.targets.kubernetes.streams import NotSpoken

MEET_SECONDS: Final = 10.0  # for who answers at a new address to say who it is

__all__ = ["JSON", "Connection", "Request", "Response"]


def nobody_doubts() -> None:
    """Be told of a doubt in vain."""


async def whoever(_line: Sender, /) -> None:
    """Take whoever answers."""


class Connection:
    """An async context manager: `async with Connection(name, login_source) as connection`.

    Any HTTP status is an answer; no answer raises Transient (Unreachable where nothing could be asked). An answer of
    401 renews the login once, and so does a certificate that is refused in the handshake. `doubt` is called whenever
    the next one who answers may be another one: a login was renewed, a connection was lost, or a watch ended. Where a
    login leads elsewhere than the one before, `vet` asks who is there before anything else goes there, and what hangs
    on the old address ends.
    """

    def __init__(
        self,
        name: str,
        source: LoginSource,
        *,
        doubt: Callable[[], None] = nobody_doubts,
        vet: Callable[[Sender], Awaitable[None]] = whoever,
    ) -> None:
        self.name = name  # of the target, for messages
        self._source = source
        self._doubt = doubt
        self._vet = vet
        self.trouble = ""  # why the login in force stays, though the store has another one
        self.ways = 0  # how often the login came to lead elsewhere
        self._questions = self._answered = 0  # how often somebody asked for a look at the login, and had it
        self._moved = asyncio.Event()
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
            way = self.ways
            line = await self._ready()
            if way != self.ways:
                raise Transient(self._say(request, "the login leads elsewhere now"))
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

    def question(self) -> None:
        """Look at the login anew before the next request; where there is none to be had, the one in force stays."""
        self._questions += 1

    async def take_up(self) -> None:
        """Look at the login now, if somebody asked for that. Raises what keeps from using one that was taken up."""
        await self._ready()

    async def pause(self, seconds: float) -> None:
        """Wait before something is asked again; a login that leads elsewhere ends the wait."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._moved.wait()

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
        seen = self._line
        if seen is not None and seen.holds() and seen.is_met and self._questions == self._answered:
            return seen
        async with self._renewing:
            line = self._line
            if line is None or (line is seen and not line.holds()):
                line = await self._logged_in(line)
            elif self._questions != self._answered:
                line = await self._looked_at(line)
            if not line.is_met:
                await self._meet(line)
            return line

    async def _looked_at(self, line: Line) -> Line:
        """Take up the login that the store has now, or keep this one, and say why."""
        asked = self._questions
        try:
            line = await self._logged_in(line)
        except ConvergeError as error:
            self.trouble = str(error)
        self._answered = asked
        return line

    async def _logged_in(self, line: Line | None) -> Line:
        login = await self._source()
        self._doubt()
        if line is not None and line.login.tls == login.tls:
            line.take(login)
            self.trouble = ""
            return line
        fresh = Line(login)
        self.trouble = ""
        for old in self._retired:  # replaced at least one renewal ago: nothing in flight is that old
            await old.close()
        self._retired = [line] if line else []
        self._line = fresh
        if line is not None and line.login.way != login.way:
            fresh.is_met = False
            self.ways += 1
            await line.end()
        self._moved.set()
        self._moved = asyncio.Event()
        self._reachability.found()  # whether this address can be reached is another question
        return fresh

    async def _meet(self, line: Line) -> None:
        """Find out who answers at an address that nobody asked yet."""
        try:
            async with asyncio.timeout(MEET_SECONDS):
                await self._vet(line)
        except (aiohttp.ClientError, OSError) as error:
            raise self._lost(Request("GET", "/"), error) from error
        line.is_met = True

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
