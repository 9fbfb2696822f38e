"""A directory as a Tree. A link that was stored as a file with its target in it, as some archives do, is a link."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from controller.model import CommitId, EntryKind, RepositoryName, Stalled


class DirectoryTree:
    """Reads below one directory; what leaves it by a link is Stalled."""

    repository = RepositoryName("disk")
    commit = CommitId("d" * 40)

    def __init__(self, root: Path) -> None:
        self._root = os.path.realpath(root)

    def _full(self, path: str) -> str:
        full = self._root
        for part in path.split("/") if path else ():
            full = os.path.realpath(os.path.join(_as_link(full), part))  # noqa: PTH118
        if full != self._root and not full.startswith(f"{self._root}/"):
            raise Stalled(f"{path}: a link that leaves the tree")
        return full

    def kind(self, path: str) -> EntryKind:
        full = Path(self._full(path))
        if full.is_dir():
            return EntryKind.DIRECTORY
        return EntryKind.FILE if full.is_file() else EntryKind.ABSENT

    def read(self, path: str) -> bytes:
        try:
            return Path(self._full(path)).read_bytes()
        except OSError as error:
            raise KeyError(path) from error

    def names(self, path: str) -> tuple[str, ...]:
        full = Path(self._full(path))
        return tuple(sorted(one.name for one in full.iterdir())) if full.is_dir() else ()

    def real_path(self, path: str) -> str:
        return os.path.relpath(self._full(path), self._root) if self._full(path) != self._root else ""

    def digest(self, path: str) -> str:
        if self.kind(path) is not EntryKind.FILE:
            return ""
        return hashlib.sha256(self.read(path)).hexdigest()


def _as_link(full: str) -> str:
    if os.path.isfile(full) and os.path.getsize(full) < 200:  # noqa: PTH113, PTH202
        target = os.path.join(os.path.dirname(full), Path(full).read_text(errors="replace").strip())  # noqa: PTH118, PTH120
        if os.path.isdir(target):  # noqa: PTH112
            return os.path.realpath(target)
    return full
