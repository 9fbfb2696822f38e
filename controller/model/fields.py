"""Fields of an object: where one is, what it held, who changed it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Final, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"


class Missing(Enum):
    """The type of `ABSENT`: a field that is not there, which is not a field that is null."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Missing.ABSENT


@dataclass(frozen=True, slots=True)
class Hidden:
    """A secret value's stand-in: equal values of one environment have equal hashes, and nothing tells the value.

    The hash is keyed per environment, and even it reaches no record or log (rule 9): it prints as dots.
    """

    keyed_hash: str = ""

    def __str__(self) -> str:
        return "•••"

    def __repr__(self) -> str:
        return "Hidden()"


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that is known only once something before it is applied."""

    def __str__(self) -> str:
        return "(known after apply)"


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a list that is known by keys (`containers[web]`, `ports[80,TCP]`), or of a set by its value."""

    keys: tuple[tuple[str, str | int | bool], ...]

    def __str__(self) -> str:
        return ",".join(str(value) for _, value in self.keys)


Step: TypeAlias = str | int | Element
FieldPath: TypeAlias = tuple[Step, ...]
FieldValue: TypeAlias = "JsonValue | Missing | Hidden | Unknown"


def format_path(path: Sequence[Step]) -> str:
    """Write a path as people do: `spec.template.spec.containers[web].image`, `metadata.labels["a.b/c"]`."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, str):
            plain = step.replace("_", "").replace("-", "").isalnum()
            parts.append((f".{step}" if parts else step) if plain else f'["{step}"]')
        else:
            parts.append(f"[{step}]")
    return "".join(parts)


def parse_field(text: str) -> FieldPath:
    """Read what an ignore rule names: a path as people write it, or a JSON pointer (RFC 6901). Raises ValueError.

    A pointer's steps stay text: whether `0` is a name or an index, the object tells.
    """
    if not text.startswith("/"):
        if not text:
            raise ValueError("an empty text names no field")
        return parse_path(text)
    if re.search(r"~(?![01])", text):
        raise ValueError(f"{text!r} is no JSON pointer: `~` is written ~0, and `/` in a name ~1")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/"))


_STEP: Final = re.compile(
    r'(?:(?<!.)|\.)(?P<plain>[^.\[\]"]+)'  # a name; between two of them stands a dot
    r'|\["(?P<quoted>[^"]*)"\]'
    r'|\[(?P<listed>[^\]"][^\]]*)\]',
    re.DOTALL,
)


def parse_path(text: str) -> FieldPath:
    """Read what `format_path` writes, and what it writes of that is the same again.

    It does not write the names of an element's keys: those come back as "". Raises ValueError.
    """
    steps: list[Step] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError(
                f"{text!r} is no field: {text[at:]!r} can't follow {text[:at]!r}. "
                'Write it like spec.template.spec.containers[web].image or metadata.labels["example.com/team"]'
            )
        steps.append(_step(found))
        at = found.end()
    return tuple(steps)


def _step(found: re.Match[str]) -> Step:
    listed = found["listed"]
    if listed is None:
        return found["plain"] if found["quoted"] is None else found["quoted"]
    if re.fullmatch(r"-?(0|[1-9][0-9]*)", listed, re.ASCII) and listed != "-0":
        return int(listed)
    return Element(tuple(("", part) for part in listed.split(",")))


class Cause(StrEnum):
    """Why a field is not as desired: our side moved, or theirs. Never one word for both."""

    PENDING = "pending"
    DRIFT = "drift"


@dataclass(frozen=True, slots=True)
class Editor:
    """Who changed a field, as far as the server knows: the field manager, its operation and when."""

    manager: str
    operation: str  # Apply | Update
    time: datetime | None  # exact for the field, approximate for the minute
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that an apply would change: `before` is live, `after` is desired."""

    path: FieldPath
    before: FieldValue
    after: FieldValue
    cause: Cause
    editor: Editor | None = None  # drift only; None: nobody is named, as for a removal
