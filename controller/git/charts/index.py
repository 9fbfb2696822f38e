"""A chart repository: index.yaml names versions, digests and where the archives are."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin

from controller.documents import Dialect, read
from controller.git.charts.address import ChartAddress
from controller.git.charts.web import HTTP_OK, UNCHANGED, Web, refusal
from controller.model import Invalid, Stalled

INDEX_BYTES: Final = 128 << 20
WHOLE_BYTES: Final = 16 << 20  # an index that is not laid out as helm does it is read whole up to this
ARCHIVE_BYTES: Final = 32 << 20


@dataclass(frozen=True, slots=True)
class Release:
    """One version: `digest` is "sha256:…", "" where the host tells none before it is fetched."""

    version: str
    digest: str
    place: str


@dataclass(slots=True)
class IndexCatalogue:
    """The versions of one chart in a repository. An index that has not moved is not sent again."""

    address: ChartAddress
    _tag: str = ""
    _known: Mapping[str, Release] = field(default_factory=dict)

    async def versions(self, web: Web) -> Mapping[str, Release]:
        """Give all versions. Raises Stalled, Transient."""
        url = f"{self.address.base}/index.yaml"
        headers = {"If-None-Match": self._tag} if self._tag else {}
        answer = await web.get(url, limit=INDEX_BYTES, headers=headers, authorization=web.basic())
        if answer.status == UNCHANGED and self._tag:
            return self._known
        if answer.status != HTTP_OK:
            raise refusal(url, answer)
        self._known = await asyncio.to_thread(releases_of, answer.body, self.address.name, f"{self.address.base}/")
        self._tag = answer.headers.get("Etag", "")
        return self._known

    async def release(self, version: str, web: Web) -> Release | None:
        return (await self.versions(web)).get(version)

    async def archive(self, release: Release, web: Web) -> bytes:
        """Fetch an archive. Raises Stalled, Transient."""
        answer = await web.get(release.place, limit=ARCHIVE_BYTES, authorization=web.basic())
        if answer.status != HTTP_OK:
            raise refusal(release.place.partition("?")[0], answer)
        return answer.body


def releases_of(data: bytes, name: str, base: str) -> Mapping[str, Release]:
    """Read one chart's versions out of an index. Raises Stalled where it has no such chart. Pure."""
    entries = _entries(data, name, base)
    found: dict[str, Release] = {}
    for one in entries:
        version, urls, digest = one.get("version"), one.get("urls"), str(one.get("digest") or "")
        if isinstance(version, str) and isinstance(urls, list) and urls and isinstance(urls[0], str):
            digest = digest if not digest or digest.startswith("sha256:") else f"sha256:{digest}"
            found.setdefault(version, Release(version, digest, urljoin(base, urls[0])))
    return found


def _entries(data: bytes, name: str, base: str) -> list[dict[str, Any]]:
    """Find a chart's entry: of an index as helm writes it only that is read, for some have tens of megabytes."""
    escaped = re.escape(name.encode())
    start = re.search(rb"^  [\"']?" + escaped + rb"[\"']?:[ \t]*\r?\n", data, re.MULTILINE)
    if start is not None:
        end = re.compile(rb"^(?: {0,2})(?![ \r\n-])", re.MULTILINE).search(data, start.end())
        part = b"entries:\n" + data[start.start() : end.start() if end else len(data)]
    elif len(data) <= WHOLE_BYTES:
        part = data
    else:
        raise Stalled(f"{base}index.yaml names no chart {name}")
    try:
        documents = read(part, path=f"{base}index.yaml", dialect=Dialect.KUBERNETES, strict=False)
    except Invalid as error:
        raise Stalled(f"{base}index.yaml can't be read: {error}") from error
    value: Any = documents[0].value if documents else None
    entries = value.get("entries") if isinstance(value, dict) else None
    found = entries.get(name) if isinstance(entries, dict) else None
    if not isinstance(found, list):
        raise Stalled(f"{base}index.yaml names no chart {name}")
    return [one for one in found if isinstance(one, dict)]
