"""A directory on this machine as a Tree: what somebody has in their editor, before it is committed."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from controller.model import CommitId, EntryKind, RepositoryName, Stalled

WORKING_COPY = CommitId("0" * 40)  # nothing of it is committed, as far as a reader may rely on


@dataclass(frozen=True, slots=True)
class DirectoryTree:
    """Implements `model.Tree`. Symbolic links are followed inside the directory; one that leaves it is an error."""

    root: Path
    repository: RepositoryName
    commit: CommitId = WORKING_COPY
    _root: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_root", os.path.realpath(self.root))

    def kind(self, path: str) -> EntryKind:
        place = self._place(path)
        mode = _mode(place)
        if stat.S_ISREG(mode):
            return EntryKind.FILE
        if stat.S_ISDIR(mode) and not place.endswith("/.git"):
            return EntryKind.DIRECTORY
        return EntryKind.ABSENT

    def read(self, path: str) -> bytes:
        place = self._place(path)
        if not stat.S_ISREG(_mode(place)):
            raise KeyError(path)
        return Path(place).read_bytes()

    def names(self, path: str) -> tuple[str, ...]:
        place = self._place(path)
        if not stat.S_ISDIR(_mode(place)):
            return ()
        return tuple(sorted(one.name for one in Path(place).iterdir() if one.name != ".git"))

    def real_path(self, path: str) -> str:
        return self._place(path)[len(self._root) :].lstrip("/")

    def digest(self, path: str) -> str:
        match self.kind(path):
            case EntryKind.FILE:
                return hashlib.sha256(self.read(path)).hexdigest()
            case EntryKind.DIRECTORY:
                inside = ((name, self.digest(f"{path}/{name}" if path else name)) for name in self.names(path))
                return hashlib.sha256(repr(tuple(inside)).encode()).hexdigest()
            case EntryKind.SUBMODULE | EntryKind.ABSENT:
                return ""

    def _place(self, path: str) -> str:
        """Resolve links. Below the root there are seldom any, which one look per part tells."""
        full = self._root
        for part in path.split("/") if path else ():
            full = f"{full}/{part}"
            if part in {"", ".", ".."} or stat.S_ISLNK(_own_mode(full)):
                return self._resolved(path)
        return full

    def _resolved(self, path: str) -> str:
        try:
            place = Path(self._root, path).resolve()
        except (OSError, RuntimeError) as error:  # a loop of symbolic links; RuntimeError before Python 3.13
            raise Stalled(f"{path}: can't be resolved ({error})") from error
        if not place.is_relative_to(self._root):
            raise Stalled(f"{path} leads out of {self.root}. Links must stay inside the repository")
        return str(place)


def _mode(place: str) -> int:
    """Give what a place is; 0 where there is nothing."""
    try:
        return os.stat(place).st_mode  # noqa: PTH116  making a Path costs more than the look
    except (OSError, ValueError):
        return 0


def _own_mode(place: str) -> int:
    """Give what a place is itself, where a link would lead elsewhere."""
    try:
        return os.lstat(place).st_mode
    except (OSError, ValueError):
        return 0
