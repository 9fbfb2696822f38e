"""Where in a file a field stands: read again, with positions, so that ordinary reads pay nothing for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from controller.documents.reading import Document, read, syntax_error
from controller.documents.resolving import Dialect
from controller.model import Element, FieldPath, Position, Step


@dataclass(frozen=True, slots=True)
class Positions:
    """The documents of one file, and where each of their fields stands."""

    path: str
    documents: tuple[Document, ...]
    roots: tuple[Any, ...]  # PyYAML nodes, by a document's `index`

    def position(self, index: int, field: FieldPath = ()) -> Position:
        """Give the place of a field's value in document `index`; of its deepest parent where it is not there."""
        return self._place(index, field, of_key=False)

    def key_position(self, index: int, field: FieldPath) -> Position:
        """Give the place of a field's key (of an element of a list: of its value)."""
        return self._place(index, field, of_key=True)

    def has(self, index: int, field: FieldPath) -> bool:
        """Tell whether the field stands in the file."""
        node = self.roots[index]
        for step in field:
            node, _ = _child(node, step)
            if node is None:
                return False
        return True

    def _place(self, index: int, field: FieldPath, *, of_key: bool) -> Position:
        if not 0 <= index < len(self.roots) or self.roots[index] is None:
            return Position(self.path)
        node = key = self.roots[index]
        for step in field:
            child, its_key = _child(node, step)
            if child is None:
                break
            node, key = child, its_key
        mark = (key if of_key else node).start_mark
        return Position(self.path, mark.line + 1, mark.column + 1)


def read_with_positions(data: bytes, *, path: str, dialect: Dialect) -> Positions:
    """Read every document, with a look-up of positions. Raises Invalid as `read` does."""
    documents = read(data, path=path, dialect=dialect)
    try:
        roots = tuple(yaml.compose_all(data, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:  # what `read` took, compose may refuse: an anchor that is written twice
        raise syntax_error(error, data, path) from error
    return Positions(path, documents, roots)


def locate(
    data: bytes, *, path: str, index: int, field: FieldPath, dialect: Dialect = Dialect.KUBERNETES, of_key: bool = False
) -> Position:
    """Give line and column of a field's value (or its key) in document `index` of a file."""
    positions = read_with_positions(data, path=path, dialect=dialect)
    return positions.key_position(index, field) if of_key else positions.position(index, field)


def _child(node: Any, step: Step) -> tuple[Any, Any]:
    """Give the node that a step leads to, and the node of its key; (None, None) where there is none."""
    if isinstance(node, yaml.MappingNode) and isinstance(step, str):
        return _entry(node, step)
    if isinstance(node, yaml.SequenceNode):
        if isinstance(step, int) and -len(node.value) <= step < len(node.value):
            return node.value[step], node.value[step]
        if isinstance(step, Element):
            found = next((one for one in node.value if _is_element(one, step)), None)
            return found, found
    return None, None


def _entry(node: yaml.MappingNode, name: str) -> tuple[Any, Any]:
    for key, value in reversed(node.value):
        if isinstance(key, yaml.ScalarNode) and key.value == name:
            return value, key
    for key, value in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            for one in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(one, yaml.MappingNode):
                    found = _entry(one, name)
                    if found[0] is not None:
                        return found
    return None, None


def _is_element(node: Any, element: Element) -> bool:
    """Compare an element's keys as they are written. A key with a default, such as a protocol, may be left out."""
    if isinstance(node, yaml.ScalarNode):
        return any(node.value == str(value) for _, value in element.keys)
    if not isinstance(node, yaml.MappingNode):
        return False
    written = {key.value: value.value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    known = [(key, value) for key, value in element.keys if key in written]
    return bool(known) and all(written[key] == _text(value) for key, value in known)


def _text(value: str | int | bool) -> str:  # noqa: FBT001  it is data
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
