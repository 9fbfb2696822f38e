"""Charts and modules that an application names: looked up at, and fetched from, what converge.yaml names."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakValueDictionary

from controller.documents import canonical
from controller.git import GitTree, Mirrors
from controller.model import Digest, EntryKind, JsonValue, Stalled, Transient, Unequipped
from controller.render import ChartArchive, Head, ModuleFolder, ModuleHead, head_of
from controller.runtime import Clock

LARGEST_MODULE_BYTES: Final = 12 << 20  # in base64: what a workspace may hold


@dataclass(frozen=True, slots=True)
class Archives:
    """A craft for ChartArchive."""

    mirrors: Mirrors

    async def __call__(self, need: ChartArchive) -> bytes:
        """Give a version's files by their paths, in base64. Raises Unequipped for what the host does not have (yet)."""
        mirror = self.mirrors.mirror(need.url, need.credential)
        try:
            tree = await mirror.tree(await mirror.resolve(need.version))
            files: dict[str, JsonValue] = await mirror.compute(lambda: dict(_files(tree, "")))
        except Stalled as error:
            raise Unequipped(f"{need.where}: {error}") from error
        return canonical(files)


@dataclass(slots=True)
class Heads:
    """A craft for ChartHead and ModuleHead.

    The host is asked once per `seconds`, whatever the number of those who follow a range or a ref.
    While it is away, what it said last holds.
    """

    mirrors: Mirrors
    clock: Clock
    seconds: float = 30.0
    _known: dict[Digest, tuple[float, bytes]] = field(default_factory=dict)
    _turns: WeakValueDictionary[Digest, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def __call__(self, need: Head) -> bytes:
        """Give the newest version that a range asks for, or the commit of a ref.

        Raises Unequipped where the host has none (yet), Transient.
        """
        digest = need.digest
        turn = self._turns.setdefault(digest, asyncio.Lock())
        async with turn:
            known = self._known.get(digest)
            now = self.clock.monotonic()
            if known is not None and now - known[0] < self.seconds:
                return known[1]
            try:
                found = await self._newest(need)
            except Transient:
                if known is None:
                    raise
                return known[1]
            except Stalled as error:
                raise Unequipped(f"{need.where}: {error}") from error
            self._known[digest] = now, found
            return found

    async def _commit(self, need: ModuleHead) -> bytes:
        """Find the commit of a ref, which must be signed where its repository's must. Raises Stalled, Transient."""
        mirror = self.mirrors.mirror(need.url, need.lender.credential)
        commit = await mirror.resolve(need.ref)
        if need.lender.ssh:
            await mirror.verify(commit, need.lender.ssh, kind="ssh")
        if need.lender.gpg:
            await mirror.verify(commit, need.lender.gpg, kind="gpg")
        return canonical({"commit": commit})

    async def _newest(self, need: Head) -> bytes:
        if isinstance(need, ModuleHead):
            return await self._commit(need)
        mirror = self.mirrors.mirror(need.url, need.credential)
        about = await mirror.describe(await mirror.resolve(need.versions))
        _, version, digest = about.subject.rsplit(" ", 2)  # as `git.charts` writes it
        return head_of(version, digest)


@dataclass(frozen=True, slots=True)
class Folders:
    """A craft for ModuleFolder."""

    mirrors: Mirrors

    async def __call__(self, need: ModuleFolder) -> bytes:
        """Give a folder's files by their paths in the repository, in base64; none where it is not there."""
        mirror = self.mirrors.mirror(need.url, need.credential)
        tree = await mirror.tree(need.commit)
        files: dict[str, JsonValue] = await mirror.compute(lambda: dict(_below(tree, need)))
        return canonical(files)


def _below(tree: GitTree, need: ModuleFolder) -> Iterator[tuple[str, str]]:
    """Read a folder. Raises Stalled where it is larger than a module is."""
    if tree.kind(need.folder) is not EntryKind.DIRECTORY:
        return
    left = LARGEST_MODULE_BYTES
    for path, data in _files(tree, need.folder):
        left -= len(data)
        if left < 0:
            raise Stalled(f"{need.where}: {need.folder or need.url} is larger than {LARGEST_MODULE_BYTES >> 20} MiB")
        yield path, data


def _files(tree: GitTree, folder: str) -> Iterator[tuple[str, str]]:
    for name in tree.names(folder):
        path = f"{folder}/{name}" if folder else name
        if tree.kind(path) is EntryKind.DIRECTORY:
            yield from _files(tree, path)
        else:
            yield path, base64.b64encode(tree.read(path)).decode()
