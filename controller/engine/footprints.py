"""What each placement's last render read, kept on disk for the commands that look once.

A controller has it in memory. A command that begins with nothing would have to render a whole fleet to know what one
commit touches; with this it renders what is touched. It is a cache: paths and git's object ids, never content, and
deleting it costs one slow answer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller import __version__
from controller.documents import canonical, decode
from controller.model import ConvergeError, Digest, JsonValue, RepositoryName, Tree
from controller.render import RENDERER_VERSION, Read

FORMAT = f"1 {RENDERER_VERSION} {__version__}"  # another one is not read: it may come of other files


@dataclass(frozen=True, slots=True)
class Footprint:
    """A render's request without its trees, as a digest, and what it read of the trees; `cover` says it in fewer."""

    shape: Digest
    reads: tuple[Read, ...]
    cover: tuple[Read, ...]

    def holds(self, shape: Digest, trees: Mapping[RepositoryName, Tree]) -> bool:
        """Tell whether rendering these trees by this request gives what it gave. Raises as the trees do."""
        return self.shape == shape and (are_unmoved(self.cover, trees) or are_unmoved(self.reads, trees))


def are_unmoved(reads: Sequence[Read], trees: Mapping[RepositoryName, Tree]) -> bool:
    """Tell whether everything that was read is in these trees as it was, and what was missing still is."""
    return all(read.repository in trees and trees[read.repository].digest(read.path) == read.digest for read in reads)


def cover_of(reads: Sequence[Read], trees: Mapping[RepositoryName, Tree], homes: Sequence[Read]) -> tuple[Read, ...]:
    """Give fewer look-ups that say as much while they hold: whole directories for what was read or missed below them.

    `homes` are directories that belong to the placement alone. A path that leads over a symbolic link stays for itself:
    what it leads to may lie elsewhere. Where the cover no longer holds the reads may, so they have the last word.
    """
    cover: dict[Read, None] = {}
    for read in reads:
        tree = trees[read.repository]
        path = read.path if read.digest else _first_missing(read.path, tree)
        place = path if read.digest else path.rpartition("/")[0]
        is_direct = tree.real_path(place) == place
        home = next((one for one in homes if is_direct and _is_in(one, read.repository, place)), None)
        cover[home or Read(read.repository, path, read.digest)] = None
    return tuple(cover)


def _is_in(home: Read, repository: RepositoryName, path: str) -> bool:
    is_below = not home.path or path == home.path or path.startswith(f"{home.path}/")
    return bool(home.digest) and home.repository == repository and is_below


def _first_missing(path: str, tree: Tree) -> str:
    """Name the widest directory that is missing on the way to a missing path."""
    parts = path.split("/")
    for count in range(1, len(parts)):
        above = "/".join(parts[:count])
        if not tree.digest(above):
            return above
    return path


class Footprints:
    """The footprints of one platform's placements, by their names; `save` writes them where they changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = _load(path)
        self._is_changed = False

    def get(self, placement: str) -> Footprint | None:
        return self._known.get(placement)

    def put(self, placement: str, footprint: Footprint) -> None:
        if self._known.get(placement) != footprint:
            self._known[placement] = footprint
            self._is_changed = True

    def save(self) -> None:
        """Write the file, whole or not at all. A disk that takes it not is no failure: it is a cache."""
        if not self._is_changed:
            return
        content: dict[str, Any] = {
            "format": FORMAT,
            "placements": {
                name: [one.shape, _listed(one.reads), _listed(one.cover)] for name, one in self._known.items()
            },
        }
        new = self._path.with_suffix(f".new-{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new.write_bytes(canonical(content))
            new.replace(self._path)
        except OSError:
            return
        self._is_changed = False


def _load(path: Path) -> dict[str, Footprint]:
    """Read what was saved. What can't be read, in part or whole, is as if it had never been there."""
    try:
        content: Any = decode(path.read_bytes())
        if content["format"] != FORMAT:
            return {}
        return {name: _footprint(*one) for name, one in content["placements"].items()}
    except (OSError, ConvergeError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _footprint(shape: str, reads: Sequence[Sequence[str]], cover: Sequence[Sequence[str]]) -> Footprint:
    return Footprint(Digest(shape), _unlisted(reads), _unlisted(cover))


def _listed(reads: Sequence[Read]) -> list[JsonValue]:
    return [[read.repository, read.path, read.digest] for read in reads]


def _unlisted(reads: Sequence[Sequence[str]]) -> tuple[Read, ...]:
    return tuple(Read(RepositoryName(name), path, digest) for name, path, digest in reads)
