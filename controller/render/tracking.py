"""A Tree that notes what is read from it, and what was looked for and is not there."""

from __future__ import annotations

from collections.abc import Mapping

from controller.model import CommitId, EntryKind, RepositoryName, Stalled, Tree
from controller.render.encrypted import CIPHER, Decipherer
from controller.render.request import Read


class TrackedTree:
    """A Tree of one render. Directories that are only passed through leave no note: their files do."""

    def __init__(
        self, tree: Tree, noted: Mapping[str, str] | None = None, decipherer: Decipherer | None = None
    ) -> None:
        """Read a tree; with a decipherer, files that SOPS encrypted are read in the clear."""
        self._tree = tree
        self._decipherer = decipherer
        self._noted: dict[str, str | None] = {**(noted or {})}  # None: the digest is asked for in the end
        self._kinds: dict[str, EntryKind] = {}

    def continued(self, tree: Tree) -> TrackedTree:
        """Go on with another tree in this one's place; what was read so far stays noted."""
        return TrackedTree(tree, self._digests(), self._decipherer)

    @property
    def repository(self) -> RepositoryName:
        return self._tree.repository

    @property
    def commit(self) -> CommitId:
        return self._tree.commit

    def kind(self, path: str) -> EntryKind:
        known = self._kinds.get(path)
        if known is None:
            known = self._kinds[path] = self._tree.kind(path)
            if known is EntryKind.ABSENT:
                self._noted[path] = ""
        return known

    def read(self, path: str) -> bytes:
        data = self.written(path)
        if self._decipherer is None or CIPHER not in data:
            return data
        return self._decipherer.read(self.repository, path, data)

    def written(self, path: str) -> bytes:
        """Give a file as it stands in git, for the places of things in it."""
        self._note(path)
        try:
            return self._tree.read(path)
        except KeyError as error:
            raise Stalled(f"{path}: there is no such file in {self._tree.repository}") from error

    def is_encrypted(self, path: str) -> bool:
        """Tell whether a file was read in the clear that stands encrypted in git."""
        return self._decipherer is not None and (self.repository, path) in self._decipherer.files

    def names(self, path: str) -> tuple[str, ...]:
        """Give the names in a directory. The whole directory is noted: a new file in it is a change."""
        self._note(path)
        return self._tree.names(path)

    def real_path(self, path: str) -> str:
        return self._tree.real_path(path)

    def digest(self, path: str) -> str:
        return self._tree.digest(path)

    def reads(self) -> tuple[Read, ...]:
        return tuple(sorted(Read(self.repository, path, digest) for path, digest in self._digests().items()))

    def _note(self, path: str) -> None:
        self._noted.setdefault(path, None)

    def _digests(self) -> dict[str, str]:
        return {path: self._tree.digest(path) if digest is None else digest for path, digest in self._noted.items()}
