"""A validator for the part of JSON Schema (draft 2020-12) that our schemas use.

Where jsonschema says that a value is invalid, this one says what to do about it, and it finds every mistake at
once. `format` is an assertion here: the functions of `formats.py`. A keyword that it does not know is an error in
the schema, not a rule silently left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from controller.config.complaint import Complaint, listed, nearest, quoted, suggestion
from controller.config.formats import FORMATS
from controller.model import FieldPath, JsonValue


@dataclass(frozen=True, slots=True)
class Flaw:
    """One mistake in a value. `of_key`: the mistake is the last step of `path` itself, not what stands under it."""

    path: FieldPath
    what: str
    advice: str = ""
    of_key: bool = False


Schema: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Place:
    """A value, where it stands, and the schema that it is held against."""

    value: JsonValue
    path: FieldPath
    validator: Validator
    root: Schema

    def flaw(self, what: str, advice: str = "") -> Flaw:
        return Flaw(self.path, what, advice)

    def inside(self, step: str | int, value: JsonValue) -> _Place:
        return _Place(value, (*self.path, step), self.validator, self.root)


_PLAIN_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}
_NAMES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "empty",
}


class Validator:
    """A schema made ready: which rules each part of it asks for is found out once, not once per value."""

    def __init__(self, schema: Schema) -> None:
        self._root = schema
        self._rules: dict[int, tuple[Rule, ...]] = {}  # by the identity of a part, which lives as long as the root
        for part in _parts(schema):
            unknown = part.keys() - _KNOWN
            if unknown:
                raise NotImplementedError(f"schema keywords {sorted(unknown)}")
            self._rules[id(part)] = tuple(rule for keywords, rule in _RULES if not keywords.isdisjoint(part))

    def flaws(self, value: JsonValue) -> tuple[Flaw, ...]:
        """Give every mistake that the schema finds in a value, in the order of its fields."""
        return tuple(self.check(_Place(value, (), self, self._root), self._root))

    def check(self, place: _Place, schema: Schema) -> Iterator[Flaw]:
        if "$ref" in schema:
            yield from self.check(place, _resolve(schema["$ref"], self._root))
        if "type" in schema and not _has_type(place.value, schema["type"]):
            yield _wrong_type(place, schema)
            return
        for rule in self._rules[id(schema)]:
            yield from rule(place, schema)


def flaws(value: JsonValue, schema: Schema) -> tuple[Flaw, ...]:
    """Give every mistake that a schema finds in a value, in the order of its fields."""
    return Validator(schema).flaws(value)


def _parts(schema: Schema) -> Iterator[Schema]:
    """Give a schema and every schema inside of it."""
    yield schema
    for keyword in ("properties", "$defs"):
        for part in schema.get(keyword, {}).values():
            yield from _parts(part)
    for keyword in ("additionalProperties", "propertyNames", "items"):
        if isinstance(schema.get(keyword), Mapping):
            yield from _parts(schema[keyword])


def _resolve(reference: str, root: Schema) -> Schema:
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found  # type: ignore[no-any-return]


def type_of(value: JsonValue) -> str:
    """Name a value's type as JSON Schema does; a whole number is an integer, however it is written."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"


def _has_type(value: JsonValue, wanted: str | list[str]) -> bool:
    if _PLAIN_TYPES.get(value.__class__) == wanted:
        return True
    allowed = [wanted] if isinstance(wanted, str) else wanted
    found = type_of(value)
    return found in allowed or (found == "integer" and "number" in allowed)


def _wrong_type(place: _Place, schema: Schema) -> Flaw:
    wanted = schema["type"]
    allowed = [one for one in ([wanted] if isinstance(wanted, str) else wanted) if one != "null"]
    found = type_of(place.value)
    advice = ""
    if found == "null":
        advice = "Fill it, or remove the field."
    elif "string" in allowed and found in ("integer", "number", "boolean"):
        objection = _text_complaint(str(place.value), schema)
        advice = objection.advice if objection else "Write it in quotes."
    elif "array" in allowed and found == "string":
        advice = f"Write [{place.value}]."
    return place.flaw(f"is {_NAMES[found]}, where {' or '.join(_NAMES[one] for one in allowed)} belongs", advice)


def _const(place: _Place, schema: Schema) -> Iterator[Flaw]:
    if place.value != schema["const"] or type_of(place.value) != type_of(schema["const"]):
        yield place.flaw(f"is {_shown(place.value)}", f"Write {schema['const']}.")


def _enum(place: _Place, schema: Schema) -> Iterator[Flaw]:
    allowed = schema["enum"]
    if place.value in allowed and type_of(place.value) == "string":
        return
    near = nearest(place.value, allowed) if isinstance(place.value, str) else ""
    yield place.flaw(f"{_shown(place.value)} is none of {', '.join(allowed)}", f"Write {near}." if near else "")


def _shown(value: JsonValue) -> str:
    match value:
        case str():
            return quoted(value)
        case bool() | None:
            return {True: "true", False: "false", None: "empty"}[value]
        case int() | float():
            return str(value)
        case _:
            return _NAMES[type_of(value)]


def _text(place: _Place, schema: Schema) -> Iterator[Flaw]:
    """Check `format`, `pattern` and lengths of a text; the first that objects speaks, since it says most."""
    if not isinstance(place.value, str):
        return
    found = _text_complaint(place.value, schema)
    if found is not None:
        yield place.flaw(found.what, found.advice)


def _text_complaint(text: str, schema: Schema) -> Complaint | None:
    if len(text) < schema.get("minLength", 0):
        return Complaint("is empty", "Fill it, or remove the field.")
    found = FORMATS[schema["format"]](text) if "format" in schema else None
    if found is None and "pattern" in schema and not re.search(schema["pattern"], text):
        return Complaint(f"{quoted(text)} has not the form {schema['pattern']}")
    if found is None and len(text) > schema.get("maxLength", len(text)):
        return Complaint(f"{quoted(text)} has {len(text)} characters; {schema['maxLength']} are possible")
    return found


def _range(place: _Place, schema: Schema) -> Iterator[Flaw]:
    if type_of(place.value) not in ("integer", "number"):
        return
    if "minimum" in schema and place.value < schema["minimum"]:
        yield place.flaw(f"is {place.value}, below {schema['minimum']}")
    if "maximum" in schema and place.value > schema["maximum"]:
        yield place.flaw(f"is {place.value}, above {schema['maximum']}")


def _required(place: _Place, schema: Schema) -> Iterator[Flaw]:
    if not isinstance(place.value, dict):
        return
    for name in schema["required"]:
        if name not in place.value:
            yield place.flaw(f"has no {name}", f"Add it: {_description(name, schema, place.root)}")


def _description(name: str, schema: Schema, root: Schema) -> str:
    field = schema.get("properties", {}).get(name, {})
    text = field.get("description") or (_resolve(field["$ref"], root).get("description", "") if "$ref" in field else "")
    if "const" in field:
        return f"`{name}: {field['const']}`."
    first: str = text.split(". ")[0].rstrip(".")
    return f"{first[:1].lower()}{first[1:]}."


def _properties(place: _Place, schema: Schema) -> Iterator[Flaw]:
    """Walk a mapping in its own order, so that flaws come in the order of the file."""
    if not isinstance(place.value, dict):
        return
    known: Mapping[str, Schema] = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for name, value in place.value.items():
        if "propertyNames" in schema:
            yield from _name(place, name, schema["propertyNames"])
        if name in known:
            yield from place.validator.check(place.inside(name, value), known[name])
        elif others is False:
            yield _unknown(place, name, known)
        elif others is not True:
            yield from place.validator.check(place.inside(name, value), others)


def _name(place: _Place, name: str, schema: Schema) -> Iterator[Flaw]:
    for flaw in place.validator.check(place.inside(name, name), schema):
        yield Flaw(flaw.path, flaw.what, flaw.advice, of_key=True)


def _unknown(place: _Place, name: str, known: Mapping[str, Schema]) -> Flaw:
    advice = suggestion(name, known, empty="Remove it.")
    return Flaw((*place.path, name), f"there is no field {quoted(name)} here", advice, of_key=True)


def _one_of(place: _Place, schema: Schema) -> Iterator[Flaw]:
    """Check alternatives that each require one field: the only `oneOf` that our schemas use."""
    names = [name for alternative in schema["oneOf"] for name in alternative["required"]]
    if not isinstance(place.value, dict):
        return
    present = [name for name in names if name in place.value]
    if len(present) > 1:
        yield place.flaw(f"has {' and '.join(present)}", "Keep one of them.")
    elif not present:
        yield place.flaw(f"has neither {' nor '.join(names)}", f"Add `{names[0]}: {{}}` or `{names[-1]}: {{}}`.")


def _any_of(place: _Place, schema: Schema) -> Iterator[Flaw]:
    """Check that one of the alternatives' fields is there: the only `anyOf` that our schemas use."""
    names = [name for alternative in schema["anyOf"] for name in alternative["required"]]
    if isinstance(place.value, dict) and not any(name in place.value for name in names):
        yield place.flaw(f"has neither {' nor '.join(names)}", f"Add `{names[0]}: […]`.")


def _fewest(place: _Place, schema: Schema) -> Iterator[Flaw]:
    if isinstance(place.value, dict) and len(place.value) < schema["minProperties"]:
        yield place.flaw("is empty", f"Add one of {listed(schema.get('properties', {}))}, or remove the field.")


def _items(place: _Place, schema: Schema) -> Iterator[Flaw]:
    if not isinstance(place.value, list):
        return
    least = schema.get("minItems", 0)
    if not place.value and least:
        yield place.flaw("is an empty list", "Name something, or remove the field.")
    elif len(place.value) < least:
        yield place.flaw(f"has {len(place.value)} where {least} are needed", "Add what is missing.")
    for index, value in enumerate(place.value):
        if "items" in schema:
            yield from place.validator.check(place.inside(index, value), schema["items"])
    if schema.get("uniqueItems"):
        yield from _twice(place, place.value)


def _twice(place: _Place, values: list[JsonValue]) -> Iterator[Flaw]:
    for index, value in enumerate(values):
        if any(value == one and type_of(value) == type_of(one) for one in values[:index]):
            yield place.inside(index, value).flaw(f"{_shown(value)} is named twice", "Remove one.")


Rule = Callable[[_Place, Schema], Iterator[Flaw]]

_ANNOTATIONS = frozenset({"$schema", "$defs", "$ref", "title", "description", "default", "type"})
_RULES: tuple[tuple[frozenset[str], Rule], ...] = (
    (frozenset({"const"}), _const),
    (frozenset({"enum"}), _enum),
    (frozenset({"format", "pattern", "minLength", "maxLength"}), _text),
    (frozenset({"minimum", "maximum"}), _range),
    (frozenset({"required"}), _required),
    (frozenset({"minProperties"}), _fewest),
    (frozenset({"oneOf"}), _one_of),
    (frozenset({"anyOf"}), _any_of),
    (frozenset({"properties", "additionalProperties", "propertyNames"}), _properties),
    (frozenset({"items", "minItems", "uniqueItems"}), _items),
)
_KNOWN = _ANNOTATIONS.union(*(keywords for keywords, _ in _RULES))
