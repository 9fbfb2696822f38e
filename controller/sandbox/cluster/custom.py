"""Custom resources: their kinds, read from CustomResourceDefinitions, and their validation by openAPIV3Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from controller.model import JsonValue
from controller.sandbox.cluster.refusals import FieldError, required, unsupported, wrong
from controller.sandbox.cluster.schema import ANY, Body, Field, Kind, MapOf, Scalar, custom_shape, object_meta


def kinds_of(definition: Body) -> tuple[Kind, ...]:
    """Give a kind per served version."""
    spec: Any = definition["spec"]
    names = spec["names"]
    versions = [one for one in spec["versions"] if one.get("served")]
    storage = next((one["name"] for one in spec["versions"] if one.get("storage")), "")
    return tuple(
        Kind(
            group=spec["group"],
            version=one["name"],
            kind=names["kind"],
            plural=names["plural"],
            singular=names.get("singular", names["kind"].lower()),
            is_namespaced=spec["scope"] == "Namespaced",
            shape=_shape(schema_of(definition, one["name"])),
            short=tuple(names.get("shortNames", ())),
            categories=tuple(names.get("categories", ())),
            subresources=tuple(name for name in ("scale", "status") if name in (one.get("subresources") or {})),
            is_builtin=False,
            storage=storage,
            columns=tuple((c["name"], c["jsonPath"]) for c in one.get("additionalPrinterColumns", ())),
        )
        for one in versions
    )


def schema_of(definition: Body, version: str) -> Body:
    spec: Any = definition["spec"]
    found: Body = next((one for one in spec["versions"] if one["name"] == version), {})
    schema: Body = (found.get("schema") or {}).get("openAPIV3Schema") or {}
    return schema


def _shape(schema: Body) -> MapOf:
    """Add what every object has to the shape of a custom resource's own fields."""
    shape = custom_shape({**schema, "type": "object"})
    own = shape if isinstance(shape, MapOf) else MapOf(rest=ANY)
    common = {"apiVersion": Field(Scalar("string")), "kind": Field(Scalar("string")), "metadata": Field(object_meta())}
    return replace(own, fields={**own.fields, **common}, is_struct=True)


def errors(value: JsonValue, schema: Body, path: str = "") -> Iterator[FieldError]:
    """Check a value against its schema, in the words of kube-openapi's validator. CEL rules are not evaluated."""
    if value is None and schema.get("nullable"):
        return
    kind = schema.get("type")
    if isinstance(kind, str) and not schema.get("x-kubernetes-int-or-string") and not _is_of(value, kind):
        words = f'{path} in body must be of type {kind}: "{_type_of(value)}"'
        yield FieldError(
            path or "<nil>", "FieldValueTypeInvalid", f"Invalid value: {json.dumps(_type_of(value))}: {words}"
        )
        return
    enum = schema.get("enum")
    if isinstance(enum, list) and value not in enum:
        yield unsupported(path, value, [str(one) for one in enum])
    match value:
        case bool() | None:
            return
        case int() | float():
            yield from _number(value, schema, path)
        case str():
            yield from _string(value, schema, path)
        case list():
            yield from _array(value, schema, path)
        case dict():
            yield from _object(value, schema, path)


def _is_of(value: JsonValue, kind: str) -> bool:
    match kind:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return not isinstance(value, bool) and (
                isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            )
        case _:
            return isinstance(value, int | float) and not isinstance(value, bool)


def _type_of(value: JsonValue) -> str:
    return {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}.get(
        type(value), "null"
    )


def _number(value: float, schema: Body, path: str) -> Iterator[FieldError]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if isinstance(low, int | float) and value < low:
        yield wrong(path, value, f"{path} in body should be greater than or equal to {low}")
    if isinstance(high, int | float) and value > high:
        yield wrong(path, value, f"{path} in body should be less than or equal to {high}")


def _string(value: str, schema: Body, path: str) -> Iterator[FieldError]:
    low, high, pattern = schema.get("minLength"), schema.get("maxLength"), schema.get("pattern")
    if isinstance(low, int) and len(value) < low:
        yield wrong(path, value, f"{path} in body should be at least {low} chars long")
    if isinstance(high, int) and len(value) > high:
        yield FieldError(path, "FieldValueTooLong", f"Too long: may not be more than {high} bytes")
    if isinstance(pattern, str) and not re.search(pattern, value):
        yield wrong(path, value, f"{path} in body should match '{pattern}'")


def _array(value: list[JsonValue], schema: Body, path: str) -> Iterator[FieldError]:
    low, high, items = schema.get("minItems"), schema.get("maxItems"), schema.get("items")
    if isinstance(low, int) and len(value) < low:
        yield wrong(path, len(value), f"{path} in body should have at least {low} items")
    if isinstance(high, int) and len(value) > high:
        yield FieldError(path, "FieldValueTooMany", f"Too many: {len(value)}: must have at most {high} items")
    for index, one in enumerate(value) if isinstance(items, dict) else ():
        yield from errors(one, items if isinstance(items, dict) else {}, f"{path}[{index}]")


def _object(value: Body, schema: Body, path: str) -> Iterator[FieldError]:
    wanted, properties, additional = (schema.get(name) for name in ("required", "properties", "additionalProperties"))
    for name in wanted if isinstance(wanted, list) else ():
        if name not in value:
            yield required(f"{path}.{name}" if path else str(name))
    known = properties if isinstance(properties, dict) else {}
    for name, one in value.items():
        inner = known.get(name, additional)
        if isinstance(inner, dict) and (path or name not in {"apiVersion", "kind", "metadata"}):
            yield from errors(one, inner, f"{path}.{name}" if path else name)
