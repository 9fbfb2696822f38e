"""Puts declared inputs into the objects that take them: the last thing that is changed of any object. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from controller.documents import canonical, decode
from controller.model import (
    ABSENT,
    Element,
    Input,
    Invalid,
    JsonValue,
    Position,
    Problem,
    Secret,
    Step,
    Unknown,
    format_path,
)
from controller.render.addressing import is_element
from controller.render.request import Draft, Wire

_TEXTS = frozenset({"ConfigMap", "Secret"})  # kinds whose data is text


def connect(drafts: Sequence[Draft], wires: Iterable[Wire]) -> None:
    """Set each wire's field, in place. Raises Invalid with every wire that leads nowhere, at its place in git."""
    problems: list[Problem] = []
    for wire in wires:
        into = wire.input
        found = [one for one in drafts if _is(one, into)]
        where = Position(into.origin.path, into.origin.line)
        if not found:
            what = f"there is no {into.kind} {into.name} that could take {into} in"
            problems.append(Problem(where, what, "to", "Add it to the application, or correct the name."))
        elif isinstance(wire.value, Secret) and into.kind != "Secret":
            what = f"{into} is sensitive, and {into.kind} {into.name} is no Secret"
            problems.append(Problem(where, what, "to", "Let a Secret take it in."))
        else:
            for draft in found:
                if not _set(draft.value, _path(into), _value(wire)):
                    what = f"{format_path(into.path)} of {into.kind} {into.name} leads to no field"
                    problems.append(Problem(where, what, "field"))
    if problems:
        raise Invalid(problems)


def _is(draft: Draft, into: Input) -> bool:
    metadata = draft.value.get("metadata")
    return draft.value.get("kind") == into.kind and isinstance(metadata, dict) and metadata.get("name") == into.name


def _path(into: Input) -> tuple[Step, ...]:
    """Give the field to set; a Secret's data is set as text, which finishing encodes."""
    if into.kind == "Secret" and into.path[0] == "data":
        return ("stringData", *into.path[1:])
    return into.path


def _value(wire: Wire) -> JsonValue:
    into, value = wire.input, wire.value
    if isinstance(value, Unknown):
        return f"{value}: {into}"
    plain: JsonValue = decode(value.reveal()) if isinstance(value, Secret) else value
    if into.kind in _TEXTS and not isinstance(plain, str):
        return canonical(plain).decode()
    return plain


def _set(node: Any, path: Sequence[Step], value: JsonValue) -> bool:
    """Set a field, making the mappings and named elements on the way. False where something else is in its way."""
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        if not isinstance(node, dict):
            return False
        if not rest:
            node[step] = value
            return True
        if node.get(step) is None:
            node[step] = {} if isinstance(rest[0], str) else []
        return _set(node[step], rest, value)
    inner = _element(node, step)
    return inner is not ABSENT and bool(rest) and _set(inner, rest, value)


def _element(node: Any, step: int | Element) -> Any:
    """Find an element of a list by its index or name; one that is not there is added by its name."""
    if not isinstance(node, list):
        return ABSENT
    if isinstance(step, int):
        return node[step] if 0 <= step < len(node) else ABSENT
    names = [text for _, text in step.keys]
    for one in node:
        if isinstance(one, dict) and len(names) == 1 and one.get("name") == names[0]:
            return one
        if is_element(one, step):
            return one
    if len(names) != 1:
        return ABSENT
    node.append({"name": names[0]})
    return node[-1]
