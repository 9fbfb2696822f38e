"""Which facts of an object a record tells: allow-lists, one data file per kind in `models/`.

A path is written `spec.containers[*].image`: `[*]` goes through a list, `[name]` makes a mapping of it by that field
of its elements, `["a.b/c"]` is a field whose name has dots. What is not there is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from controller.documents import Dialect, read

_STEP = re.compile(r'\["([^"]+)"\]|\[\*\]|\[([A-Za-z.]+)\]|\.?([A-Za-z0-9_-]+)')
_THROUGH = "*"


@dataclass(frozen=True, slots=True)
class _Step:
    """`name`: a field. `each` of a list; `by` makes a mapping of it instead."""

    name: str = ""
    by: str = ""
    each: bool = False


Path = tuple[_Step, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """Relations of one type: to objects named at a path, or described there by kind and name."""

    type: str
    to: str  # `Kind.group`; of a description, what it is where it does not say its kind
    names: Path | None
    described: Path | None


@dataclass(frozen=True, slots=True)
class Selector:
    """Relations of one type: to the workloads whose pods a selector takes."""

    type: str
    path: Path
    is_plain: bool  # a mapping of labels; else a LabelSelector


@dataclass(frozen=True, slots=True)
class Model:
    attributes: Mapping[str, Path]
    references: tuple[Reference, ...] = ()
    selectors: tuple[Selector, ...] = ()
    pod: Path | None = None  # where the pod template is


@lru_cache(maxsize=1_024)
def parse_path(text: str) -> Path:
    """Read a path; "." is the object itself. Raises ValueError for what is none."""
    if text == ".":
        return ()
    steps: list[_Step] = []
    end = 0
    while end < len(text):
        match = _STEP.match(text, end)
        if match is None:
            raise ValueError(f"{text} is no path at {end}")
        quoted, by, name = match.groups()
        steps.append(_Step(name=quoted or name or "", by=by or "", each=match[0] == "[*]"))
        end = match.end()
    return tuple(steps)


def values_at(value: Any, path: Path) -> Any:
    """Give what is at a path: a value, a list for `[*]`, a mapping for `[field]`; None where there is nothing."""
    for index, step in enumerate(path):
        if step.each:
            rest = path[index + 1 :]
            found = (values_at(one, rest) for one in value) if isinstance(value, list) else ()
            return [one for one in found if one is not None] or None
        if step.by:
            return _by_name(value, step.by, path[index + 1 :])
        if not isinstance(value, dict):
            return None
        value = value.get(step.name)
        if value is None:
            return None
    return value


def _by_name(value: Any, field: str, rest: Path) -> Any:
    elements = value if isinstance(value, list) else ()
    named = ((values_at(one, parse_path(field)), values_at(one, rest)) for one in elements)
    found = {name: one for name, one in named if isinstance(name, str) and one is not None}
    return dict(sorted(found.items())) or None


def flat(value: Any) -> Iterator[Any]:
    """Give every value of lists inside of lists."""
    if isinstance(value, list):
        for one in value:
            yield from flat(one)
    elif value is not None:
        yield value


@cache
def model_of(group_kind: str) -> Model:
    """Give the model of a kind, such as `Deployment.apps`; of an unknown kind, what every kind has."""
    return _models().get(group_kind, _models()["_any"])


@cache
def _models() -> Mapping[str, Model]:
    """Read every model. One file is one kind; `_any` is added to each, `_pod` to those that have pods."""
    files = {one.name: one for one in resources.files(__package__).joinpath("models").iterdir()}
    raw: dict[str, Any] = {
        name.removesuffix(".yaml"): read(file.read_bytes(), path=name, dialect=Dialect.KUBERNETES)[0].value
        for name, file in files.items()
        if name.endswith(".yaml")
    }
    return MappingProxyType({kind: _model(value, raw) for kind, value in raw.items()})


def _model(value: Mapping[str, Any], raw: Mapping[str, Any]) -> Model:
    pod = parse_path(value["pod"]) if "pod" in value else None
    parts: list[tuple[Mapping[str, Any], Path]] = [(value, ())]
    if value is not raw["_any"]:
        parts.append((raw["_any"], ()))
    if pod is not None:
        parts.append((raw["_pod"], pod))
    attributes = {
        name: (*prefix, *parse_path(text))
        for part, prefix in reversed(parts)
        for name, text in part.get("attributes", {}).items()
    }
    return Model(
        attributes=dict(sorted(attributes.items())),
        references=tuple(_reference(one, prefix) for part, prefix in parts for one in part.get("relations", ())),
        selectors=tuple(_selector(one) for one in value.get("selectors", ())),
        pod=pod,
    )


def _reference(value: Mapping[str, str], prefix: Path) -> Reference:
    def path(name: str) -> Path | None:
        return (*prefix, *parse_path(value[name])) if name in value else None

    return Reference(value["type"], value.get("to", ""), path("name"), path("reference"))


def _selector(value: Mapping[str, str]) -> Selector:
    is_plain = "labels" in value
    return Selector(value["type"], parse_path(value["labels" if is_plain else "selector"]), is_plain)
