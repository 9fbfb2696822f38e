"""Changes values in a file that a person wrote, and nothing else: comments, order and layout stay.

The value is spliced into the text, so that all other bytes stay as they are. Where a file is written in a way that
allows no splice, ruamel.yaml writes it anew, with its comments. Either way what came out is read again, and must say
exactly what was asked for.
"""

from __future__ import annotations

import copy
import io
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from controller.documents.encoding import canonical
from controller.documents.reading import read
from controller.documents.resolving import Dialect
from controller.documents.splicing import DELETE, splice
from controller.model import Invalid, JsonValue, Position, Problem

__all__ = ["DELETE", "edit"]

FieldSteps = tuple[str | int, ...]
BOM = "\ufeff"


def edit(data: bytes, changes: Mapping[FieldSteps, JsonValue | object], *, path: str) -> bytes:
    """Set values by their paths in the first document; missing maps on the way are made, lists grow at their length.

    Raises Invalid where the file is no YAML, or a step of a path is neither a map nor a list.
    """
    for field, value in changes.items():
        data = _changed(data, field, value, path)
    return data


def _changed(data: bytes, field: FieldSteps, value: JsonValue | object, path: str) -> bytes:
    wanted = _values(data, path)
    if not wanted:
        raise Invalid([Problem(Position(path), "is empty", ".".join(map(str, field)))])
    _set(wanted[0], field, value, path)
    is_said = canonical(wanted)
    for attempt in (_spliced, _written_anew):
        edited = attempt(data, field, value, path)
        if edited is not None and _says(edited, is_said, path):
            return edited
    what = "is written in a way that it can't be changed in without changing more"
    raise Invalid([Problem(Position(path), what, ".".join(map(str, field)), "Change it by hand.")])


def _values(data: bytes, path: str) -> list[JsonValue]:
    return [copy.deepcopy(one.value) for one in read(data, path=path, dialect=Dialect.KUBERNETES)]


def _says(data: bytes, wanted: bytes, path: str) -> bool:
    try:
        return canonical(_values(data, path)) == wanted
    except Invalid:
        return False


def _spliced(data: bytes, field: FieldSteps, value: JsonValue | object, _path: str) -> bytes | None:
    try:
        text = data.decode()
        mark, text = (BOM, text.removeprefix(BOM)) if text.startswith(BOM) else ("", text)
        found = splice(text.replace("\r\n", "\n"), field, value)
    except (UnicodeDecodeError, yaml.YAMLError):
        return None
    return None if found is None else (mark + _with_endings(found, text)).encode()


def _with_endings(edited: str, text: str) -> str:
    """Give lines the ends that they had in a text, of both systems perhaps; new ones that of the line before."""
    if "\r\n" not in text:
        return edited
    lines, new = text.split("\n"), edited.split("\n")
    has_return = [one.endswith("\r") for one in lines[:-1]]
    old = [*(one.removesuffix("\r") for one in lines[:-1]), lines[-1]]
    before = _alike(old, new)
    after = min(_alike(old[::-1], new[::-1]), len(old) - before, len(new) - before)

    def end(number: int) -> str:
        is_after = number >= len(new) - after
        of = number - len(new) + len(old) if is_after else min(number, max(len(old) - after - 1, 0))
        return "\r\n" if has_return[min(of, len(has_return) - 1)] else "\n"

    return "".join(line + end(number) for number, line in enumerate(new[:-1])) + new[-1]


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """Count the lines that two texts begin with."""
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _written_anew(data: bytes, field: FieldSteps, value: JsonValue | object, path: str) -> bytes:
    from ruamel.yaml import YAML  # noqa: PLC0415  # 100 ms: only where a splice does not do
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    rewriter = YAML(typ="rt")
    rewriter.preserve_quotes = True
    rewriter.width = 4096
    try:
        documents = list(rewriter.load_all(data))
    except YAMLError as error:
        raise Invalid([Problem(Position(path), f"is not YAML: {error}")]) from error
    if b"\n  - " in data:
        rewriter.indent(mapping=2, sequence=4, offset=2)
    else:
        rewriter.indent(mapping=2, sequence=2, offset=0)
    _set(documents[0], field, value, path)
    out = io.BytesIO()
    rewriter.dump_all(documents, out)
    return out.getvalue()


def _set(node: Any, field: FieldSteps, value: object, path: str) -> None:
    for step, after in itertools.pairwise(field):
        if value is DELETE and not _has(node, step):
            return
        _make_way(node, step, {} if isinstance(after, str) else [])
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError) as error:
            raise Invalid([Problem(Position(path), f"has no {step}", ".".join(map(str, field)))]) from error
    last = field[-1]
    match node:
        case dict() if value is DELETE:
            node.pop(last, None)
        case dict():
            node[last] = value
        case list() if value is DELETE:
            del node[int(last) : int(last) + 1]
        case list() if last == len(node):
            node.append(value)
        case list() if int(last) < len(node):
            node[int(last)] = value
        case _:
            raise Invalid([Problem(Position(path), "is no map", ".".join(map(str, field[:-1])))])


def _has(node: Any, step: str | int) -> bool:
    return (isinstance(node, dict) and step in node) or (isinstance(node, list) and int(step) < len(node))


def _make_way(node: Any, step: str | int, new: Any) -> None:
    """Make what is missing on the way; a key without a value counts as missing."""
    if isinstance(node, dict) and node.get(step) is None:
        node[step] = new
    elif isinstance(node, list) and step == len(node):
        node.append(new)
