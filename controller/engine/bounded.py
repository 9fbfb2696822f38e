"""Trees that are read up to a bound: how long a render takes is not known before it has read what it renders."""

from __future__ import annotations

from dataclasses import dataclass, replace

from controller.model import CommitId, EntryKind, RepositoryName, Tree
from controller.render import RenderRequest


class TooMuch(Exception):
    """A render has read more than it may where it runs."""


@dataclass(slots=True)
class _Allowance:
    left: int  # bytes

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise TooMuch


@dataclass(frozen=True, slots=True)
class _BoundedTree:
    """Implements `model.Tree`."""

    tree: Tree
    allowance: _Allowance

    @property
    def repository(self) -> RepositoryName:
        return self.tree.repository

    @property
    def commit(self) -> CommitId:
        return self.tree.commit

    def kind(self, path: str) -> EntryKind:
        return self.tree.kind(path)

    def read(self, path: str) -> bytes:
        data = self.tree.read(path)
        self.allowance.spend(len(data))
        return data

    def names(self, path: str) -> tuple[str, ...]:
        return self.tree.names(path)

    def real_path(self, path: str) -> str:
        return self.tree.real_path(path)

    def digest(self, path: str) -> str:
        return self.tree.digest(path)


def bounded(request: RenderRequest, size: int) -> RenderRequest:
    """Give a request whose render raises TooMuch where it reads more than `size` bytes in all."""
    allowance = _Allowance(size)
    application, platform = _BoundedTree(request.application, allowance), _BoundedTree(request.platform, allowance)
    return replace(request, application=application, platform=platform)
