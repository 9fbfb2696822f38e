"""Lists at a version, and watches: what a client reads to know the objects without asking for each.

A watch is a queue that the store's writer fills and one connection empties, so no event is lost between its list and
its first wait.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from controller.sandbox.cluster import refusals
from controller.sandbox.cluster.refusals import Refused
from controller.sandbox.cluster.schema import Body, Kind
from controller.sandbox.cluster.selectors import Matches
from controller.sandbox.cluster.store import Change, ResourceKey, Store

BOOKMARK_SECONDS = 60.0
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which objects a list or a watch is about."""

    kind: Kind
    namespace: str  # "": all of them
    matches: Matches

    def has(self, body: Body | None) -> bool:
        if body is None or (self.namespace and body["metadata"].get("namespace") != self.namespace):
            return False
        return self.matches(body)


@dataclass(frozen=True, slots=True)
class Page:
    items: list[Body]
    version: int
    token: str = ""  # to continue with
    left: int = 0


def list_page(store: Store, selection: Selection, *, limit: int = 0, token: str = "", version: int = 0) -> Page:
    """Give a page of a consistent list. `version` is an exact one. Raises Refused (410) where history is gone."""
    after = ""
    if token:
        version, after = _read_token(token)
    at = version or store.version
    if at < store.oldest and at != store.version:
        raise refusals.expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list"
            " without the continue parameter, or use the continue token in this response to retrieve the remainder."
            if token
            else f"The resourceVersion for the provided list is too old: {version}"
        )
    found = [body for body in _at(store, selection.kind.key, at) if selection.has(body)]
    rest = [body for body in found if _place(body) > after] if after else found
    if limit and len(rest) > limit:
        page = rest[:limit]
        return Page(page, at, _token(at, _place(page[-1])), len(rest) - limit)
    return Page(rest, at)


def _place(body: Body) -> str:
    return f"{body['metadata'].get('namespace', '')}/{body['metadata']['name']}"


def _token(version: int, after: str) -> str:
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": after})
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, str]:
    try:
        data = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(data["rv"]), str(data["start"])
    except (ValueError, KeyError, TypeError) as error:
        raise refusals.bad_request(f"continue key is not valid: {error}") from error


def _at(store: Store, resource: ResourceKey, version: int) -> list[Body]:
    """Give a resource's objects as they were at a version: what came since is taken back."""
    found = {_key(body): body for body in store.all(resource)}
    for change in reversed(list(store.since(version))):
        if change.resource != resource:
            continue
        if change.old is None:
            found.pop(change.name, None)
        else:
            found[change.name] = change.old
    return [found[name] for name in sorted(found)]


def _key(body: Body) -> tuple[str, str]:
    return body["metadata"].get("namespace", ""), body["metadata"]["name"]


class Watch:
    """One watch, from its opening on. Iterate `events`; `close` when the connection ends."""

    def __init__(self, store: Store, selection: Selection) -> None:
        self._store = store
        self._selection = selection
        self._waiting: deque[Body] = deque()
        self._wake = asyncio.Event()
        self._is_ended = False
        self._stop = store.listen(self._hear)

    def begin(self, version: int | None, *, initial: bool | None, bookmarks: bool) -> None:
        """Put the first events in. `version` None is any, 0 too; `initial` is sendInitialEvents. Raises Refused."""
        sends_all = initial if initial is not None else not version
        if version and version > self._store.version:
            raise Refused(504, "Timeout", f"Too large resource version: {version}, current: {self._store.version}")
        if sends_all:
            for body in self._store.all(self._selection.kind.key):
                if self._selection.has(body):
                    self._waiting.append({"type": "ADDED", "object": body})
            if initial and bookmarks:
                self._waiting.append(self._bookmark({INITIAL_EVENTS_END: "true"}))
        elif version:
            if version < self._store.oldest:
                gone = refusals.expired(f"too old resource version: {version} ({self._store.oldest + 1})")
                self._waiting.append({"type": "ERROR", "object": gone.status()})
                return
            for change in self._store.since(version):
                self._hear(change)
        if self._waiting:
            self._wake.set()

    async def events(self, *, seconds: float, bookmarks: bool) -> AsyncIterator[Body]:
        """Give events as they come, until `seconds` are over, the client goes, or an ERROR was given."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not self._is_ended:
            while self._waiting:
                event = self._waiting.popleft()
                yield event
                if event["type"] == "ERROR":
                    return
            self._wake.clear()
            left = min(end - loop.time(), BOOKMARK_SECONDS)
            if left <= 0:
                return
            try:
                async with asyncio.timeout(left):
                    await self._wake.wait()
            except TimeoutError:
                if bookmarks:
                    yield self._bookmark({})

    def end(self) -> None:
        """Let `events` come to its end: the server stops."""
        self._is_ended = True
        self._wake.set()

    def close(self) -> None:
        self._stop()

    def _hear(self, change: Change) -> None:
        if change.resource != self._selection.kind.key:
            return
        was = self._selection.has(change.old)
        is_now = not change.is_deletion and self._selection.has(change.new)
        if is_now:
            self._put("MODIFIED" if was else "ADDED", change.new)
        elif was and change.old is not None:
            # It left the selection: shown as it was, at the version of the change.
            gone = change.new if change.is_deletion else change.old
            version = {**gone["metadata"], "resourceVersion": str(change.version)}
            self._put("DELETED", {**gone, "metadata": version})

    def _put(self, kind: str, body: Body) -> None:
        self._waiting.append({"type": kind, "object": body})
        self._wake.set()

    def _bookmark(self, annotations: dict[str, str]) -> Body:
        meta: Body = {"resourceVersion": str(self._store.version), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        kind = self._selection.kind
        return {"type": "BOOKMARK", "object": {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}}
