"""Say what of a value does not fit its shape, in the words of structured-merge-diff (typed/validate.go)."""

from __future__ import annotations

import json
from collections.abc import Iterator

from controller.model import JsonValue
from controller.sandbox.cluster.schema import ListOf, MapOf, Scalar, Shape
from controller.sandbox.cluster.typed import compact, element_key, resolve


def problems(value: JsonValue, shape: Shape, path: str = "") -> Iterator[str]:
    """Say what of a value does not fit its shape, in the words of structured-merge-diff."""
    shape = resolve(shape, value)
    if value is None:
        return
    match shape:
        case Scalar(kind):
            if wrong := _scalar_problem(value, kind):
                yield f"{path}: {wrong}"
        case MapOf():
            if not isinstance(value, dict):
                yield f"{path}: expected map, got &{{{_spaced(value)}}}"
                return
            for name, one in sorted(value.items()):
                inner = shape.shape_of(name)
                if inner is None:
                    yield f"{path}.{name}: field not declared in schema"
                    return
                yield from problems(one, inner, f"{path}.{name}")
        case ListOf():
            yield from _list_problems(value, shape, path)


def _list_problems(value: JsonValue, shape: ListOf, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{path}: expected list, got &{{{_spaced(value)}}}"
        return
    seen: set[str] = set()
    for index, one in enumerate(value):
        if shape.is_atomic:
            yield from problems(one, shape.element, f"{path}[{index}]")
            continue
        try:
            key = element_key(one, shape)
        except ValueError as error:
            yield f"{path}: element {index}: {error}"
            continue
        shown = f"{path}{_bracketed(key)}"
        if key in seen:
            yield f"{path}: duplicate entries for key {_bracketed(key)}"
        seen.add(key)
        yield from problems(one, shape.element, shown)


def _bracketed(key: str) -> str:
    if key.startswith("v:"):
        return f"[={key[2:]}]"
    return "[" + ",".join(f"{name}={compact(one)}" for name, one in json.loads(key[2:]).items()) + "]"


def _scalar_problem(value: JsonValue, kind: str) -> str:
    match kind:
        case "string" | "bytes" | "time" if not isinstance(value, str):
            return f"expected string, got &value.valueUnstructured{{Value:{_go(value)}}}"
        case "integer" | "number" if isinstance(value, bool) or not isinstance(value, int | float):
            return f"expected numeric (int or float), got {_go_type(value)}"
        case "boolean" if not isinstance(value, bool):
            return f"expected boolean, got &{{{_go(value)}}}"
        case _:
            return ""


def _go(value: JsonValue) -> str:
    return f'"{value}"' if isinstance(value, str) else compact(value)


def _spaced(value: JsonValue) -> str:
    """Write a value as Go's %v does: `[a b]`, `map[a:1]`."""
    if isinstance(value, list):
        return "[" + " ".join(map(_spaced, value)) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{name}:{_spaced(one)}" for name, one in sorted(value.items())) + "]"
    return value if isinstance(value, str) else compact(value)


def _go_type(value: JsonValue) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case list():
            return "[]interface {}"
        case _:
            return "map[string]interface {}"
