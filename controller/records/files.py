"""The records branch as its readers see it, and as it will be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, runtime_checkable

from controller.documents import blob_id


class Files(Protocol):
    """Paths are relative to the branch's root; "" is the root."""

    def read(self, path: str) -> bytes | None: ...
    def names(self, directory: str) -> tuple[str, ...]:
        """Give the names in a directory, of files and directories, sorted; none for what is no directory."""


@runtime_checkable
class Identifies(Protocol):
    """Files whose contents have names: git's ids. What a file says may be known by its id, without reading it."""

    def blob_id(self, path: str) -> str:
        """Give the id of a file's content; "" where there is no file."""

    def read_ahead(self, files: Iterable[str], folders: Iterable[str], is_known: Callable[[str], bool]) -> None:
        """Have many files, that are far away, in the time of one; but for those whose ids are known."""


class Layered:
    """Files with more written over them. What then differs from the base is what shall be committed."""

    def __init__(self, base: Files) -> None:
        self._base = base
        self._named = base if isinstance(base, Identifies) else None
        self._read: dict[str, bytes | None] = {}
        self._ids: dict[str, str] = {}  # of the base
        self._written: dict[str, bytes | None] = {}  # None: taken away
        self._new: dict[str, set[str]] = {}  # per directory, the names that were written

    def read(self, path: str) -> bytes | None:
        return self._written[path] if path in self._written else self._before(path)

    def names(self, directory: str) -> tuple[str, ...]:
        found = {*self._base.names(directory), *self._new.get(directory, ())}
        return tuple(sorted(found - {name for name in found if self._is_gone(f"{directory}/{name}")}))

    def _is_gone(self, path: str) -> bool:
        return path in self._written and self._written[path] is None

    def blob_id(self, path: str) -> str:
        """Give the id of a file's content; "" where there is no file. Nothing is read where the base knows it."""
        if self._named is not None and path not in self._written:
            return self._id_before(path, self._named)
        data = self.read(path)
        return "" if data is None else blob_id(data)

    def read_ahead(self, paths: Iterable[str], folders: Iterable[str] = (), *, is_known: Callable[[str], bool]) -> None:
        """Say which files will be read, and below which folders all of them."""
        if self._named is not None:
            self._named.read_ahead(paths, folders, is_known)

    def write(self, path: str, data: bytes) -> None:
        """Say what a file shall be; nothing where it is so already."""
        if self._written[path] == data if path in self._written else self._is_so(path, data):
            return
        self._written[path] = data
        rest = path
        while rest:
            rest, _, name = rest.rpartition("/")
            self._new.setdefault(rest, set()).add(name)

    def remove(self, path: str) -> None:
        """Say that a file shall not be there."""
        self._written[path] = None

    def _is_so(self, path: str, data: bytes | None) -> bool:
        """Tell whether the base has this content; None: no such file."""
        if self._named is None:
            return self._before(path) == data
        found = self._id_before(path, self._named)
        if data is None or not found:
            return data is None and not found
        return found == blob_id(data, like=found)

    def _id_before(self, path: str, base: Identifies) -> str:
        if path not in self._ids:
            self._ids[path] = base.blob_id(path)
        return self._ids[path]

    def _before(self, path: str) -> bytes | None:
        """Read the base, each file once: it may be far away."""
        if path not in self._read:
            self._read[path] = self._base.read(path)
        return self._read[path]

    def result(self) -> Mapping[str, bytes | None]:
        """Give the files that differ from the base, sorted by path."""
        return {path: data for path, data in sorted(self._written.items()) if not self._is_so(path, data)}
