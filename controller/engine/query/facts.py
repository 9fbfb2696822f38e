"""What an index keeps of an instance record: columns, attributes and relations. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.records import Key, parse_key


@dataclass(frozen=True, slots=True)
class Attribute:
    name: str
    value: str
    number: float | None


@dataclass(frozen=True, slots=True)
class Relation:
    type: str
    target: Key


def attributes(record: Mapping[str, Any]) -> Iterator[Attribute]:
    """Flatten a record's attributes: every leaf under its attribute's name, a mapping's also under `name.key`."""
    for name, value in record.get("attributes", {}).items():
        yield from _leaves(name, value)


def _leaves(name: str, value: Any) -> Iterator[Attribute]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            for leaf in _leaves(name, one):
                yield leaf
                yield Attribute(f"{name}.{key}", leaf.value, leaf.number)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(name, one)
    elif isinstance(value, bool):
        yield Attribute(name, str(value).lower(), None)
    elif isinstance(value, int | float):
        yield Attribute(name, str(value), float(value))
    elif value is not None:
        yield Attribute(name, str(value), None)


def relations(record: Mapping[str, Any]) -> Iterator[Relation]:
    for one in record.get("relations", ()):
        yield Relation(one["type"], parse_key(one["target"]))
