"""The set of sources that the platform in force names, each with its own polling task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from controller.engine.sources import Checkout, Signers, Source
from controller.engine.spawning import Spawn
from controller.git import GitTree
from controller.model import ConvergeError, RepositoryName, Stalled


@dataclass(frozen=True, slots=True)
class Wanted:
    """One repository as the platform names it, with the revisions that applications follow in it."""

    url: str
    credentials: str
    revisions: frozenset[str]
    signers: Signers


class MakeSource(Protocol):
    def __call__(self, name: RepositoryName, url: str, credentials: str) -> Source: ...


@dataclass(frozen=True, slots=True)
class _Following:
    url: str
    credentials: str
    source: Source
    task: asyncio.Task[None]


class SourceSet:
    """Owns the sources and their tasks."""

    def __init__(self, make: MakeSource, spawn: Spawn, *, watch: Callable[[Source], None]) -> None:
        self._make = make
        self._spawn = spawn
        self._watch = watch
        self._following: dict[RepositoryName, _Following] = {}

    def set(self, wanted: Mapping[RepositoryName, Wanted]) -> None:
        """Follow exactly these: new ones are polled at once, what is named no more is let go."""
        for name in [name for name, one in self._following.items() if not _is_same(one, wanted.get(name))]:
            self._following.pop(name).task.cancel()
        for name, one in wanted.items():
            if name not in self._following:
                source = self._make(name, one.url, one.credentials)
                task = self._spawn(source.run(), f"source {name}")
                self._following[name] = _Following(one.url, one.credentials, source, task)
                self._watch(source)
            self._following[name].source.follow(one.revisions, one.signers)

    def current(self, name: RepositoryName, revision: str) -> Checkout:
        """Give a revision's checkout. Raises Stalled or Transient, as `Source.current` does."""
        return self.source(name).current(revision)

    def is_read(self, name: RepositoryName, revision: str) -> bool:
        return name in self._following and self._following[name].source.is_read(revision)

    def read_ahead(self, paths: Iterable[tuple[RepositoryName, str, str]]) -> None:
        """Have the files under many paths (repository, revision, path) in one request per repository and revision."""
        wanted: dict[GitTree, set[str]] = {}
        for name, revision, path in paths:
            with suppress(ConvergeError):  # whoever reads there meets the same error, and tells it
                tree = self.current(name, revision).tree
                if isinstance(tree, GitTree):
                    wanted.setdefault(tree, set()).add(path)
        for tree, folders in wanted.items():
            with suppress(ConvergeError):
                tree.prefetch(folders)

    def source(self, name: RepositoryName) -> Source:
        if name not in self._following:
            raise Stalled(f"converge.yaml names no repository {name}")
        return self._following[name].source

    def poke(self) -> None:
        for one in self._following.values():
            one.source.poke()

    def close(self) -> None:
        for one in self._following.values():
            one.task.cancel()
        self._following.clear()


def _is_same(one: _Following, wanted: Wanted | None) -> bool:
    return wanted is not None and (one.url, one.credentials) == (wanted.url, wanted.credentials)
