"""Values seen through a shape: what any value is, how a list's element is named, which fields a value sets.

With checking, comparing and merging these are structured-merge-diff's walkers (typed/validate.go, tofieldset.go,
compare.go, merge.go, remove.go), so close to it that the field sets come out equal: clients compare them. `ABSENT` is a
value that is not there; `None` is null.
"""

from __future__ import annotations

import json
from typing import TypeAlias

from controller.model import JsonValue
from controller.model.fields import Missing
from controller.sandbox.cluster.fieldset import SELF, FieldSet, children_of, is_member, node_of
from controller.sandbox.cluster.schema import ANY, Field, ListOf, MapOf, Scalar, Shape

Maybe: TypeAlias = "JsonValue | Missing"
ANY_MAP = MapOf(rest=ANY)
ANY_LIST = ListOf(ANY)


def resolve(shape: Shape, value: Maybe) -> Shape:
    """Give the shape that a value takes where any will do: maps are granular, lists are leaves."""
    if shape is ANY or (isinstance(shape, Scalar) and shape.kind == "any"):
        if isinstance(value, dict):
            return ANY_MAP
        if isinstance(value, list):
            return ANY_LIST
    return shape


def element_key(value: JsonValue, shape: ListOf) -> str:
    """Name a list's element: `k:{…}` with defaults filled in, or `v:…`. Raises ValueError where a key is missing."""
    if not shape.keys:
        return f"v:{compact(value)}"
    if not isinstance(value, dict):
        why = f"associative list with keys may not have non-map elements, got {value!r}"
        raise ValueError(why)  # noqa: TRY004 - the value is wrong, as below
    keys: dict[str, JsonValue] = {}
    fields = shape.element.fields if isinstance(shape.element, MapOf) else {}
    for name in shape.keys:
        if name in value:
            keys[name] = value[name]
        elif name in fields and (default := _key_default(fields[name])) is not None:
            keys[name] = default
        else:
            missing = f'associative list with keys has an element that omits key field "{name}"'
            raise ValueError(f"{missing} (and doesn't have default value)")
    return f"k:{compact(keys)}"


def _key_default(field: Field) -> JsonValue:
    """A key that is always written is its zero value where it is missing: `name` is "" then."""
    if field.default is None and field.is_kept and isinstance(field.shape, Scalar):
        zeros: dict[str, JsonValue] = {"string": "", "integer": 0}
        return zeros.get(field.shape.kind)
    return field.default


def compact(value: JsonValue) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def same(a: Maybe, b: Maybe) -> bool:
    """Equality of JSON values: 1 and 1.0 are the same, 1 and true are not."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def as_dict(value: Maybe) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def as_list(value: Maybe) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def has_content(value: Maybe) -> bool:
    """An empty list or map is compared as a leaf, and so is what can't have content."""
    return isinstance(value, dict | list) and len(value) > 0


def field_set(value: JsonValue, shape: Shape) -> FieldSet:
    """Name every field that a value sets."""
    return _fields_of(value, resolve(shape, value))[0]


def _fields_of(value: JsonValue, shape: Shape) -> tuple[FieldSet, bool]:
    """Give the fields below a value, and whether the value itself is a leaf."""
    match shape:
        case Scalar():
            return {}, True
        case ListOf(is_atomic=True) | MapOf(is_atomic=True):
            return {}, True
        case ListOf():
            found: FieldSet = {}
            for one in value if isinstance(value, list) else ():
                below, _ = _fields_of(one, resolve(shape.element, one))
                found[element_key(one, shape)] = {SELF: {}, **below} if below else {}
            return found, False
        case MapOf():
            return _map_fields(value, shape), False


def _map_fields(value: JsonValue, shape: MapOf) -> FieldSet:
    found: FieldSet = {}
    for name, one in value.items() if isinstance(value, dict) else ():
        below, is_leaf = _fields_of(one, resolve(shape.shape_of(name) or ANY, one))
        is_own = is_leaf or one is None or one == {} or name not in shape.fields
        node = node_of(below, member=is_own)
        if node is not None:
            found[f"f:{name}"] = node
    return found


def with_named_fields(fields: FieldSet, shape: Shape | None) -> FieldSet:
    """Make every struct field on the way to a member a member too (fieldpath.Set.EnsureNamedFieldsAreMembers)."""
    found: FieldSet = {}
    for step, child in children_of(fields):
        inner = shape_below(shape, step)
        named = isinstance(shape, MapOf) and step.startswith("f:") and step[2:] in shape.fields
        node = node_of(with_named_fields(child, inner), member=is_member(child) or named)
        if node is not None:
            found[step] = node
    return found


def shape_below(shape: Shape | None, step: str) -> Shape | None:
    """Give the shape under a path element; where any will do, the element itself tells."""
    if isinstance(shape, MapOf):
        return shape.shape_of(step[2:])
    if isinstance(shape, ListOf):
        return shape.element
    return shape
