"""A value in an interface file that knows where it stands: what rules look at and models are built from.

The getters are tolerant: a value of the wrong type reads as absent, because the schema has said so already and the
rules that follow shall still find every other mistake.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from controller.config.complaint import Complaint
from controller.documents import Positions
from controller.model import CommitId, FieldPath, JsonValue, Origin, Position, Problem, RepositoryName, format_path


@dataclass(frozen=True, slots=True)
class File:
    """One file of a tree, read with positions."""

    path: str
    repository: RepositoryName
    commit: CommitId
    positions: Positions
    document: int = 0  # which of the file's documents

    def position(self, field: FieldPath, *, of_key: bool = False) -> Position:
        index = self.positions.documents[self.document].index
        return self.positions.key_position(index, field) if of_key else self.positions.position(index, field)


@dataclass(frozen=True, slots=True)
class Node:
    value: JsonValue
    file: File
    field: FieldPath = ()

    def entries(self) -> Iterator[tuple[str, Node]]:
        """Give the fields of a mapping, in the order of the file."""
        if isinstance(self.value, dict):
            for name, value in self.value.items():
                yield name, Node(value, self.file, (*self.field, name))

    def elements(self) -> Iterator[Node]:
        if isinstance(self.value, list):
            for index, value in enumerate(self.value):
                yield Node(value, self.file, (*self.field, index))

    def get(self, *names: str) -> Node:
        """Give a field, or an empty node at its place."""
        value = self.value
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return Node(value, self.file, (*self.field, *names))

    def _value(self, name: str) -> JsonValue:
        return self.value.get(name) if isinstance(self.value, dict) else None

    def text(self, name: str, default: str = "") -> str:
        value = self._value(name)
        return value if isinstance(value, str) else default

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._value(name)
        return value if isinstance(value, bool) else default

    def number(self, name: str, default: int) -> int:
        value = self._value(name)
        return int(value) if isinstance(value, int | float) else default

    def texts(self, name: str) -> tuple[str, ...] | None:
        """Give a list of texts, None where there is none."""
        value = self._value(name)
        return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else None

    def named(self, name: str) -> Mapping[str, Node]:
        """Give the entries of a mapping by name."""
        return dict(self.get(name).entries()) if self._value(name) else {}

    def problem(self, what: str, advice: str = "", *, of_key: bool = False) -> Problem:
        return Problem(self.file.position(self.field, of_key=of_key), what, format_path(self.field), advice)

    def complaint(self, found: Complaint) -> Problem:
        return self.problem(found.what, found.advice)

    def origin(self) -> Origin:
        """Give the place of the node's key."""
        line = self.file.position(self.field, of_key=True).line
        return Origin(self.file.repository, self.file.path, line, self.file.commit)
