"""Trees of files that are not committed yet: what an operation would make of a tree, and what a branch holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from controller.git import Files
from controller.model import PLATFORM, CommitId, EntryKind, RepositoryName, Tree

NOT_COMMITTED: Final = CommitId("0" * 40)


@runtime_checkable
class Resolves(Protocol):
    """Files among which links may be."""

    def real_path(self, path: str) -> str: ...


@dataclass(frozen=True, slots=True)
class FilesTree:
    """A Tree over the files of a branch, as the committer shows them."""

    files: Files
    repository: RepositoryName = PLATFORM
    commit: CommitId = NOT_COMMITTED

    def kind(self, path: str) -> EntryKind:
        if path and self.files.read(path) is not None:
            return EntryKind.FILE
        return EntryKind.DIRECTORY if self.files.names(path) else EntryKind.ABSENT

    def read(self, path: str) -> bytes:
        data = self.files.read(path)
        if data is None:
            raise KeyError(path)
        return data

    def names(self, path: str) -> tuple[str, ...]:
        return self.files.names(path)

    def real_path(self, path: str) -> str:
        return self.files.real_path(path) if isinstance(self.files, Resolves) else path

    def digest(self, path: str) -> str:
        data = self.files.read(path) if path else None
        if data is not None:
            return hashlib.sha256(data).hexdigest()
        inside = [f"{name} {self.digest(f'{path}/{name}' if path else name)}" for name in self.names(path)]
        return hashlib.sha256("\n".join(inside).encode()).hexdigest() if inside else ""


@dataclass(frozen=True, slots=True)
class EditedTree:
    """A Tree with some of its files written anew. Nothing is deleted: no operation does."""

    base: Tree
    edits: Mapping[str, bytes]

    @property
    def repository(self) -> RepositoryName:
        return self.base.repository

    @property
    def commit(self) -> CommitId:
        return NOT_COMMITTED

    def kind(self, path: str) -> EntryKind:
        if path in self.edits:
            return EntryKind.FILE
        return EntryKind.DIRECTORY if self._new_names(path) else self.base.kind(path)

    def read(self, path: str) -> bytes:
        return self.edits[path] if path in self.edits else self.base.read(path)

    def names(self, path: str) -> tuple[str, ...]:
        return tuple(sorted({*self.base.names(path), *self._new_names(path)}))

    def real_path(self, path: str) -> str:
        return path if path in self.edits else self.base.real_path(path)

    def digest(self, path: str) -> str:
        prefix = f"{path}/" if path else ""
        inside = {name: data for name, data in self.edits.items() if name == path or name.startswith(prefix)}
        if not inside:
            return self.base.digest(path)
        total = hashlib.sha256(self.base.digest(path).encode())
        for name, data in sorted(inside.items()):
            total.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(data).digest())
        return total.hexdigest()

    def _new_names(self, path: str) -> frozenset[str]:
        prefix = f"{path}/" if path else ""
        return frozenset(name[len(prefix) :].split("/")[0] for name in self.edits if name.startswith(prefix))
