"""YAML into JSON values: libyaml's events, and a constructor of our own.

PyYAML's own constructor disagrees with kubectl on one awkward scalar in thirty, keeps the last of two equal keys
and shares what aliases name. This one resolves as a `Dialect` says, refuses equal keys, copies what an alias names
within a budget, and is two to three times as fast, since it builds no nodes between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml
from yaml import MappingStartEvent, ScalarEvent, SequenceStartEvent

from controller.documents.resolving import NUMBER_STARTS, RESOLVERS, WORDS, Dialect, ScalarError, resolve_tagged
from controller.documents.scalars import (
    UINT64_MAX,
    BareKey,
    Folded,
    Quoted,
    SpelledNull,
    format_float_key,
    unspelled,
)
from controller.model import Invalid, JsonValue, Position, Problem

MAX_BYTES: Final = 32 << 20
MAX_DEPTH: Final = 200
MAX_ALIASED_NODES: Final = 400_000  # go-yaml's budget for a document of moderate size

Replace = Callable[[str, bool, Position], JsonValue]  # a scalar's text, whether it is plain, and where it stands

KEY_STARTS: Final = NUMBER_STARTS | {"<"}  # a plain key that starts with one of these may be no string
_UNFINISHED: Final = object()
_MERGE: Final = object()
_NO_MERGE: Final = object()  # `<<` in quotes, which kustomize drops where no real one stands before it
_MERGE_TAG: Final = "tag:yaml.org,2002:merge"
_SPELLED_NULLS: Final = {(text, flow): SpelledNull(text, flow) for text in ("", "~") for flow in (False, True)}


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file. `line` is that of its first node, `index` its place among all documents, from 0."""

    value: JsonValue
    line: int
    index: int


def read(
    data: bytes,
    *,
    path: str,
    dialect: Dialect,
    strict: bool = True,
    styled: bool = False,
    replace: Replace | None = None,
) -> tuple[Document, ...]:
    """Read every document that is not empty or null. With `strict` off the last of two equal keys holds.

    With `styled`, strings in quotes are `Quoted` and nulls that are not spelled `null` are `SpelledNull`.
    `replace` is asked for the value of every scalar that has a `$`: parameters go in before anything is resolved.

    Raises Invalid for syntax errors, equal keys, keys and values that JSON lacks, alias bombs, depth and size.
    """
    if len(data) > MAX_BYTES:
        raise _invalid(path, 0, 0, f"the file has {len(data)} bytes; {MAX_BYTES} are read at most")
    constructor = _Constructor(path, dialect, strict=strict, styled=styled, replace=replace)
    try:
        # `yaml.parse` without its generator, which costs as much again as libyaml's own work.
        return tuple(constructor.documents(iter(yaml.CSafeLoader(data).get_event, None)))
    except yaml.YAMLError as error:
        raise syntax_error(error, data, path) from error
    except _Duplicate as error:
        raise _duplicate(data, path, error) from None


class _Duplicate(Exception):
    def __init__(self, key: str, line: int, column: int) -> None:
        self.key, self.line, self.column = key, line, column
        super().__init__(key)


class _Constructor:
    """Builds values from events. One instance per file; nothing of it outlives `documents`."""

    def __init__(self, path: str, dialect: Dialect, *, strict: bool, styled: bool, replace: Replace | None) -> None:
        self._styled = styled
        self._replace = replace
        self._path = path
        self._dialect = dialect
        self._strict = strict
        self._words = WORDS[dialect]
        self._resolve = RESOLVERS[dialect]
        self._aliased = 0

    def documents(self, events: Iterator[Any]) -> Iterator[Document]:
        index = 0
        for event in events:
            if event.__class__ is yaml.DocumentStartEvent:
                value, line = self._document(events)
                if value is not None and value.__class__ is not SpelledNull:
                    yield Document(value, line, index)
                index += 1

    def _document(self, events: Iterator[Any]) -> tuple[Any, int]:  # noqa: C901, PLR0912, PLR0915  one loop: a call per node would double the time
        """Build the value that comes next, and tell its line: a loop with a stack, so that depth costs no recursion.

        `key` is where in a mapping the next value goes; `is_key` says that a mapping waits for its next key.
        """
        words, resolve, replace, styled = self._words, self._resolve, self._replace, self._styled
        anchors: dict[str, Any] = {}
        stack: list[tuple[Any, Any, str | None, Any, bool]] = []
        container: Any = None
        key: Any = None
        is_key = False
        anchor: str | None = None
        merges: Any = None
        in_flow = False  # read only where styled: a blank null is text there
        line = 0
        for event in events:
            kind = event.__class__
            if kind is ScalarEvent:
                value = event.value
                if replace is not None and "$" in value:
                    value = replace(value, event.implicit[0], self._position(event))
                elif event.implicit[0]:
                    if is_key:
                        if value not in words and value[0] not in KEY_STARTS and value not in container:
                            if event.anchor is not None:
                                anchors[event.anchor] = value
                            key, is_key = value, False
                            continue
                    elif value in words:
                        value = words[value]
                        if value is None and styled:
                            value = _SPELLED_NULLS.get((event.value, in_flow))
                    elif value[0] in NUMBER_STARTS:
                        value = self._scalar(resolve, value, event)
                elif event.tag is not None and event.tag != "!":
                    value = self._tagged(event)
                elif styled and not is_key:
                    value = Folded(value) if event.style == ">" else Quoted(value)
                if event.anchor is not None:
                    anchors[event.anchor] = value
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                if is_key:
                    raise self._wrong(event, "a mapping or a list can't be a key")
                if len(stack) >= MAX_DEPTH:
                    raise self._wrong(event, f"nested deeper than {MAX_DEPTH} levels")
                if container is None:
                    line = event.start_mark.line + 1
                stack.append((container, key, anchor, merges, in_flow))
                in_flow = in_flow or event.flow_style
                anchor = event.anchor
                if anchor is not None:
                    anchors[anchor] = _UNFINISHED  # known only when it is complete: it can't contain itself
                is_key = kind is MappingStartEvent
                container = {} if is_key else []
                merges = None
                continue
            elif kind is yaml.AliasEvent:
                value = self._alias(event, anchors)
            else:  # the end of a mapping or a sequence
                value = container if merges is None else self._merged(container, merges)
                if anchor is not None:
                    anchors[anchor] = value
                container, key, anchor, merges, in_flow = stack.pop()
                is_key = False
            if is_key:
                key = self._key(value, event, container, top=len(stack) == 1)
                is_key = False
            elif container.__class__ is dict:
                if key is _MERGE:
                    if merges is not None and self._dialect is Dialect.KUSTOMIZE:
                        raise self._wrong(event, "a second `<<` in one mapping", "Merge a list: `<<: [*one, *other]`.")
                    merges = [*(merges or ()), (len(container), self._mergeable(value, event))]
                elif key is not _NO_MERGE:
                    container[key] = value
                elif merges is not None:
                    container["<<"] = value
                is_key = True
            elif container is None:
                return value, line or event.start_mark.line + 1
            else:
                container.append(value)
        raise AssertionError("libyaml ends a document before its stream")

    def _scalar(self, resolve: Callable[[str], JsonValue], text: str, event: Any) -> JsonValue:
        try:
            return resolve(text)
        except ScalarError as error:
            raise self._wrong(event, str(error), "Quote it if it is a string.") from error

    def _tagged(self, event: Any) -> JsonValue:
        try:
            return resolve_tagged(event.tag, event.value, self._dialect)
        except ScalarError as error:
            raise self._wrong(event, str(error)) from error

    def _key(self, value: Any, event: Any, container: dict[str, Any], *, top: bool) -> Any:
        """Give the key that a scalar is, or `_MERGE`. Raises _Duplicate where the mapping has it already."""
        if value == "<<" and event.__class__ is ScalarEvent:
            if event.implicit[0] or event.tag == _MERGE_TAG:
                return _MERGE
            if self._dialect is Dialect.KUSTOMIZE:
                return _NO_MERGE
        if event.__class__ is ScalarEvent and event.implicit[0] and isinstance(value, str):
            if value in self._words or value[0] in NUMBER_STARTS:
                value = self._plain_key(value, event, top=top)
        elif not isinstance(value, str):
            value = self._key_text(unspelled(value), value, event, top=top)
        if value in container and self._strict:
            raise _Duplicate(value, event.start_mark.line + 1, event.start_mark.column + 1)
        return value

    def _plain_key(self, text: str, event: Any, *, top: bool) -> str:
        value = self._scalar(self._resolve, text, event)
        if value.__class__ is str:
            return text
        return self._key_text(unspelled(value), text, event, top=top)

    def _key_text(self, value: Any, text: Any, event: Any, *, top: bool) -> str:
        """Make a string of a key that is none, as the dialect does: kubectl turns it into one, kustomize refuses it."""
        if value is None and not (self._styled and self._dialect is Dialect.KUSTOMIZE):
            raise self._wrong(event, "a key is null", "Quote it if it is a string.")
        if self._dialect is Dialect.KUSTOMIZE:
            if top:
                return str(text)
            if self._styled:
                return BareKey(text)
            raise self._wrong(event, f"the key {text} is not a string", "Quote it.")
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float):
            return format_float_key(value)
        if value > UINT64_MAX >> 1:
            raise self._wrong(event, f"the key {text} is not a string", "Quote it.")
        return str(value)

    def _alias(self, event: Any, anchors: dict[str, Any]) -> JsonValue:
        value = anchors.get(event.anchor, self)
        if value is self:
            raise self._wrong(event, f"the anchor &{event.anchor} is not known here")
        if value is _UNFINISHED:
            raise self._wrong(event, f"the value of the anchor &{event.anchor} contains itself")
        copied: JsonValue = self._copy(value, event)
        return copied

    def _copy(self, value: Any, event: Any) -> Any:
        self._aliased += 1
        if self._aliased > MAX_ALIASED_NODES:
            raise self._wrong(event, f"aliases make more than {MAX_ALIASED_NODES} nodes", "Write the values out.")
        if value.__class__ is dict:
            return {key: self._copy(one, event) for key, one in value.items()}
        if value.__class__ is list:
            return [self._copy(one, event) for one in value]
        return value

    def _mergeable(self, value: Any, event: Any) -> list[dict[str, Any]]:
        maps = value if isinstance(value, list) else [value]
        if not all(isinstance(one, dict) for one in maps):
            raise self._wrong(event, "`<<` wants a mapping or a list of mappings")
        return maps

    def _merged(self, container: dict[str, Any], merges: list[tuple[int, list[dict[str, Any]]]]) -> dict[str, Any]:
        """Fold `<<` in. For kustomize written keys win; for kubectl they win only when they follow (go-yaml v2)."""
        result: dict[str, Any] = {}
        written = list(container.items())
        done = 0
        for count, maps in merges:
            result.update(written[done:count])
            done = count
            for one in reversed(maps):
                result.update(one)
        result.update(written[done:])
        if self._dialect is Dialect.KUSTOMIZE:
            result.update(written)
        return result

    def _position(self, event: Any) -> Position:
        return Position(self._path, event.start_mark.line + 1, event.start_mark.column + 1)

    def _wrong(self, event: Any, what: str, advice: str = "") -> Invalid:
        mark = event.start_mark
        return _invalid(self._path, mark.line + 1, mark.column + 1, what, advice)


def _invalid(path: str, line: int, column: int, what: str, advice: str = "") -> Invalid:
    return Invalid([Problem(Position(path, line, column), what, advice=advice)])


def syntax_error(error: yaml.YAMLError, data: bytes, path: str) -> Invalid:
    """Say a syntax error of libyaml as a Problem: with its place, and what it was reading when it met it."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        context = f" ({error.context})" if error.context else ""
        return _invalid(path, mark.line + 1, mark.column + 1, f"not YAML: {error.problem}{context}")
    if isinstance(error, yaml.reader.ReaderError):
        line = data[: error.position].count(b"\n") + 1
        return _invalid(path, line, 0, f"not YAML: {error.reason}")
    return _invalid(path, 0, 0, f"not YAML: {error}")


def _duplicate(data: bytes, path: str, error: _Duplicate) -> Invalid:
    """Name both places of a key that a mapping has twice. The file is read again for the first of them."""
    first = _first_place(data, error)
    where = Position(path, error.line, error.column)
    return Invalid([Problem(where, f'the key "{error.key}" is there already, at {path}:{first}', advice="Keep one.")])


def _first_place(data: bytes, error: _Duplicate) -> int:
    """Give the line of the key of the same mapping and name that stands before the duplicate."""
    stack: list[dict[str, int]] = []
    expects_key: list[bool] = []
    for event in yaml.parse(data, Loader=yaml.CSafeLoader):
        mark: Any = event.start_mark
        line, column = mark.line + 1, mark.column + 1
        if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            stack.pop()
            expects_key.pop()
        elif isinstance(event, yaml.ScalarEvent) and stack and expects_key[-1]:
            if (line, column) == (error.line, error.column):
                return stack[-1].get(error.key, next(iter(stack[-1].values()), line))
            stack[-1].setdefault(event.value, line)
            expects_key[-1] = False
            continue
        if isinstance(event, yaml.NodeEvent) and stack:
            expects_key[-1] = isinstance(stack[-1], _Keys)
        if isinstance(event, yaml.MappingStartEvent):
            stack.append(_Keys())
            expects_key.append(True)
        elif isinstance(event, yaml.SequenceStartEvent):
            stack.append({})
            expects_key.append(False)
    return error.line


class _Keys(dict[str, int]):
    """The keys of a mapping with their lines; a plain dictionary in the stack stands for a sequence."""
