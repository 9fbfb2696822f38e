"""Follow one kind of one cluster: LIST in pages, then WATCH, for as long as somebody listens.

A watch that ends is resumed at the last resourceVersion that it told, bookmarks included; 410 (that version is too old)
lists again. Failures back off with jitter and are told once; nothing is asked again on a timer while all is well.
Where the whole server is away, those who listen to it take turns in looking for it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from controller.model import Stalled, Transient
from controller.targets.kubernetes.connection import Connection, Request
from controller.targets.kubernetes.discovery import Resource
from controller.targets.kubernetes.reaching import Unreachable

PAGE: Final = 500
LIST_SECONDS: Final = 60.0
WATCH_SECONDS: Final = (240, 480)  # how long the server shall keep a watch: spread, so that renewals don't come in step
LATE_SECONDS: Final = 20.0  # how much longer than that we wait for its end
LIVED_SECONDS: Final = 10.0  # a watch that lived so long was no failure, however it ended
BACKOFF_SECONDS: Final = (0.5, 30.0)
TOO_LARGE: Final = "Too large resource version"  # as the server says it, with code 504
REFUSED_SECONDS: Final = (5.0, 300.0)  # after 401 and 403, which a human must change


@dataclass(frozen=True, slots=True)
class Page:
    """Objects of a LIST in progress; the first page begins the list anew."""

    objects: tuple[msgspec.Raw, ...]
    is_first: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """The LIST is complete: what it did not hold is not there, or not labelled."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An object is there, or changed."""

    object: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Unseen:
    """An object is gone, or lost its label: both look the same."""

    object: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Away:
    """What we know grows old: nothing can be heard now. `is_refused`: because we may not."""

    why: str
    is_refused: bool


@dataclass(frozen=True, slots=True)
class Back:
    """We hear again, without having missed anything."""


@dataclass(frozen=True, slots=True)
class Unserved:
    """The cluster does not serve this kind (any more). The last thing that is told."""


Change: TypeAlias = Page | Listed | Seen | Unseen | Away | Back | Unserved


class _Metadata(msgspec.Struct):
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    next_page: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct):
    metadata: _Metadata
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Versioned(msgspec.Struct):
    metadata: _Metadata


class _Details(msgspec.Struct):
    retry_after_seconds: float = msgspec.field(name="retryAfterSeconds", default=0.0)


class _Status(msgspec.Struct):
    code: int = 0
    message: str = ""
    details: _Details | None = None


_LIST = msgspec.json.Decoder(_List)
_EVENT = msgspec.json.Decoder(_Event)
_VERSIONED = msgspec.json.Decoder(_Versioned)
_STATUS = msgspec.json.Decoder(_Status)


class _Refused(Transient):
    """The server answered, and not with what we asked for."""

    def __init__(self, code: int, message: str, retry_after_seconds: float = 0.0) -> None:
        self.code = code
        super().__init__(f"{code}: {message}", retry_after_seconds=retry_after_seconds)


@dataclass(slots=True)
class _Progress:
    """Where one follower stands."""

    version: str = ""  # to watch from; "" lists first
    failures: int = 0  # in a row
    is_away: bool = False
    ways: int = 0  # of the connection, when its version was told


async def follow(
    connection: Connection, resource: Resource, selector: str, namespace: str = ""
) -> AsyncGenerator[Change, None]:
    """Tell what happens to all objects of a kind that a label selector matches. Ends only after Unserved.

    They are asked for in one namespace, "": over the whole cluster. The second failure in a row is told as Away: one
    lost connection that is there again at once is no news.
    """
    at = _Progress()
    path = resource.path(namespace)
    while True:
        if at.ways != connection.ways:  # versions of another address may be another cluster's
            at.version, at.ways = "", connection.ways
        try:
            if not at.version:
                async with aclosing(_list(connection, path, selector, at)) as pages:
                    async for change in pages:
                        yield change
                        del change
                at.is_away = False
            async with aclosing(_watch(connection, path, selector, at)) as events:
                async for change in events:
                    yield change
                    del change  # nobody who waits holds what was told last
        except (Transient, Stalled) as error:
            code = error.code if isinstance(error, _Refused) else 0
            if code == 404:
                yield Unserved()
                return
            if code == 410 or (at.version and (code == 401 or (code == 504 and TOO_LARGE in str(error)))):
                # Too old a version, or a later one than this server has (it was restored, or is another one); or a
                # login that ran out, which a list renews and a watch does not.
                at.version = ""
                if at.failures == 0:
                    at.failures = 1  # at once, but not for ever
                    continue
            at.failures += 1
            is_refused = isinstance(error, Stalled) or code in {401, 403}
            if not at.is_away and (at.failures > 1 or is_refused):
                at.is_away = True
                yield Away(str(error), is_refused)
            if isinstance(error, Unreachable) and at.is_away:
                await connection.turn()
            else:
                await connection.pause(_pause(at.failures, error, is_refused=is_refused))


def _pause(failures: int, error: Transient | Stalled, *, is_refused: bool) -> float:
    """Give the seconds until the next attempt: doubled each time, with jitter, and not before the server said."""
    least, most = REFUSED_SECONDS if is_refused else BACKOFF_SECONDS
    pause = min(most, least * 2.0 ** min(failures - 1, 16)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
    return max(pause, error.retry_after_seconds) if isinstance(error, Transient) else pause


async def _list(connection: Connection, path: str, selector: str, at: _Progress) -> AsyncGenerator[Change, None]:
    """Ask page by page. A page token that expired raises 410, and the list begins anew."""
    token, is_first = "", True
    while True:
        query = [("labelSelector", selector), ("limit", str(PAGE))]
        if token:
            query.append(("continue", token))
        answer = await connection.send(Request("GET", path, tuple(query)), deadline_seconds=LIST_SECONDS)
        if answer.status != 200:
            raise _Refused(answer.status, _message(answer.body), answer.retry_after_seconds)
        page = _decoded(_LIST, answer.body)
        yield Page(tuple(page.items or ()), is_first)
        token, is_first = page.metadata.next_page, False
        if not token:
            at.version, at.failures = page.metadata.resource_version, 0
            yield Listed()
            return


async def _watch(connection: Connection, path: str, selector: str, at: _Progress) -> AsyncGenerator[Change, None]:
    """Hear events until the server ends the stream, which it does in good time."""
    seconds = random.randint(*WATCH_SECONDS)  # noqa: S311 - jitter
    query = (
        ("watch", "true"),
        ("labelSelector", selector),
        ("resourceVersion", at.version),
        ("allowWatchBookmarks", "true"),
        ("timeoutSeconds", str(seconds)),
    )
    began = asyncio.get_running_loop().time()
    try:
        async with (
            asyncio.timeout(seconds + LATE_SECONDS),
            aclosing(connection.watch(Request("GET", path, query))) as lines,
        ):
            async for line in lines:
                change = _hear(line, at)
                if change is not None:
                    yield change
                del line, change
    except TimeoutError as error:
        raise Transient(f"the watch of {path} did not end in time") from error
    finally:
        lived = asyncio.get_running_loop().time() - began
        if lived >= LIVED_SECONDS:
            at.failures = 0
    if lived < 1.0:
        raise Transient(f"the watch of {path} ended as soon as it began")


def _hear(line: bytes, at: _Progress) -> Change | None:
    """Say what one line of a watch means, and remember how far it brought us."""
    if not line:  # the server accepted the watch
        was_away, at.is_away = at.is_away, False
        return Back() if was_away else None
    event = _decoded(_EVENT, line)
    if event.type == "ERROR":
        status = _decoded(_STATUS, event.object)
        raise _Refused(status.code, status.message, status.details.retry_after_seconds if status.details else 0.0)
    at.version = _decoded(_VERSIONED, event.object).metadata.resource_version
    at.failures = 0
    if event.type == "BOOKMARK":
        return None
    return Unseen(event.object) if event.type == "DELETED" else Seen(event.object)


def _decoded(decoder: msgspec.json.Decoder[Any], data: bytes | msgspec.Raw) -> Any:
    try:
        return decoder.decode(data)
    except msgspec.DecodeError as error:
        raise Transient(f"the API server sent what can't be read: {error}") from error


def _message(body: bytes) -> str:
    try:
        return str(_STATUS.decode(body).message)
    except msgspec.DecodeError:
        return body[:300].decode(errors="replace").strip()
