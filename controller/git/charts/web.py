"""Requests to a chart repository or registry: credentials for its own origin only, TLS, few redirects, bounds."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from controller.config import is_loopback
from controller.model import Stalled, Transient
from controller.runtime import Credential

if TYPE_CHECKING:
    import aiohttp

SECONDS: Final = 60.0
REDIRECTS: Final = 5
HTTP_OK, UNCHANGED, UNAUTHORIZED, NOT_FOUND = 200, 304, 401, 404


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Web:
    """A way to one host. `credential` goes to its origin and nowhere else."""

    origin: str
    session: aiohttp.ClientSession
    credential: Credential | None

    def basic(self) -> str:
        """Give the value of an Authorization header, "" without a password or token."""
        secret = self.credential and (self.credential.password or self.credential.token)
        if not self.credential or not secret:
            return ""
        user = self.credential.username.reveal_text() if self.credential.username else "converge"
        return "Basic " + base64.b64encode(user.encode() + b":" + secret.reveal()).decode()

    async def get(
        self, url: str, *, limit: int, headers: Mapping[str, str] | None = None, authorization: str = ""
    ) -> Response:
        """Send a GET and follow redirects. Raises Stalled for an answer that is too large or leads off, Transient."""
        for _ in range(REDIRECTS):
            check_protected(url)
            sent = dict(headers or {})
            if authorization and origin_of(url) == self.origin:
                sent["Authorization"] = authorization
            answer = await self._send(url, sent, limit)
            location = answer.headers.get("Location", "")
            if answer.status not in {301, 302, 303, 307, 308} or not location:
                return answer
            url = urljoin(url, location)
        raise Stalled(f"{_without_query(url)}: more than {REDIRECTS} redirects")

    async def exchange(self, url: str, *, limit: int) -> Response:
        """Ask a registry's own login service, wherever it says that is, for a token."""
        authorization = self.basic()
        headers = {"Authorization": authorization} if authorization else {}
        check_protected(url)
        return await self._send(url, headers, limit)

    async def _send(self, url: str, headers: Mapping[str, str], limit: int) -> Response:
        import aiohttp  # noqa: PLC0415  a tenth of a second that a command without charts doesn't have

        proxy = self.credential.proxy if self.credential else None
        try:
            async with self.session.get(
                url, headers=headers, allow_redirects=False, proxy=proxy.reveal_text() if proxy else None
            ) as answer:
                body = bytearray()
                async for chunk in answer.content.iter_chunked(1 << 16):
                    body += chunk
                    if len(body) > limit:
                        raise Stalled(f"{_without_query(url)}: more than {limit >> 20} MiB")
                return Response(answer.status, {k.title(): v for k, v in answer.headers.items()}, bytes(body))
        except aiohttp.ClientConnectorCertificateError as error:
            advice = "Put the authority that signed it into the credential's ca.crt"
            raise Stalled(f"{_without_query(url)}: its certificate is not trusted. {advice}") from error
        except TimeoutError as error:
            raise Transient(f"{_without_query(url)}: no answer within {SECONDS:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Transient(f"{_without_query(url)}: {type(error).__name__}") from error


@asynccontextmanager
async def web_to(base: str, credential: Credential | None) -> AsyncIterator[Web]:
    """Open the way to a host for the length of the block."""
    import aiohttp  # noqa: PLC0415  as above

    context = ssl.create_default_context()
    if credential and credential.ca_bundle:
        context.load_verify_locations(cadata=credential.ca_bundle.reveal_text())
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=True) as session:
        yield Web(origin_of(base), session, credential)
        await asyncio.sleep(0)


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def check_protected(url: str) -> None:
    """Raise Stalled for what would be sent in the clear to another machine."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise Stalled(f"{_without_query(url)}: not protected. Charts are fetched by https:// alone")


def refusal(what: str, answer: Response) -> Stalled | Transient:
    """Say what an answer means that is none that we asked for."""
    if answer.status in {UNAUTHORIZED, 403}:
        return Stalled(f"{what}: {answer.status}: name a credential that may read it, or renew its token or password")
    if answer.status == NOT_FOUND:
        return Stalled(f"{what}: there is nothing of that name (404). Check the address, and that one may read it")
    return Transient(f"{what}: the answer is {answer.status}")


def _without_query(url: str) -> str:
    """Leave out what may hold a signature: hosts of blobs sign their addresses."""
    return url.partition("?")[0]
