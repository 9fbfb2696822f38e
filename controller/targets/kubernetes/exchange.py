"""What is said to an API server and what is heard from it: bytes, without a transport."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlencode

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask: the path without the server, the query in order, the body as it goes out."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    content_type: str = ""
    accept: str = JSON
    account: str = ""  # the service account, `namespace:name`, in whose place it is asked; "" is ours

    @property
    def target(self) -> str:
        """The path with its query, encoded."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


@dataclass(frozen=True, slots=True)
class Response:
    """An answer of any status. `retry_after_seconds` is what its Retry-After header said, 0 without one."""

    status: int
    body: bytes
    retry_after_seconds: float = 0.0


class Sender(Protocol):
    """Whatever carries a request to a server and brings its answer."""

    async def send(self, request: Request, /) -> Response: ...
