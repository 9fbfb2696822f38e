"""Configuration decoded as Go's encoding/json decodes it into typed fields.

Field names match in any case; a null is the zero value; a wrong type is an error. `strict` refuses unknown fields,
`lenient` makes text of numbers and booleans where text is wanted (sigs.k8s.io/yaml with a target).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.documents import format_float
from controller.model import Stalled


@dataclass(frozen=True, slots=True)
class Struct:
    """Fields by their JSON names."""

    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Optional:
    """A pointer: None where it is not set."""

    spec: Any


@dataclass(frozen=True, slots=True)
class ListOf:
    spec: Any


@dataclass(frozen=True, slots=True)
class MapOf:
    spec: Any


ANY = object  # whatever it is


def zero(spec: Any) -> Any:
    """Give what an unset field holds."""
    if isinstance(spec, Struct):
        return {name: zero(one) for name, one in spec.fields.items()}
    if isinstance(spec, ListOf):
        return []
    if isinstance(spec, MapOf):
        return {}
    return None if isinstance(spec, Optional) or spec is ANY else spec()


def decode(spec: Any, value: Any, *, strict: bool = False, lenient: bool = False, path: str = "") -> Any:
    """Decode a value. Raises Stalled with the field's path."""
    if value is None:
        return zero(spec)
    if isinstance(spec, Optional):
        return decode(spec.spec, value, strict=strict, lenient=lenient, path=path)
    if isinstance(spec, Struct):
        return _struct(spec, value, strict=strict, lenient=lenient, path=path)
    if isinstance(spec, ListOf):
        if not isinstance(value, list):
            raise _wrong(path, "a list", value)
        return [
            decode(spec.spec, one, strict=strict, lenient=lenient, path=f"{path}[{at}]") for at, one in enumerate(value)
        ]
    if isinstance(spec, MapOf):
        if not isinstance(value, dict):
            raise _wrong(path, "a mapping", value)
        return {
            key: decode(spec.spec, one, strict=strict, lenient=lenient, path=f"{path}.{key}")
            for key, one in value.items()
        }
    return _scalar(spec, value, path, lenient=lenient)


def _struct(spec: Struct, value: Any, *, strict: bool, lenient: bool, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(path, "a mapping", value)
    names = {name.lower(): name for name in spec.fields}
    result = zero(spec)
    for key in sorted(value):  # as JSON has them after YAML: of two spellings of one name the last holds
        name = key if key in spec.fields else names.get(key.lower())
        where = f"{path}.{key}" if path else key
        if name is None:
            if strict:
                raise Stalled(f"{where}: there is no such field. Known are {', '.join(sorted(spec.fields))}")
            continue
        result[name] = decode(spec.fields[name], value[key], strict=strict, lenient=lenient, path=where)
    return result  # type: ignore[no-any-return]


def _scalar(spec: Any, value: Any, path: str, *, lenient: bool) -> Any:
    if spec is ANY:
        return value
    if spec is str:
        if isinstance(value, str):
            return value
        if lenient and not isinstance(value, dict | list):
            if isinstance(value, bool):
                return "true" if value else "false"
            return format_float(value) if isinstance(value, float) else str(value)
        raise _wrong(path, "text", value, "Quote it.")
    if spec is bool and isinstance(value, bool):
        return value
    if spec is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _wrong(path, {bool: "true or false", int: "an integer"}[spec], value)


def _wrong(path: str, wanted: str, value: Any, advice: str = "") -> Stalled:
    words = {bool: "a boolean", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
    return Stalled(
        f"{path or 'the document'}: {words.get(type(value), 'null')}, where {wanted} is wanted. {advice}".rstrip()
    )
