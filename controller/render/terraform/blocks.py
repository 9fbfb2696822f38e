"""The blocks of a Terraform file: their types, labels and lines, and the plain texts that are set in them.

Just enough of HCL's syntax to tell blocks from what is inside of strings, heredocs and comments (hashicorp/hcl
`hclsyntax/spec.md`). No expression is evaluated: an attribute whose value is more than one plain text reads as None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from controller.documents import Dialect, read
from controller.model import Invalid, Position, Problem

_TOKEN: Final = re.compile(
    r"(?P<space>[ \t\r]+)"
    r"|(?P<newline>\n)"
    r"|(?P<comment>\#[^\n]*|//[^\n]*|/\*.*?\*/)"
    r"|(?P<heredoc><<-?[ \t]*(?P<mark>[A-Za-z_][\w-]*)[ \t]*\r?\n)"
    r'|(?P<quote>")'
    r"|(?P<name>[^\W\d][\w-]*)"
    r"|(?P<open>[{\[(])"
    r"|(?P<close>[}\])])"
    r"|(?P<other>.)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Attribute:
    """`text` is None where the value is no plain text, such as a reference or a text with one in it."""

    line: int
    text: str | None


@dataclass(frozen=True, slots=True)
class Block:
    """One block. `source` is its text as written, for whoever asks whether it moved."""

    type: str
    labels: tuple[str, ...]
    line: int
    source: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()
    objects: Mapping[str, Mapping[str, Attribute]] = field(default_factory=dict)  # attributes that are `{ … }`


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # name, text, open, close, newline, other
    text: str
    line: int
    start: int
    end: int
    is_plain: bool = True  # of a text: no `${` or `%{` in it


def blocks_of(data: bytes, path: str) -> tuple[Block, ...]:
    """Read a file's top blocks. Raises Invalid, with a line, for what can't be a Terraform file."""
    text = data.decode(errors="replace")
    if path.endswith(".json"):
        return tuple(_json_blocks(data, path))
    tokens = list(_tokens(text, path))
    return _Reader(tokens, text, path).body(at_top=True)[1]


def _tokens(text: str, path: str) -> Iterator[_Token]:
    at, line = 0, 1
    while at < len(text):
        found = _TOKEN.match(text, at)
        assert found is not None and found.lastgroup is not None  # noqa: PT018, S101  # `other` takes what is left
        kind, start = found.lastgroup if found["heredoc"] is None else "heredoc", at
        at = found.end()
        is_plain = True
        if kind == "quote":
            at, is_plain = _end_of_text(text, at, Position(path, line))
            kind = "text"
        elif kind == "heredoc":
            at = _end_of_heredoc(text, at, found["mark"], Position(path, line))
            kind, is_plain = "text", False
        if kind == "comment" and not found[0].startswith("/*"):
            kind = "space"
        if kind not in ("space", "comment"):
            yield _Token(kind, text[start:at], line, start, at, is_plain)
        line += text.count("\n", start, at)


def _end_of_text(text: str, at: int, where: Position) -> tuple[int, bool]:
    """Find the end of a quoted text: expressions in it may hold texts of their own."""
    is_plain = True
    while at < len(text) and text[at] != "\n":
        two = text[at : at + 2]
        if text[at] == "\\":
            at += 2
        elif text[at : at + 3] in ("$${", "%%{"):
            at += 3
        elif two in ("${", "%{"):
            is_plain = False
            at = _end_of_expression(text, at + 2, where)
        elif text[at] == '"':
            return at + 1, is_plain
        else:
            at += 1
    raise Invalid([Problem(where, "a text does not end on its line")])


def _end_of_expression(text: str, at: int, where: Position) -> int:
    depth = 1
    while at < len(text):
        if text[at] == '"':
            at, _ = _end_of_text(text, at + 1, where)
            continue
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
        if depth == 0:
            return at
    raise Invalid([Problem(where, "an expression in a text does not end")])


def _end_of_heredoc(text: str, at: int, mark: str, where: Position) -> int:
    found = re.compile(rf"^[ \t]*{re.escape(mark)}[ \t]*\r?$", re.MULTILINE).search(text, at)
    if found is None:
        raise Invalid([Problem(where, f"the text that {mark} shall end does not end")])
    return found.end()


class _Reader:
    """Reads a body: blocks and attributes, one per line, until its brace closes."""

    def __init__(self, tokens: list[_Token], text: str, path: str) -> None:
        self._tokens = tokens
        self._text = text
        self._path = path
        self._at = 0

    def body(self, *, at_top: bool = False) -> tuple[dict[str, Attribute], tuple[Block, ...], dict[str, Any]]:
        attributes: dict[str, Attribute] = {}
        objects: dict[str, Any] = {}
        blocks: list[Block] = []
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.kind == "close":
                if at_top or token.text != "}":
                    raise self._problem(token, f"{token.text} closes nothing")
                return attributes, tuple(blocks), objects
            if token.kind == "newline":
                self._at += 1
            elif token.kind in ("name", "text"):
                self._statement(token, attributes, blocks, objects)
            else:
                raise self._problem(token, f"{token.text!r} begins no block and no attribute")
        if not at_top:
            raise self._problem(self._tokens[-1], "a block does not end")
        return attributes, tuple(blocks), objects

    def _statement(
        self, first: _Token, attributes: dict[str, Attribute], blocks: list[Block], objects: dict[str, Any]
    ) -> None:
        self._at += 1
        labels: list[str] = []
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.kind == "other" and token.text in "=:" and not labels:
                self._at += 1
                attributes[_plain(first)] = self._value(first, objects)
                return
            if token.kind in ("name", "text"):
                labels.append(_plain(token))
                self._at += 1
            elif token.text == "{":
                blocks.append(self._block(first, tuple(labels)))
                return
            else:
                break
        raise self._problem(first, f"{first.text} is neither a block nor an attribute")

    def _block(self, first: _Token, labels: tuple[str, ...]) -> Block:
        self._at += 1
        attributes, blocks, objects = self.body()
        end = self._tokens[self._at].end
        self._at += 1
        return Block(first.text, labels, first.line, self._text[first.start : end], attributes, blocks, objects)

    def _value(self, name: _Token, objects: dict[str, Any]) -> Attribute:
        """Pass over an expression: to the end of its line, outside of brackets."""
        found: list[_Token] = []
        if self._at < len(self._tokens) and self._tokens[self._at].text == "{":
            before = self._at
            self._at += 1
            try:
                objects[_plain(name)] = self._object()
            except Invalid:  # a `for` expression and the like: nothing in it is looked for
                self._at = before
            else:
                self._pass_line()
                return Attribute(name.line, None)
        depth = 0
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if depth == 0 and (token.kind == "newline" or token.text in ("}", ",")):
                break
            depth += {"open": 1, "close": -1}.get(token.kind, 0)
            found.append(token)
            self._at += 1
        is_text = len(found) == 1 and found[0].kind == "text" and found[0].is_plain
        return Attribute(name.line, _plain(found[0]) if is_text else None)

    def _object(self) -> dict[str, Attribute]:
        """Read `{ name = value, … }`, one level deep."""
        found: dict[str, Attribute] = {}
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.kind == "newline" or token.text == ",":
                self._at += 1
            elif token.text == "}":
                self._at += 1
                return found
            else:
                self._statement(token, found, [], {})
        raise self._problem(self._tokens[-1], "an object does not end")

    def _pass_line(self) -> None:
        depth = 0
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if depth == 0 and (token.kind == "newline" or token.text == "}"):
                return
            depth += {"open": 1, "close": -1}.get(token.kind, 0)
            self._at += 1

    def _problem(self, token: _Token, what: str) -> Invalid:
        return Invalid([Problem(Position(self._path, token.line), what)])


def _plain(token: _Token) -> str:
    if token.kind != "text" or not token.text.startswith('"'):
        return token.text
    return re.sub(r'\\(["\\])', r"\1", token.text[1:-1]).replace("$${", "${").replace("%%{", "%{")


_LABELS: Final = {"resource": 2, "data": 2, "ephemeral": 2, "module": 1, "provider": 1, "variable": 1, "output": 1}


def _json_blocks(data: bytes, path: str) -> Iterator[Block]:
    """Read the JSON form: `{"resource": {"type": {"name": {…}}}}`. Its lines are those of the file's beginning."""
    documents = read(data, path=path, dialect=Dialect.KUBERNETES)
    value = documents[0].value if documents else {}
    if not isinstance(value, dict):
        raise Invalid([Problem(Position(path, 1), "the file is no mapping")])
    for kind, inside in value.items():
        yield from _labelled(kind, (), inside, _LABELS.get(kind, 0))


def _labelled(kind: str, labels: tuple[str, ...], value: Any, depth: int) -> Iterator[Block]:
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            continue
        if depth == 0:
            yield _json_block(kind, labels, one)
        else:
            for label, inside in one.items():
                yield from _labelled(kind, (*labels, label), inside, depth - 1)


def _json_block(kind: str, labels: tuple[str, ...], value: dict[str, Any]) -> Block:
    texts = {name: Attribute(1, one if _is_plain_text(one) else None) for name, one in value.items()}
    objects = {
        name: {key: Attribute(1, one if _is_plain_text(one) else None) for key, one in inside.items()}
        for name, inside in value.items()
        if isinstance(inside, dict)
    }
    blocks = tuple(
        block
        for name, inside in value.items()
        if isinstance(inside, dict | list)
        for block in _labelled(name, (), inside, 1 if name in ("provisioner", "backend") else 0)
    )
    return Block(kind, labels, 1, repr(value), texts, blocks, objects)


def _is_plain_text(value: Any) -> bool:
    return isinstance(value, str) and "${" not in value and "%{" not in value
