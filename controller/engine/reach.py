"""How far the files of an application may reach, told from their text: for a plan that has no render to go by.

Plain YAML and kustomizations read below their own directory, and above it only where one of their files says `..`. So
the smallest directory that no file in it leads out of holds all that can be read: while that directory is the same,
so is what is rendered. Whatever could reach elsewhere by other words is not judged here: it is rendered.
"""

from __future__ import annotations

import posixpath
import re
from typing import Final

from controller.model import ConvergeError, EntryKind, Tree

_CLIMBING: Final = re.compile(rb"[^\n]*\.\.[^\n]*")
# Escapes may spell dots, parameters may bring them; Applications of either kind name folders and charts.
_UNSURE: Final = re.compile(rb"\\[xuU]|converge:|converge/v1|core\.oam\.dev")
_MOST_FILES: Final = 20_000  # looking into more takes longer than rendering
_OTHER_DIALECTS: Final = ("Chart.yaml", ".tf", ".tf.json")


class Unsure(Exception):
    """A directory whose reach its text doesn't tell."""


class Reaches:
    """Looks into directories of one tree, into each once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._climbs: dict[str, int | None] = {}
        self._files = 0

    def scope_of(self, path: str) -> str | None:
        """Give the directory out of which no file of an application at `path` leads. None: that is not known."""
        try:
            return self._scope_of(path)
        except (Unsure, ConvergeError, KeyError):
            return None

    def _scope_of(self, path: str) -> str:
        if self._tree.kind(path) is not EntryKind.DIRECTORY or self._tree.real_path(path) != path:
            raise Unsure(path)
        while path and (above := self._climb(path)) > 0:
            for _ in range(above):
                path = posixpath.dirname(path)
        return path

    def _climb(self, path: str) -> int:
        """Tell how many directories above `path` something in it may lead. Raises Unsure."""
        if path not in self._climbs:
            try:
                self._climbs[path] = self._climb_of_directory(path)
            except Unsure:
                self._climbs[path] = None
        known = self._climbs[path]
        if known is None:
            raise Unsure(path)
        return known

    def _climb_of_directory(self, path: str) -> int:
        most = 0
        for name in self._tree.names(path):
            below = f"{path}/{name}" if path else name
            kind = self._tree.kind(below)
            if name.endswith(_OTHER_DIALECTS) or self._tree.real_path(below) != below:
                raise Unsure(below)
            if kind is EntryKind.DIRECTORY:
                most = max(most, self._climb(below) - 1)
            elif kind is EntryKind.FILE:
                self._files += 1
                if self._files > _MOST_FILES:
                    raise Unsure(below)
                most = max(most, _climb_of_file(self._tree.read(below)))
            else:
                raise Unsure(below)
        return most


def _climb_of_file(data: bytes) -> int:
    if _UNSURE.search(data):
        raise Unsure
    return max((line.count(b"..") for line in _CLIMBING.findall(data)), default=0)
