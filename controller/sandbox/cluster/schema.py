"""The shapes of values: what fields a type has, which lists are known by keys, what is one leaf.

The built-in kinds' shapes come from data/schema.json (`python -m tests.cluster.schema` writes it), those of custom
resources from their definition's openAPIV3Schema. The words are structured-merge-diff's (schema/elements.go): a
scalar, a list (atomic, set, or known by keys) or a map (granular or atomic); a struct is a map with named fields.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, TypeAlias, cast

from controller.model import JsonValue

Body: TypeAlias = dict[str, Any]  # an object as decoded JSON


@dataclass(frozen=True, slots=True)
class Scalar:
    """`kind` is string, integer, number, boolean, bytes, time, quantity, int-or-string or any (any JSON at all)."""

    kind: str


@dataclass(frozen=True, slots=True, eq=False)
class ListOf:
    element: Shape
    keys: tuple[str, ...] = ()  # known by these keys of its elements
    is_set: bool = False  # known by its elements' values
    is_atomic: bool = True  # one leaf

    @property
    def is_granular(self) -> bool:
        return not self.is_atomic


@dataclass(frozen=True, slots=True)
class Field:
    """A struct's field, and how Go writes it when it is empty."""

    shape: Shape
    default: JsonValue = None
    enum: tuple[str, ...] = ()
    is_required: bool = False
    is_pointer: bool = False  # a zero value is a value; without it a zero is the same as nothing
    is_kept: bool = False  # written even when it is empty
    patch: str = ""  # a strategic merge patch's strategy: merge, replace, retainKeys, "merge,retainKeys"
    merge_key: str = ""
    number: int = 0  # in the protobuf encoding

    @property
    def is_always_written(self) -> bool:
        """Go writes what it has no way to leave out: structs that are no pointers, however they are encoded."""
        if self.is_pointer:
            return False
        if isinstance(self.shape, Scalar):
            return self.is_kept or self.shape.kind in {"time", "quantity", "int-or-string"}
        return self.is_kept or (isinstance(self.shape, MapOf) and self.shape.is_struct)


@dataclass(frozen=True, slots=True, eq=False)
class MapOf:
    """A struct (`fields`), a map (`rest` is its values' shape), or both, as in custom resources."""

    fields: dict[str, Field] = field(default_factory=dict)
    rest: Shape | None = None
    is_atomic: bool = False
    is_struct: bool = False

    def shape_of(self, name: str) -> Shape | None:
        known = self.fields.get(name)
        return known.shape if known else self.rest


Shape: TypeAlias = "Scalar | ListOf | MapOf"
ANY = Scalar("any")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind that the server knows, and where it is served."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    is_namespaced: bool
    shape: MapOf
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    is_builtin: bool = True
    storage: str = ""  # of a custom resource: the version that it is stored at; "" is the same one
    columns: tuple[tuple[str, str], ...] = ()  # of a custom resource: names and JSON paths of what kubectl prints

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """`deployments.apps`, as messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def key(self) -> tuple[str, str]:
        """What its objects are stored under: every version of a kind shows the same objects."""
        return self.group, self.plural


@cache
def builtin_kinds() -> tuple[Kind, ...]:
    """Read the data file once: about 20 ms."""
    data = json.loads(resources.files(__package__).joinpath("data/schema.json").read_text())
    shapes = _Shapes(data["types"])
    return tuple(
        Kind(
            group=one["group"],
            version=one["version"],
            kind=one["kind"],
            plural=one["plural"],
            singular=one["singular"],
            is_namespaced=one["namespaced"],
            shape=shapes.struct(one["type"]),
            short=tuple(one["short"]),
            categories=tuple(one["categories"]),
            subresources=tuple(one["subresources"]),
        )
        for one in data["kinds"]
    )


class _Shapes:
    """Builds each type once; one that contains itself (JSONSchemaProps) is filled after it is known."""

    def __init__(self, types: Mapping[str, Mapping[str, Any]]) -> None:
        self._types = types
        self._built: dict[str, MapOf] = {}

    def struct(self, name: str) -> MapOf:
        if name not in self._built:
            found = self._types[name]
            shape = MapOf({}, is_atomic=bool(found.get("atomic")), is_struct=True)
            self._built[name] = shape
            shape.fields.update((key, self._field(one)) for key, one in found["fields"].items())
        return self._built[name]

    def _field(self, found: Mapping[str, Any]) -> Field:
        return Field(
            shape=self._shape(str(found["type"]).split(" "), found),
            default=found.get("default"),
            enum=tuple(found.get("enum", ())),
            is_required=bool(found.get("required")),
            is_pointer=bool(found.get("pointer")),
            is_kept=bool(found.get("kept")),
            patch=str(found.get("patch", "")),
            merge_key=str(found.get("mergeKey", "")),
            number=int(found.get("number", 0)),
        )

    def _shape(self, words: list[str], found: Mapping[str, Any]) -> Shape:
        match words:
            case ["list", *element]:
                keys, is_set = found.get("keys", ()), bool(found.get("set"))
                return ListOf(self._shape(element, {}), tuple(keys), is_set, is_atomic=not keys and not is_set)
            case ["map", *element]:
                return MapOf(rest=self._shape(element, {}), is_atomic=bool(found.get("atomic")))
            case [name] if name in self._types:
                shape = self.struct(name)
                if found.get("atomic") and not shape.is_atomic:
                    return MapOf(shape.fields, is_atomic=True, is_struct=True)
                return shape
            case _:
                return Scalar(words[0])


def object_meta() -> MapOf:
    """The shape of `metadata`, which custom resources share with the built-in kinds."""
    return cast("MapOf", builtin_kinds()[0].shape.fields["metadata"].shape)


def custom_shape(schema: Mapping[str, JsonValue]) -> Shape:
    """Turn a custom resource's openAPIV3Schema into a shape, as apiextensions' typed converter does."""
    if schema.get("x-kubernetes-int-or-string"):
        return Scalar("int-or-string")
    preserves = schema.get("x-kubernetes-preserve-unknown-fields") is True
    match schema.get("type"):
        case "object":
            return _custom_map(schema, preserves=preserves)
        case "array":
            items = schema.get("items")
            keys = schema.get("x-kubernetes-list-map-keys")
            kind = schema.get("x-kubernetes-list-type", "atomic")
            return ListOf(
                custom_shape(items) if isinstance(items, dict) else ANY,
                tuple(str(key) for key in keys) if isinstance(keys, list) and kind == "map" else (),
                is_set=kind == "set",
                is_atomic=kind == "atomic",
            )
        case str() as scalar:
            return Scalar(scalar)
        case _:
            return ANY


def _custom_map(schema: Mapping[str, JsonValue], *, preserves: bool) -> MapOf:
    properties, additional, required = (
        schema.get("properties"),
        schema.get("additionalProperties"),
        schema.get("required"),
    )
    fields = {
        name: Field(
            custom_shape(one),
            default=one.get("default"),
            is_required=isinstance(required, list) and name in required,
            is_pointer=True,
        )
        for name, one in (properties.items() if isinstance(properties, dict) else ())
        if isinstance(one, dict)
    }
    rest: Shape | None = ANY if preserves or additional is True else None
    if isinstance(additional, dict):
        rest = custom_shape(additional)
    return MapOf(fields, rest, is_atomic=schema.get("x-kubernetes-map-type") == "atomic", is_struct=bool(properties))
