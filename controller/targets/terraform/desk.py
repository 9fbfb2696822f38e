"""A back-end of states on loopback, as Terraform's `http` back-end speaks to one: GET, POST, LOCK, UNLOCK.

Every run gets an address, a user and a password of its own, in its environment, which end with it. So nobody else on
the machine reads a state here, and a lock lives no longer than the run that took it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Self

import structlog
from aiohttp import BasicAuth, web

from controller.model import ConvergeError, Stalled
from controller.targets.terraform.keeping import Drawer, Session, Visit

LARGEST_BYTES: Final = 256 << 20
_USER: Final = "converge"
log = structlog.get_logger()


@dataclass(slots=True)
class _Open:
    visit: Visit
    session: Session
    password: str
    refused: str = ""  # the method that was


class Desk:
    """Use as `async with Desk() as desk:`."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        application = web.Application(client_max_size=LARGEST_BYTES)
        application.router.add_route("*", "/{name}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        self._url = ""

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()

    @asynccontextmanager
    async def session(self, drawer: Drawer) -> AsyncIterator[Session]:
        """Serve one run. Raises Transient, Stalled, where no run may begin."""
        drawer.keeper.check(drawer.placement)
        name, password = secrets.token_hex(8), secrets.token_urlsafe(32)
        address = f"{self._url}/{name}"
        session = Session(
            {
                "TF_HTTP_ADDRESS": address,
                "TF_HTTP_LOCK_ADDRESS": address,
                "TF_HTTP_UNLOCK_ADDRESS": address,
                "TF_HTTP_USERNAME": _USER,
                "TF_HTTP_PASSWORD": password,
                "TF_HTTP_RETRY_MAX": "2",
                "TF_HTTP_RETRY_WAIT_MIN": "1",
                "TF_HTTP_RETRY_WAIT_MAX": "5",
            }
        )
        visit = Visit(drawer)
        self._open[name] = _Open(visit, session, password)
        try:
            yield session
        finally:
            del self._open[name]
            visit.end()

    async def _answer(self, request: web.Request) -> web.Response:
        one = self._open.get(request.match_info["name"])
        if one is None or not _is_allowed(request, one.password):
            return web.Response(status=401)
        try:
            response = await _serve(request, one.visit)
        except ConvergeError as error:
            one.session.trouble, one.refused = error, request.method
            log.warning("state.refused", method=request.method, reason=str(error))
            return web.Response(status=409 if isinstance(error, Stalled) else 503)
        if one.refused == request.method:  # tried again; a run that was refused its state still unlocks it
            one.session.trouble = None
        return response


def _is_allowed(request: web.Request, password: str) -> bool:
    try:
        shown = BasicAuth.decode(request.headers.get("Authorization", ""))
    except ValueError:
        return False
    return shown.login == _USER and hmac.compare_digest(shown.password.encode(), password.encode())


async def _serve(request: web.Request, visit: Visit) -> web.Response:
    body = await request.read()
    match request.method:
        case "GET":
            data = await visit.read()
            return web.Response(status=204) if data is None else web.Response(body=data)
        case "POST":
            await visit.write(body)
        case "LOCK":
            held = visit.take_lock(body)
            if held is not None:
                return web.Response(status=423, body=held)
        case "UNLOCK":
            visit.end()
        case _:
            return web.Response(status=405)
    return web.Response()
