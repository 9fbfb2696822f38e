"""Instances from the records branch: all at first, and then what its commits changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final

from controller.git import BranchFiles, GitTree, Mirror
from controller.model import PLATFORM, CommitId, EntryKind, Export
from controller.records.exporters import Instance, instance_at

FOLDER: Final = "cmdb"
TOGETHER: Final = 20  # applications whose records are read in one request to git


class Reading:
    """What one export was told of last. In memory: after a start everything is told once more, which does no harm."""

    def __init__(self, export: Export) -> None:
        self._export = export
        self._commit: CommitId | None = None
        self._known: dict[str, Instance] = {}  # by path

    def instances(self) -> tuple[Instance, ...]:
        """Give the instances that are there, by key."""
        return tuple(sorted((one for one in self._known.values() if not one.is_retired), key=lambda one: one.key))

    async def refresh(self, mirror: Mirror, commit: CommitId) -> Mapping[str, Instance]:
        """Come to a commit, and give what changed, by key. A record that is gone reads as retired. Raises Transient."""
        tree = await mirror.tree(commit, repository=PLATFORM)
        changed = await mirror.changed_paths(self._commit, commit) if self._commit else None
        before = self._known
        known, moved = await mirror.compute(lambda: self._read(tree, before, changed))
        self._known, self._commit = known, commit
        return {one.key: one for one in moved}

    def _read(
        self, tree: GitTree, before: Mapping[str, Instance], changed: frozenset[str] | None
    ) -> tuple[dict[str, Instance], list[Instance]]:
        paths = _everything(tree) if changed is None else (one for one in changed if one.startswith(f"{FOLDER}/"))
        files = BranchFiles(tree)
        known = dict(before) if changed is not None else {}
        moved: list[Instance] = []
        for path in paths:
            found = instance_at(files, path)
            if found is not None and self._is_wanted(found):
                known[path] = found
                if before.get(path) != found:
                    moved.append(found)
            elif found is None and tree.kind(path) is EntryKind.ABSENT:
                gone = known.pop(path, None)
                if gone is not None and not gone.is_retired:
                    moved.append(replace(gone, is_retired=True))
        if changed is None:  # the branch was made anew, or is read for the first time
            gone_with_it = (one for path, one in before.items() if path not in known and not one.is_retired)
            moved += (replace(one, is_retired=True) for one in gone_with_it)
        return known, moved

    def _is_wanted(self, one: Instance) -> bool:
        return _matches(one.place.environment, self._export.environments) and _matches(one.model, self._export.models)


def _matches(name: str, globs: tuple[str, ...] | None) -> bool:
    return globs is None or any(fnmatchcase(name, glob) for glob in globs)


def _everything(tree: GitTree) -> Iterator[str]:
    for environment in tree.names(FOLDER):
        folders = [f"{FOLDER}/{environment}/{name}" for name in tree.names(f"{FOLDER}/{environment}")]
        for first in range(0, len(folders), TOGETHER):
            some = folders[first : first + TOGETHER]
            tree.prefetch(some)
            for folder in some:
                yield from _below(tree, folder)


def _below(tree: GitTree, path: str) -> Iterator[str]:
    if tree.kind(path) is not EntryKind.DIRECTORY:
        yield path
        return
    for name in tree.names(path):
        yield from _below(tree, f"{path}/{name}")
