"""One chart at its host: which version a range leads to now, fetched, verified, and imported as a commit.

What happens when… a version was replaced by other content: it is another commit, as after a force push. The archive is
not what its digest says: Stalled. The host is away: Transient. The disk's copies were deleted: they are fetched again.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from controller.config import newest, read_range, read_version
from controller.git.charts.address import ChartAddress
from controller.git.charts.archive import commit_of
from controller.git.charts.index import IndexCatalogue, Release
from controller.git.charts.registry import RegistryCatalogue
from controller.git.charts.web import Web, web_to
from controller.git.refs import FULL_ID
from controller.git.stream import NewCommit
from controller.model import CommitId, Stalled
from controller.runtime import Credential

LOOK_BACK: Final = 30  # versions that are fetched at most to find an older commit
KEPT_ARCHIVES: Final = 200


class Catalogue(Protocol):
    """What a host has of one chart."""

    async def versions(self, web: Web) -> Mapping[str, Release]: ...
    async def release(self, version: str, web: Web) -> Release | None: ...
    async def archive(self, release: Release, web: Web) -> bytes: ...


class ChartHost:
    """`import_commits` writes commits where Trees are read from; `archives` is a folder of what was fetched."""

    def __init__(
        self,
        address: ChartAddress,
        *,
        archives: Path,
        credentials: Callable[[], Credential | None],
        import_commits: Callable[[str, Sequence[NewCommit]], Awaitable[tuple[CommitId, ...]]],
    ) -> None:
        self.address = address
        self._archives = archives
        self._credentials = credentials
        self._import = import_commits
        self._catalogue: Catalogue = RegistryCatalogue(address) if address.is_registry else IndexCatalogue(address)
        self._commits: dict[tuple[str, str], CommitId] = {}  # by version and digest

    async def heads(self, ranges: Collection[str]) -> Mapping[str, CommitId | Stalled]:
        """Find the commit of the newest version that each range asks for. Raises Stalled, Transient."""
        async with web_to(self.address.base, self._credentials()) as web:
            found: dict[str, CommitId | Stalled] = {}
            for text in sorted(ranges):
                try:
                    found[text] = CommitId(text) if FULL_ID.fullmatch(text) else await self._head(text, web)
                except Stalled as error:
                    found[text] = error
        return found

    async def find(self, commit: CommitId) -> bool:
        """Look for a commit among the newest versions, and have it imported. Raises Stalled, Transient."""
        async with web_to(self.address.base, self._credentials()) as web:
            read = [one for one in map(read_version, await self._catalogue.versions(web)) if one is not None]
            for version in sorted(read, reverse=True)[:LOOK_BACK]:
                release = await self._catalogue.release(version.text, web)
                if release is not None and await self._commit(release, web) == commit:
                    return True
        return False

    async def _head(self, text: str, web: Web) -> CommitId:
        wanted = read_range(text)
        if wanted is None:
            raise Stalled(f"{self.address.url}: {text!r} is no version, and no range of versions")
        plain = text.partition("@")[0].strip()
        exact = read_version(plain) if plain.count(".") >= 2 else None
        version = exact.text if exact else newest(await self._catalogue.versions(web), wanted)
        release = await self._catalogue.release(version, web) if version else None
        if release is None:
            raise Stalled(f'{self.address.url}: there is no version "{text or "*"}"{await self._known(web)}')
        if wanted.digest and release.digest and release.digest != wanted.digest:
            raise Stalled(
                f"{self.address.url} {release.version}: its digest is {release.digest}, and {wanted.digest} is "
                "demanded. Somebody replaced it, or the pin is of another version"
            )
        return await self._commit(release, web, wanted.digest)

    async def _known(self, web: Web) -> str:
        read = [one for one in map(read_version, await self._catalogue.versions(web)) if one is not None]
        names = [one.text for one in sorted(read, reverse=True)[:5]]
        return f". The newest are: {', '.join(names)}" if names else ""

    async def _commit(self, release: Release, web: Web, demanded: str = "") -> CommitId:
        """Have a version's commit here. Raises Stalled where its content is not what its digest says."""
        known = self._commits.get((release.version, release.digest))
        if known is not None and release.digest:
            return known
        data = await asyncio.to_thread(self._kept, release.digest)
        if data is None:
            data = await self._catalogue.archive(release, web)
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        for told in (release.digest, demanded):
            if told and told != digest:
                raise Stalled(
                    f"{self.address.url} {release.version}: what the host gives has the digest {digest}, and not "
                    f"{told}, which it is said to have. It was damaged or replaced on its way"
                )
        await asyncio.to_thread(self._keep, digest, data)
        commit = commit_of(self.address.name, release.version, digest, data)
        ref = f"refs/converge/charts/{digest.partition(':')[2]}"
        (found,) = await self._import(ref, [commit])
        self._commits[release.version, release.digest] = found
        return found

    def _kept(self, digest: str) -> bytes | None:
        """Read an archive that was fetched before, unless the disk has changed it."""
        if not digest:
            return None
        path = self._archives / digest.replace(":", "-")
        try:
            data = path.read_bytes()
        except OSError:
            return None
        return data if f"sha256:{hashlib.sha256(data).hexdigest()}" == digest else None

    def _keep(self, digest: str, data: bytes) -> None:
        """Keep an archive, and the last ones of all charts. A disk that takes it not is no failure."""
        path = self._archives / digest.replace(":", "-")
        new = path.with_name(f"{path.name}.new-{os.getpid()}")
        try:
            self._archives.mkdir(parents=True, exist_ok=True)
            new.write_bytes(data)
            new.replace(path)
            kept = sorted(self._archives.iterdir(), key=lambda one: one.stat().st_mtime_ns, reverse=True)
            for old in kept[KEPT_ARCHIVES:]:
                old.unlink(missing_ok=True)
        except OSError:
            return
