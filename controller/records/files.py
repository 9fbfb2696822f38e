"""The records branch as its readers see it, and as it will be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable


class Files(Protocol):
    """Paths are relative to the branch's root; "" is the root."""

    def read(self, path: str) -> bytes | None: ...
    def names(self, directory: str) -> tuple[str, ...]:
        """Give the names in a directory, of files and directories, sorted; none for what is no directory."""


@runtime_checkable
class ReadsAhead(Protocol):
    """Files that are far away: many are had in the time of one."""

    def read_ahead(self, files: Iterable[str], folders: Iterable[str]) -> None: ...


def read_ahead(files: Files, paths: Iterable[str], folders: Iterable[str] = ()) -> None:
    """Say which files will be read, and below which folders all of them."""
    if isinstance(files, ReadsAhead):
        files.read_ahead(paths, folders)


class Layered:
    """Files with more written over them. What then differs from the base is what shall be committed."""

    def __init__(self, base: Files) -> None:
        self._base = base
        self._read: dict[str, bytes | None] = {}
        self._written: dict[str, bytes] = {}
        self._new: dict[str, set[str]] = {}  # per directory, the names that were written

    def read(self, path: str) -> bytes | None:
        return self._written[path] if path in self._written else self._before(path)

    def names(self, directory: str) -> tuple[str, ...]:
        return tuple(sorted({*self._base.names(directory), *self._new.get(directory, ())}))

    def write(self, path: str, data: bytes) -> None:
        """Say what a file shall be; nothing where it is so already."""
        if self.read(path) == data:
            return
        self._written[path] = data
        rest = path
        while rest:
            rest, _, name = rest.rpartition("/")
            self._new.setdefault(rest, set()).add(name)

    def _before(self, path: str) -> bytes | None:
        """Read the base, each file once: it may be far away."""
        if path not in self._read:
            self._read[path] = self._base.read(path)
        return self._read[path]

    def result(self) -> Mapping[str, bytes | None]:
        """Give the files that differ from the base, sorted by path."""
        return {path: data for path, data in sorted(self._written.items()) if self._before(path) != data}
