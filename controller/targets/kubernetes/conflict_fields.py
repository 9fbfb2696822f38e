"""Which fields a conflict speaks of: the server's words for them, and their paths in what was sent. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import orjson

from controller.model import Element, FieldPath, Step
from controller.targets.kubernetes.status import Conflict

ELEMENT_KEY = re.compile(r'([^=,\[\]]*)=("(?:[^"\\]|\\.)*"|[^,\]]*)')


def conflict_text(found: Iterable[Conflict]) -> str:
    """Say who manages which fields: `kube-controller-manager (scale) manages spec.replicas`."""
    by_manager: dict[str, list[str]] = {}
    for one in found:
        by_manager.setdefault(one.who, []).append(one.field.removeprefix("."))
    return "; ".join(f"{who} manages {', '.join(fields)}" for who, fields in by_manager.items())


def conflict_path(text: str, body: Any) -> FieldPath:
    """Resolve a conflict's field against the body that was sent.

    The server writes a name without quotes (`.metadata.labels.app.kubernetes.io/name`), so only the body tells where
    one name ends. What the body does not explain stays one step, as it was written.
    """
    path: list[Step] = []
    rest, node = text, body
    while rest:
        step, length, node = _next_step(rest, node)
        path.append(step)
        rest = rest[length:]
    return tuple(path)


def _next_step(rest: str, node: Any) -> tuple[Step, int, Any]:
    if rest.startswith("["):
        end = _end_of_element(rest)
        step = _element(rest[1 : end - 1])
        return step, end, _element_of(node, step)
    names = (name for name in node if _starts_with_name(rest, name)) if isinstance(node, dict) else ()
    name = max(names, key=len, default="")
    if name:
        return name, len(name) + 1, node[name]
    plain = re.match(r"\.?([^.\[]*)", rest)
    length = max(len(plain[0]), 1) if plain else len(rest)
    return rest[:length].removeprefix("."), length, None


def _starts_with_name(rest: str, name: str) -> bool:
    return rest.startswith(f".{name}") and rest[len(name) + 1 : len(name) + 2] in {"", ".", "["}


def _end_of_element(rest: str) -> int:
    is_quoted = is_escaped = False
    for index, letter in enumerate(rest):
        if is_escaped:
            is_escaped = False
        elif letter == "\\":
            is_escaped = is_quoted
        elif letter == '"':
            is_quoted = not is_quoted
        elif letter == "]" and not is_quoted:
            return index + 1
    return len(rest)


def _element(inside: str) -> Step:
    if inside.isdigit():
        return int(inside)
    return Element(tuple((name, _scalar(value)) for name, value in ELEMENT_KEY.findall(inside)))


def _scalar(text: str) -> str | int | bool:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value if isinstance(value, str | int | bool) else text


def _element_of(node: Any, step: Step) -> Any:
    if not isinstance(node, list):
        return None
    if isinstance(step, int):
        return node[step] if step < len(node) else None
    if isinstance(step, str):
        return None
    return next((one for one in node if _is_element(one, step)), None)


def _is_element(one: Any, element: Element) -> bool:
    # A key that the body leaves out was defaulted by the server: it does not speak against the element.
    said = [(name, value) for name, value in element.keys if isinstance(one, dict) and name in one]
    return bool(said) and all(one[name] == value for name, value in said)
