"""Bodies as a server's Go types would write them back.

Decoding into a struct and encoding it again drops what the type does not know, nulls, and what is empty and may be
left out; it adds structs that are no pointers, and writes quantities in their canonical form. A client that compares
what it sent with what it reads has to know all of this, so the double does it too.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import TypeAlias

from controller.model import JsonValue
from controller.sandbox.cluster import quantity
from controller.sandbox.cluster.schema import Body, Field, ListOf, MapOf, Scalar, Shape

Unknown: TypeAlias = Callable[[str], None]
EMPTY: tuple[JsonValue, ...] = ("", 0, False)


class WrongType(ValueError):
    """A value that its field can't hold: decoding the body fails as a whole."""


def encode(body: Body, shape: MapOf, unknown: Unknown = lambda _: None) -> Body:
    """Write a body of a built-in kind as the server would. `unknown` hears of each field that is dropped.

    Raises WrongType with the Go decoder's words.
    """
    return _struct(body, shape, "", unknown)


def encode_custom(value: JsonValue, shape: Shape, unknown: Unknown = lambda _: None, path: str = "") -> JsonValue:
    """Prune a custom resource: what its schema does not name goes, and so do nulls; defaults come in."""
    if isinstance(shape, ListOf) and isinstance(value, list):
        return [encode_custom(one, shape.element, unknown, f"{path}[{i}]") for i, one in enumerate(value)]
    if not isinstance(shape, MapOf) or not isinstance(value, dict):
        return value
    kept: Body = {}
    for name, one in value.items():
        where = f"{path}.{name}" if path else name
        inner = shape.shape_of(name)
        if inner is None:
            unknown(where)
        elif one is not None:
            kept[name] = encode_custom(one, inner, unknown, where)
    for name, field in shape.fields.items():
        if name not in kept and field.default is not None:
            kept[name] = encode_custom(field.default, field.shape)
    return kept


def _struct(value: JsonValue, shape: MapOf, path: str, unknown: Unknown) -> Body:
    if not isinstance(value, dict):
        raise WrongType(_cannot(value, path, "struct"))
    kept: Body = {}
    for name, one in value.items():
        field = shape.fields.get(name)
        where = f"{path}.{name}" if path else name
        if field is None:
            unknown(where)
            continue
        if one is None:
            continue
        encoded = _value(one, field.shape, where, unknown)
        if not _is_left_out(encoded, field):
            kept[name] = encoded
    for name, field in shape.fields.items():
        if name not in kept and field.is_always_written:
            kept[name] = _empty(field.shape)
    return kept


def _empty(shape: Shape) -> JsonValue:
    """What Go writes for a field that was never set and is not left out."""
    if isinstance(shape, MapOf) and shape.is_struct:
        return skeleton(shape)
    if isinstance(shape, Scalar):
        zeros: dict[str, JsonValue] = {
            "string": "",
            "integer": 0,
            "boolean": False,
            "int-or-string": 0,
            "quantity": "0",
        }
        return zeros.get(shape.kind)
    return None


def _is_left_out(value: JsonValue, field: Field) -> bool:
    if field.is_pointer or field.is_kept:
        return False
    if isinstance(field.shape, MapOf) and field.shape.is_struct:
        return False
    if isinstance(field.shape, Scalar) and field.shape.kind in {"any", "quantity", "int-or-string", "time"}:
        return False
    return value in ({}, []) or (value in EMPTY and not isinstance(value, dict | list))


def _value(value: JsonValue, shape: Shape, path: str, unknown: Unknown) -> JsonValue:
    match shape:
        case Scalar(kind):
            return _scalar(value, kind, path)
        case ListOf(element):
            if not isinstance(value, list):
                raise WrongType(_cannot(value, path, "slice"))
            return [_value(one, element, f"{path}[{i}]", unknown) for i, one in enumerate(value)]
        case MapOf(is_struct=True):
            return _struct(value, shape, path, unknown)
        case MapOf():
            if not isinstance(value, dict):
                raise WrongType(_cannot(value, path, "map"))
            inner = shape.rest or Scalar("any")
            if inner == Scalar("quantity"):
                return {key: _resource(one, f"{path}.{key}") for key, one in value.items()}
            return {
                key: _value(one if one is not None else _zero(inner), inner, f"{path}.{key}", unknown)
                for key, one in value.items()
            }


def _resource(value: JsonValue, path: str) -> JsonValue:
    """An amount in a resource list (core/v1 defaults.go, SetDefaults_ResourceList)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise WrongType(_cannot(value, path, "quantity"))
    try:
        return quantity.canonical(str(value), least=quantity.MILLI)
    except ValueError as error:
        raise WrongType(str(error)) from error


def _zero(shape: Shape) -> JsonValue:
    """A null in a map decodes to the zero value of its type."""
    return "" if isinstance(shape, Scalar) and shape.kind in {"string", "bytes"} else None


def _scalar(value: JsonValue, kind: str, path: str) -> JsonValue:  # noqa: PLR0912 - one case per kind
    match kind, value:
        case "string", str():
            return value
        case "time", str():
            return value
        case "bytes", str():
            try:
                base64.b64decode(value, validate=True)
            except binascii.Error as error:
                raise WrongType(f"illegal base64 data at input byte 0 ({path})") from error
            return value
        case "boolean", bool():
            return value
        case "integer", int() if not isinstance(value, bool):
            return value
        case "integer", float() if value.is_integer():
            return int(value)
        case "number", int() | float() if not isinstance(value, bool):
            return value
        case "int-or-string", int() | str() if not isinstance(value, bool):
            return value
        case "quantity", int() | float() | str() if not isinstance(value, bool):
            try:
                return quantity.canonical(str(value))
            except ValueError as error:
                raise WrongType(str(error)) from error
        case "any", _:
            return value
        case _:
            raise WrongType(_cannot(value, path, kind))


def _cannot(value: JsonValue, path: str, wanted: str) -> str:
    found = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}.get(
        type(value), "null"
    )
    go = {"integer": "int32", "boolean": "bool", "number": "float64"}.get(wanted, wanted)
    return f"json: cannot unmarshal {found} into Go struct field .{path} of type {go}"


def skeleton(shape: MapOf) -> Body:
    """Give a new, empty object: structs that are no pointers, and what is written although it is empty.

    Creating an object is an update of this one: what it holds already is not added, so nobody owns it.
    """
    return {name: _empty(field.shape) for name, field in shape.fields.items() if field.is_always_written}
