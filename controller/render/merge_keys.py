"""Which lists of Kubernetes' own kinds are merged by which keys.

`data/merge_keys.json` is what is left of the OpenAPI schema of Kubernetes 1.21.2, the one that kustomize 5.5 has
built in: the fields that lead to a list with a merge strategy, and that list's keys. A kustomization may bring a
schema of its own (`openapi.path`), which `table_of_swagger` turns into the same form.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from controller.documents import spelling_of

_REFERENCE: Final = "#/definitions/"


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What a field leads to: the type below it, and its list's merge keys (() for a set; None: no such list)."""

    type: str = ""
    keys: tuple[str, ...] | None = None


Fields = Mapping[str, FieldRule]
ANY: Final = "*"  # the rule for the values of a map, whatever their keys


@dataclass(frozen=True, slots=True)
class MergeTable:
    """Types by name, and the type of each `apiVersion kind`."""

    kinds: Mapping[tuple[str, str], str]
    types: Mapping[str, Fields]

    def type_of(self, api_version: str, kind: str) -> Fields | None:
        name = self.kinds.get((api_version, kind))
        return None if name is None else self.types.get(name, {})

    def rule(self, fields: Fields | None, name: str) -> FieldRule | None:
        if fields is None:
            return None
        found = fields.get(name)
        return found if found is not None else fields.get(ANY)

    def below(self, rule: FieldRule | None) -> Fields | None:
        return self.types.get(rule.type) if rule is not None and rule.type else None


@cache
def builtin_table() -> MergeTable:
    data = json.loads(resources.files("controller.render").joinpath("data/merge_keys.json").read_bytes())
    kinds: dict[tuple[str, str], str] = {}
    for name, type_name in data["kinds"].items():
        api_version, _, kind = name.partition(" ")
        kinds[api_version, kind] = type_name
    types = {
        name: {
            field: FieldRule(rule.get("type", ""), tuple(rule["keys"]) if "keys" in rule else None)
            for field, rule in fields.items()
        }
        for name, fields in data["types"].items()
    }
    return MergeTable(kinds, types)


def table_of_swagger(definitions: Mapping[str, Any], base: MergeTable | None = None) -> MergeTable:
    """Make a table of OpenAPI v2 definitions, as kyaml openapi.AddDefinitions indexes them."""
    kinds = dict(base.kinds) if base else {}
    types = dict(base.types) if base else {}
    for name, definition in definitions.items():
        if not isinstance(definition, dict):
            continue
        types[name] = _fields_of(name, definition, types)
        for one in definition.get("x-kubernetes-group-version-kind") or ():
            group, version = one.get("group") or "", one.get("version", "")
            kinds[f"{group}/{version}" if group else version, one.get("kind", "")] = name
    return MergeTable(kinds, types)


def _fields_of(owner: str, definition: Mapping[str, Any], types: dict[str, Fields]) -> Fields:
    fields: dict[str, FieldRule] = {}
    for field, schema in (definition.get("properties") or {}).items():
        fields[field] = _rule_of(f"{owner}.{field}", schema, types)
    more = definition.get("additionalProperties")
    if isinstance(more, dict):
        fields[ANY] = _rule_of(f"{owner}.{ANY}", more, types)
    return fields


def _rule_of(place: str, schema: Mapping[str, Any], types: dict[str, Fields]) -> FieldRule:
    keys: tuple[str, ...] | None = None
    below = schema
    if schema.get("type") == "array":
        if "merge" in str(schema.get("x-kubernetes-patch-strategy", "")).split(","):
            named = schema.get("x-kubernetes-list-map-keys")
            single = schema.get("x-kubernetes-patch-merge-key")
            keys = tuple(named) if named else (single,) if single else ()
        below = schema.get("items") or {}
    reference = str(below.get("$ref", ""))
    if reference:
        return FieldRule(reference.removeprefix(_REFERENCE), keys)
    if "properties" in below or isinstance(below.get("additionalProperties"), dict):
        types[place] = _fields_of(place, below, types)
        return FieldRule(place, keys)
    return FieldRule("", keys)


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two elements of one key: the list's dotted path, and the key as people write it."""

    path: str
    key: str


_DEFAULTS: Final = {"protocol": "TCP"}


def duplicates_in(
    value: dict[str, Any],
) -> Iterator[tuple[Duplicate, tuple[str | int, ...], tuple[str | int, ...]]]:
    """Find elements of one list that have the same merge keys: a server-side apply refuses them, or keeps one.

    Gives each with the paths of the first and of the later element.
    """
    table = builtin_table()
    fields = table.type_of(str(value.get("apiVersion", "")), str(value.get("kind", "")))
    if fields is not None:
        yield from _duplicates(value, fields, table, ())


def _duplicates(value: dict[str, Any], fields: Fields, table: MergeTable, path: tuple[str | int, ...]) -> Any:
    for name, one in value.items():  # an object has few of the fields that its type has
        if one.__class__ is not dict and one.__class__ is not list:
            continue
        rule = fields.get(name)
        if rule is None:
            continue
        below = table.below(rule)
        if isinstance(one, dict):
            if below is not None:
                yield from _duplicates(one, below, table, (*path, name))
        elif rule.keys:
            yield from _duplicates_of_list(one, rule.keys, (*path, name))
            if below is not None:
                for number, element in enumerate(one):
                    if isinstance(element, dict):
                        yield from _duplicates(element, below, table, (*path, name, number))


def _duplicates_of_list(elements: list[Any], keys: tuple[str, ...], path: tuple[str | int, ...]) -> Any:
    if len(elements) < 2:
        return
    if len(keys) == 1:  # most lists, and most of them are fine
        names = [one.get(keys[0]) if one.__class__ is dict else None for one in elements]
        if all(one.__class__ is str for one in names) and len(set(names)) == len(names):
            return
    first: dict[tuple[str, ...], int] = {}
    for number, element in enumerate(elements):
        if not isinstance(element, dict) or element.get(keys[0]) is None:
            continue
        values = [element.get(key, _DEFAULTS.get(key)) for key in keys]
        texts = tuple(spelling_of(one) if one is not None else "" for one in values)
        if texts in first:
            name = ".".join(str(step) for step in path)
            shown = ",".join(text for text in texts if text)
            yield Duplicate(name, f"{keys[0]} {shown}"), (*path, first[texts]), (*path, number)
        first.setdefault(texts, number)
