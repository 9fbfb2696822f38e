"""Where in a file a field stands: read again, with positions, so that ordinary reads pay nothing for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from controller.documents.reading import Document, read, syntax_error
from controller.documents.resolving import Dialect
from controller.model import Element, FieldPath, Position, Step

_MERGE: Final = "tag:yaml.org,2002:merge"
_NOWHERE: Final = (None, None)
_Entries = dict[str, tuple[Any, Any]]  # the nodes of a value and of its key, by the key's text


class _Composer(yaml.CSafeLoader):
    """Composes nodes for their places. What their scalars mean is not asked, but for `<<`."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode and value == "<<" and implicit[0]:
            return _MERGE
        return str(self.DEFAULT_SCALAR_TAG)


@dataclass(frozen=True, slots=True)
class Positions:
    """The documents of one file, and where each of their fields stands."""

    path: str
    documents: tuple[Document, ...]
    roots: tuple[Any, ...]  # PyYAML nodes, by a document's `index`
    _entries: dict[int, _Entries] = field(default_factory=dict, repr=False, compare=False)  # of mappings, by id

    def position(self, index: int, path: FieldPath = ()) -> Position:
        """Give the place of a field's value in document `index`; of its deepest parent where it is not there."""
        return self._place(index, path, of_key=False)

    def key_position(self, index: int, path: FieldPath) -> Position:
        """Give the place of a field's key (of an element of a list: of its value)."""
        return self._place(index, path, of_key=True)

    def has(self, index: int, path: FieldPath) -> bool:
        """Tell whether the field stands in the file."""
        node = self.roots[index]
        for step in path:
            node, _ = self._child(node, step)
            if node is None:
                return False
        return True

    def _place(self, index: int, path: FieldPath, *, of_key: bool) -> Position:
        if not 0 <= index < len(self.roots) or self.roots[index] is None:
            return Position(self.path)
        node = key = self.roots[index]
        for step in path:
            child, its_key = self._child(node, step)
            if child is None:
                break
            node, key = child, its_key
        mark = (key if of_key else node).start_mark
        return Position(self.path, mark.line + 1, mark.column + 1)

    def _child(self, node: Any, step: Step) -> tuple[Any, Any]:
        """Give the node that a step leads to, and the node of its key; (None, None) where there is none."""
        if isinstance(node, yaml.MappingNode) and isinstance(step, str):
            known = self._entries.get(id(node))
            if known is None:
                known = self._entries[id(node)] = _entries_of(node)
            return known.get(step, _NOWHERE)
        if isinstance(node, yaml.SequenceNode):
            if isinstance(step, int) and -len(node.value) <= step < len(node.value):
                return node.value[step], node.value[step]
            if isinstance(step, Element):
                found = next((one for one in node.value if _is_element(one, step)), None)
                return found, found
        return _NOWHERE


def read_with_positions(data: bytes, *, path: str, dialect: Dialect) -> Positions:
    """Read every document, with a look-up of positions. Raises Invalid as `read` does."""
    documents = read(data, path=path, dialect=dialect)
    try:
        roots = tuple(yaml.compose_all(data, Loader=_Composer))
    except yaml.YAMLError as error:  # what `read` took, compose may refuse: an anchor that is written twice
        raise syntax_error(error, data, path) from error
    return Positions(path, documents, roots)


def locate(
    data: bytes, *, path: str, index: int, field: FieldPath, dialect: Dialect = Dialect.KUBERNETES, of_key: bool = False
) -> Position:
    """Give line and column of a field's value (or its key) in document `index` of a file."""
    positions = read_with_positions(data, path=path, dialect=dialect)
    return positions.key_position(index, field) if of_key else positions.position(index, field)


def _entries_of(node: yaml.MappingNode) -> _Entries:
    """Index the entries of a mapping: the last of equal keys holds, and each before what `<<` brings."""
    found: _Entries = {}
    for key, value in reversed(node.value):
        if key.tag == _MERGE:
            for one in reversed(value.value) if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(one, yaml.MappingNode):
                    found = {**found, **_entries_of(one)}
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            found[key.value] = (value, key)
    return found


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
