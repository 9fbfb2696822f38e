"""What an index keeps of an instance record: columns, attributes and relations. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

ELSEWHERE: Final = "_"  # in a key, an object that is no part of the application that names it
LEVELS: Final = {1: "Environment", 2: "Application", 3: "Target"}  # by the parts of a key


@dataclass(frozen=True, slots=True)
class Key:
    """A key's parts, "" for those that it does not have."""

    environment: str
    application: str = ""
    target: str = ""
    namespace: str = ""
    model: str = ""
    name: str = ""

    @property
    def kind(self) -> str:
        return self.model.partition(".")[0]

    @property
    def group(self) -> str:
        return self.model.partition(".")[2]

    @property
    def place(self) -> str:
        """The same for one object, whichever application speaks of it."""
        if not self.name or not self.target or self.model in LEVELS.values():
            return f"{self.environment}/{self.application}/{self.target}"
        return f"{self.environment}/{ELSEWHERE}/{self.target}/{self.namespace}/{self.model}/{self.name}"


def parse_key(text: str) -> Key:
    """Read `environment/application/target/namespace/Kind.group/name`, or the first one, two or three of it."""
    parts = [one.replace("%2F", "/").replace("%25", "%") for one in text.split("/")]
    environment, application, target, namespace, model, name = (*parts, *[""] * 6)[:6]
    if len(parts) in LEVELS:
        return Key(environment, application, target, "", LEVELS[len(parts)], parts[-1])
    return Key(environment, application, target, "" if namespace == "_cluster" else namespace, model, name)


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
