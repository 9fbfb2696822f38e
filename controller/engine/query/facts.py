"""What an index keeps of an instance record: columns, attributes and relations. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from controller.records import Key, parse_key


class Attribute(NamedTuple):
    name: str
    value: str
    number: float | None


class Relation(NamedTuple):
    type: str
    target: Key


def attributes(record: Mapping[str, Any]) -> list[Attribute]:
    """Flatten a record's attributes: every leaf under its attribute's name, a mapping's also under `name.key`."""
    found: list[Attribute] = []
    for name, value in record.get("attributes", {}).items():
        _add_leaves(found, (name,), value)
    return found


def _add_leaves(found: list[Attribute], names: tuple[str, ...], value: Any) -> None:
    if value.__class__ is dict:
        for key, one in value.items():
            _add_leaves(found, (*names, *(f"{name}.{key}" for name in names)), one)
    elif value.__class__ is list:
        for one in value:
            _add_leaves(found, names, one)
    elif value is not None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        text = str(value).lower() if isinstance(value, bool) else str(value)
        number = float(value) if is_number else None
        found.extend(Attribute(name, text, number) for name in names)


def relations(record: Mapping[str, Any]) -> list[Relation]:
    return [Relation(one["type"], parse_key(one["target"])) for one in record.get("relations", ())]
