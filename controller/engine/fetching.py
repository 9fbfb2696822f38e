"""Fetches charts that a component of an OAM Application names, from the repositories of converge.yaml."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from controller.documents import canonical
from controller.git import GitTree, Mirrors
from controller.model import EntryKind, JsonValue, Stalled, Unequipped
from controller.render import ChartArchive


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


def _files(tree: GitTree, folder: str) -> Iterator[tuple[str, str]]:
    for name in tree.names(folder):
        path = f"{folder}/{name}" if folder else name
        if tree.kind(path) is EntryKind.DIRECTORY:
            yield from _files(tree, path)
        else:
            yield path, base64.b64encode(tree.read(path)).decode()
