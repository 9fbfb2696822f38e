"""A directory tree at a commit, read without a checkout."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from controller.model.ids import CommitId, RepositoryName


class EntryKind(StrEnum):
    """What a path is. Symbolic links inside the tree are followed; what leaves the tree is an error, not an entry."""

    FILE = "file"
    DIRECTORY = "directory"
    SUBMODULE = "submodule"
    ABSENT = "absent"


class Tree(Protocol):
    """Paths are relative to the tree's root, separated by `/`, without `.` or `..`; "" is the root.

    `kind`, `read` and `names` follow symbolic links that stay inside the tree, and raise `Stalled` for
    one that leaves it, for a loop of them, and for a Git LFS pointer that is read.
    """

    @property
    def repository(self) -> RepositoryName: ...
    @property
    def commit(self) -> CommitId: ...
    def kind(self, path: str) -> EntryKind: ...
    def read(self, path: str) -> bytes:
        """Give a file's bytes. Raises KeyError for what is no file."""

    def names(self, path: str) -> tuple[str, ...]:
        """Give the names in a directory, sorted; none for what is no directory."""

    def real_path(self, path: str) -> str:
        """Resolve symbolic links. The path itself where there are none, or where there is nothing."""

    def digest(self, path: str) -> str:
        """Give git's object id of a path (of a directory: of everything in it), "" where there is nothing."""


@dataclass(frozen=True, slots=True)
class MemoryTree:
    """A Tree of files at hand, without symbolic links: for tests, and for what was never in git."""

    files: Mapping[str, bytes]
    repository: RepositoryName = RepositoryName("memory")
    commit: CommitId = CommitId("0" * 40)

    def kind(self, path: str) -> EntryKind:
        if path in self.files:
            return EntryKind.FILE
        prefix = f"{path}/" if path else ""
        if any(name.startswith(prefix) for name in self.files):
            return EntryKind.DIRECTORY
        return EntryKind.ABSENT

    def read(self, path: str) -> bytes:
        return self.files[path]

    def names(self, path: str) -> tuple[str, ...]:
        prefix = f"{path}/" if path else ""
        return tuple(sorted({n[len(prefix) :].split("/")[0] for n in self.files if n.startswith(prefix)}))

    def real_path(self, path: str) -> str:
        return path

    def digest(self, path: str) -> str:
        inside = {n: b for n, b in self.files.items() if n == path or n.startswith(f"{path}/") or not path}
        if not inside:
            return ""
        total = hashlib.sha256()
        for name in sorted(inside):
            total.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(inside[name]).digest())
        return total.hexdigest()
