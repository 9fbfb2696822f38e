"""A directory on this machine as a Tree: what somebody has in their editor, before it is committed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from controller.model import CommitId, EntryKind, RepositoryName, Stalled

WORKING_COPY = CommitId("0" * 40)  # nothing of it is committed, as far as a reader may rely on


@dataclass(frozen=True, slots=True)
class DirectoryTree:
    """Implements `model.Tree`. Symbolic links are followed inside the directory; one that leaves it is an error."""

    root: Path
    repository: RepositoryName
    commit: CommitId = WORKING_COPY

    def kind(self, path: str) -> EntryKind:
        place = self._place(path)
        if place.is_file():
            return EntryKind.FILE
        if place.is_dir() and place.name != ".git":
            return EntryKind.DIRECTORY
        return EntryKind.ABSENT

    def read(self, path: str) -> bytes:
        place = self._place(path)
        if not place.is_file():
            raise KeyError(path)
        return place.read_bytes()

    def names(self, path: str) -> tuple[str, ...]:
        place = self._place(path)
        return tuple(sorted(one.name for one in place.iterdir() if one.name != ".git")) if place.is_dir() else ()

    def real_path(self, path: str) -> str:
        relative = self._place(path).relative_to(self.root.resolve()).as_posix()
        return "" if relative == "." else relative

    def digest(self, path: str) -> str:
        match self.kind(path):
            case EntryKind.FILE:
                return hashlib.sha256(self.read(path)).hexdigest()
            case EntryKind.DIRECTORY:
                inside = ((name, self.digest(f"{path}/{name}" if path else name)) for name in self.names(path))
                return hashlib.sha256(repr(tuple(inside)).encode()).hexdigest()
            case EntryKind.SUBMODULE | EntryKind.ABSENT:
                return ""

    def _place(self, path: str) -> Path:
        root = self.root.resolve()
        try:
            place = (root / path).resolve()
        except (OSError, RuntimeError) as error:  # a loop of symbolic links; RuntimeError before Python 3.13
            raise Stalled(f"{path}: can't be resolved ({error})") from error
        if not place.is_relative_to(root):
            raise Stalled(f"{path} leads out of {self.root}. Links must stay inside the repository")
        return place
