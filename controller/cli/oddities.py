"""What is no error and seldom what was meant, over all placements of a platform."""

from __future__ import annotations

from collections import Counter

from controller.documents import ambiguities
from controller.model import EntryKind, Problem
from controller.render import Rendered, RenderRequest

SUFFIXES = (".yaml", ".yml", ".json", "Kustomization")


class Oddities:
    """Gathers warnings: each once, and of an entry that changes nothing only where it does so for all that read it."""

    def __init__(self) -> None:
        self._warnings: dict[Problem, None] = {}
        self._idle: Counter[Problem] = Counter()
        self._readers: Counter[str] = Counter()
        self._seen: set[tuple[str, str, str]] = set()

    def add(self, request: RenderRequest, rendered: Rendered) -> None:
        """Take a placement's warnings, and look at the files that it read and that were not looked at before."""
        self._warnings.update(dict.fromkeys(rendered.warnings))
        self._idle.update(rendered.idle)
        self._readers.update({read.path for read in rendered.reads if read.digest})
        trees = {request.application.repository: request.application, request.platform.repository: request.platform}
        for read in rendered.reads:
            key, tree = (read.repository, read.path, read.digest), trees[read.repository]
            if not read.digest or key in self._seen or not read.path.endswith(SUFFIXES):
                continue
            self._seen.add(key)
            if tree.kind(read.path) is EntryKind.FILE:
                self._warnings.update(dict.fromkeys(ambiguities(tree.read(read.path), path=read.path)))

    def found(self) -> list[Problem]:
        """Give the warnings, in the order in which they were met."""
        return [one for one in self._warnings if one not in self._idle or self._is_idle_everywhere(one)]

    def _is_idle_everywhere(self, one: Problem) -> bool:
        return self._idle[one] >= self._readers[one.where.path]
