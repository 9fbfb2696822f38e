"""What exporters say, carried: to an HTTP end point, or onto a branch."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from controller.engine.backoff import backoff_seconds
from controller.git import Files
from controller.model import Export, JsonValue, Stalled, Transient
from controller.records.exporters import RefusedError, Reply, Request, Talk
from controller.runtime import Clock, Credential

if TYPE_CHECKING:
    import aiohttp

DEADLINE_SECONDS: Final = 30.0
ATTEMPTS: Final = 6
ANSWER_BYTES: Final = 16 << 20
GONE: Final = 404
AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class EndPoint:
    """One end point. Redirects are not followed: the token is for this host alone."""

    def __init__(self, export: Export, credential: Callable[[], Credential | None], clock: Clock) -> None:
        self._export = export
        self._credential = credential
        self._clock = clock

    async def carry(self, talk: Talk) -> None:
        """Carry a talk to its end. Raises Stalled for what is refused, Transient when no answer came."""
        import aiohttp  # noqa: PLC0415  a tenth of a second that a command doesn't have

        credential = self._credential()
        timeout = aiohttp.ClientTimeout(total=DEADLINE_SECONDS)
        connector = aiohttp.TCPConnector(ssl=_tls(credential), limit=1)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session:
            try:
                request = next(talk)
                while True:
                    request = talk.send(await self._ask(session, request, _headers(credential)))
            except StopIteration:
                return
            except RefusedError as error:
                raise Stalled(f"export {self._export.name}: {error}") from error

    async def _ask(self, session: aiohttp.ClientSession, request: Request, headers: Mapping[str, str]) -> Reply:
        """Ask until there is an answer: asking twice does no harm."""
        import aiohttp  # noqa: PLC0415  as above

        why = ""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                status, body, again = await self._send(session, request, headers)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                why, again = type(error).__name__, 0.0  # its text may hold a URL with a name in it, never a token
            else:
                if status == GONE or 200 <= status < 300:
                    return Reply(status, _json(body))
                why = f"answer {status}"
                if status not in AGAIN:
                    raise Stalled(self._say(request, why, "It refuses this: look at its log, and at `credentials`"))
            if attempt < ATTEMPTS:
                await self._clock.sleep(max(again, backoff_seconds(attempt, chance=0.5)))
        raise Transient(self._say(request, why, "It is tried again"))

    async def _send(
        self, session: aiohttp.ClientSession, request: Request, headers: Mapping[str, str]
    ) -> tuple[int, bytes, float]:
        url = self._export.url.rstrip("/") + request.path
        data = None if request.body is None else json.dumps(request.body, ensure_ascii=False).encode()
        async with session.request(
            request.method, url, params=dict(request.query), data=data, headers=headers, allow_redirects=False
        ) as response:
            again = response.headers.get("Retry-After", "")
            body = await response.content.read(ANSWER_BYTES)
            return response.status, body, min(float(again), 60.0) if again.isdigit() else 0.0

    def _say(self, request: Request, why: str, advice: str) -> str:
        return f"export {self._export.name}: {request.method} {request.path}: {why}. {advice}"


def _headers(credential: Credential | None) -> dict[str, str]:
    found = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "converge"}
    if credential is not None and credential.token is not None:
        return {**found, "Authorization": f"Bearer {credential.token.reveal_text()}"}
    if credential is not None and credential.username is not None and credential.password is not None:
        pair = credential.username.reveal() + b":" + credential.password.reveal()
        return {**found, "Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return found


def _tls(credential: Credential | None) -> ssl.SSLContext:
    authorities = credential.ca_bundle.reveal_text() if credential and credential.ca_bundle else None
    return ssl.create_default_context(cadata=authorities)


def _json(body: bytes) -> JsonValue:
    """Read an answer; one that is no JSON says nothing."""
    try:
        found: JsonValue = json.loads(body)
    except ValueError:
        return None
    return found


@dataclass(frozen=True, slots=True)
class FilesChange:
    """An export's files as one change of its branch, which holds nothing else."""

    export: Export
    files: Mapping[str, bytes]

    @property
    def subject(self) -> str:
        return f"export {self.export.name}: {len(self.files)} files"

    @property
    def trailers(self) -> tuple[tuple[str, str], ...]:
        return ()

    def derive(self, base: Files) -> Mapping[str, bytes | None]:
        gone: dict[str, bytes | None] = {path: None for path in _paths(base, "") if path not in self.files}
        return {**gone, **self.files}


def _paths(files: Files, folder: str) -> list[str]:
    found: list[str] = []
    for name in files.names(folder):
        path = f"{folder}/{name}" if folder else name
        inner = files.names(path)
        found += _paths(files, path) if inner else [path]
    return found
