"""A directory tree at a commit: model.Tree, read from the local mirror only.

Paths are resolved as a POSIX file system resolves them, with the repository's root as `/` that nothing may leave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from controller.git.objects import DIRECTORY, LINK, SUBMODULE, Objects, TreeEntry, objects_at
from controller.model import CommitId, EntryKind, RepositoryName, Stalled

LINK_LIMIT = 40  # as Linux
DEEP = 40  # folders in folders, whose ways are not worth remembering
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
LFS_POINTER_LIMIT_BYTES = 1024
PREFETCH_LIMIT = 20_000  # files
KNOWN_PATHS = 4096  # that a tree remembers where they lead: 300 bytes each


class _Found(NamedTuple):
    entry: TreeEntry
    path: str  # without links


_Pair = tuple[str, TreeEntry | None, TreeEntry | None]  # a path, and what two trees have there


class GitTree:
    """Implements model.Tree. Its pickle is a few strings: another process opens a reader of its own.

    Reading raises Damaged (Transient) when the mirror turns out to be broken or deleted: fetch, and begin again.
    """

    def __init__(self, mirror: Path, commit: CommitId, root: str, repository: RepositoryName) -> None:
        self._mirror = mirror
        self._commit = commit
        self._root = TreeEntry(DIRECTORY, root)
        self._repository = repository
        self._objects_here: Objects | None = None
        self._known: dict[str, _Found | None] = {}

    def __reduce__(self) -> tuple[type[GitTree], tuple[Path, CommitId, str, RepositoryName]]:
        return GitTree, (self._mirror, self._commit, self._root.oid, self._repository)

    def __repr__(self) -> str:
        return f"GitTree({self._mirror.name}, {self._commit[:12]})"

    @property
    def repository(self) -> RepositoryName:
        return self._repository

    @property
    def commit(self) -> CommitId:
        return self._commit

    def kind(self, path: str) -> EntryKind:
        found = self._find(path)
        if found is None:
            return EntryKind.ABSENT
        match found.entry.mode:
            case "40000":
                return EntryKind.DIRECTORY
            case "160000":
                return EntryKind.SUBMODULE
            case _:
                return EntryKind.FILE

    def read(self, path: str) -> bytes:
        found = self._find(path)
        if found is None or found.entry.mode == DIRECTORY:
            raise KeyError(path)
        if found.entry.mode == SUBMODULE:
            raise self._submodule(path)
        data = self._objects.blob(found.entry.oid)
        if len(data) < LFS_POINTER_LIMIT_BYTES and data.startswith(LFS_POINTER):
            raise self._stalled(
                path, "the file is a Git LFS pointer, and its content is not in git. Commit it without LFS"
            )
        return data

    def names(self, path: str) -> tuple[str, ...]:
        found = self._find(path)
        if found is None:
            return ()
        if found.entry.mode == SUBMODULE:
            raise self._submodule(path)
        return tuple(self._objects.directory(found.entry.oid)) if found.entry.mode == DIRECTORY else ()

    def real_path(self, path: str) -> str:
        found = self._find(path)
        return path if found is None else found.path

    def digest(self, path: str) -> str:
        found = self._find(path)
        return "" if found is None else found.entry.oid

    def blob_id(self, path: str) -> str:
        """Give git's id of a file's content; "" where there is no file."""
        found = self._find(path)
        return "" if found is None or found.entry.mode in {DIRECTORY, SUBMODULE} else found.entry.oid

    def mode(self, path: str) -> str:
        """Give git's mode of what a path leads to (100644, 100755, 160000, 40000); "" where there is nothing."""
        found = self._find(path)
        return "" if found is None else found.entry.mode

    def prefetch(self, paths: Iterable[str] = ("",), *, is_known: Callable[[str], bool] = lambda _blob: False) -> None:
        """Read everything under these paths in a few exchanges, as far as the cache holds it.

        Of a file whose blob `is_known` by its id, nothing is read but the folder it lies in.
        """
        found = [one for one in map(self._find, paths) if one is not None]
        blobs = [one.entry.oid for one in found if one.entry.mode not in {DIRECTORY, SUBMODULE}]
        level = [one.entry.oid for one in found if one.entry.mode == DIRECTORY]
        while level and len(blobs) < PREFETCH_LIMIT:
            self._objects.prefetch_directories(level)
            entries = [entry for oid in level for entry in self._objects.directory(oid).entries()]
            blobs += [entry.oid for entry in entries if entry.mode not in {DIRECTORY, SUBMODULE}]
            level = [entry.oid for entry in entries if entry.mode == DIRECTORY]
        self._objects.prefetch([one for one in blobs[:PREFETCH_LIMIT] if not is_known(one)])

    def prefetch_files(self, paths: Iterable[str], *, is_known: Callable[[str], bool]) -> None:
        """Read these files in a few exchanges: the folders that they lie in, and then what is in them."""
        wanted = list(paths)
        folders = [found for path in {one.rpartition("/")[0] for one in wanted} if (found := self._find(path))]
        self._objects.prefetch_directories(one.entry.oid for one in folders if one.entry.mode == DIRECTORY)
        self.prefetch(wanted, is_known=is_known)

    def differences(self, other: GitTree) -> Iterator[str]:
        """Name the files that differ in another tree of the same mirror. Equal folders cost nothing."""
        pending: list[_Pair] = [("", self._root, other._root)]
        while pending:
            path, ours, theirs = pending.pop()
            if ours == theirs:
                continue
            if any(entry is not None and entry.mode != DIRECTORY for entry in (ours, theirs)):
                yield path
            pending += self._children(path, ours, theirs)

    @property
    def _objects(self) -> Objects:
        if self._objects_here is None or not self._objects_here.belongs_here():
            self._objects_here = objects_at(self._mirror)
        return self._objects_here

    def _find(self, path: str) -> _Found | None:
        try:
            return self._known[path]
        except KeyError:
            if len(self._known) >= KNOWN_PATHS:
                self._known.clear()
            found = self._known[path] = self._look(path)
            return found

    def _look(self, path: str) -> _Found | None:
        """Look into the folder that a path lies in, which is looked up once for all that lies there."""
        head, _, name = path.rpartition("/")
        if name in {"", ".", ".."} or path.count("/") > DEEP:
            return self._walk(path)
        folder = self._find(head)
        if folder is None:
            return None
        if folder.entry.mode != DIRECTORY:
            return self._walk(path)
        entry = self._objects.directory(folder.entry.oid).entry(name)
        if entry is None:
            return None
        if entry.mode == LINK:
            return self._walk(path)
        return _Found(entry, f"{folder.path}/{name}" if folder.path else name)

    def _walk(self, path: str) -> _Found | None:
        """Go down component by component; a link puts its target's components in its place.

        Folders on the way are remembered, as long as the way is the path itself.
        """
        pending = path.split("/")[::-1]
        at = [("", self._root)]
        links = 0
        is_straight = True
        while pending:
            component = pending.pop()
            if component in {"", "."}:
                is_straight = False
                continue
            if component == "..":
                if len(at) == 1:
                    raise self._leaves(path)
                at.pop()
                is_straight = False
                continue
            here = at[-1][1]
            if here.mode == SUBMODULE:
                raise self._submodule(path)
            entry = self._objects.directory(here.oid).entry(component) if here.mode == DIRECTORY else None
            if entry is None:
                return None
            if entry.mode == LINK:
                links += 1
                pending += self._target(path, entry, links).split("/")[::-1]
                is_straight = False
            else:
                at.append((component, entry))
                if is_straight and pending and entry.mode == DIRECTORY:
                    way = "/".join(name for name, _ in at[1:])
                    self._known.setdefault(way, _Found(entry, way))
        return _Found(at[-1][1], "/".join(name for name, _ in at[1:]))

    def _target(self, path: str, entry: TreeEntry, links: int) -> str:
        if links > LINK_LIMIT:
            raise self._stalled(path, f"the path follows more than {LINK_LIMIT} symbolic links: they lead in a circle")
        target = self._objects.blob(entry.oid).decode(errors="surrogateescape")
        if target.startswith("/"):
            raise self._leaves(path)
        return target

    def _children(self, path: str, ours: TreeEntry | None, theirs: TreeEntry | None) -> Iterator[_Pair]:
        left, right = (
            self._objects.directory(entry.oid) if entry is not None and entry.mode == DIRECTORY else {}
            for entry in (ours, theirs)
        )
        for name in {**left, **right}:
            yield (f"{path}/{name}" if path else name, left.get(name), right.get(name))

    def _leaves(self, path: str) -> Stalled:
        return self._stalled(
            path, "the path leaves the repository by a symbolic link or `..`. Point it at a file inside"
        )

    def _submodule(self, path: str) -> Stalled:
        return self._stalled(
            path,
            "the path is in a git submodule, and submodules are not fetched. Make it an application's own repository",
        )

    def _stalled(self, path: str, why: str) -> Stalled:
        return Stalled(f"{path}: {why} (commit {self._commit[:12]})")
