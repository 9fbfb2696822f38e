"""Which facts of an object a record tells, said as data: attributes and relations of a kind, each by its path.

A path is written `spec.containers[*].image`: `[*]` goes through a list, `[name]` makes a mapping of it by that field
of its elements, `["a.b/c"]` is a field whose name has dots. What is not there is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, TypeAlias

_STEP = re.compile(r'\["([^"]+)"\]|\[\*\]|\[([A-Za-z.]+)\]|\.?([A-Za-z0-9_-]+)')
_SECRETIVE = re.compile(
    r"(password|passwd|passphrase|token|secret|credential|(private|access|secret|api)[-_]?key)s?", re.IGNORECASE
)
LONGEST_TEXT: Final = 1_024  # that a guarded attribute tells: facts are short, and what is pasted into fields is not


@dataclass(frozen=True, slots=True)
class Step:
    """`name`: a field. `each` of a list; `by` makes a mapping of it instead."""

    name: str = ""
    by: str = ""
    each: bool = False


FactPath: TypeAlias = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """Relations of one type: to objects named at a path, or described there by kind and name."""

    type: str
    to: str  # `Kind.group`; of a description, what it is where it does not say its kind
    names: FactPath | None
    described: FactPath | None


@dataclass(frozen=True, slots=True)
class Selector:
    """Relations of one type: to the workloads whose pods a selector takes."""

    type: str
    path: FactPath
    is_plain: bool  # a mapping of labels; else a LabelSelector


@dataclass(frozen=True, slots=True)
class KindModel:
    """What is told of a kind. Of `guarded` attributes, plain values alone are: they were not chosen by us."""

    attributes: Mapping[str, FactPath]
    references: tuple[Reference, ...] = ()
    selectors: tuple[Selector, ...] = ()
    pod: FactPath | None = None  # where the pod template is
    guarded: frozenset[str] = frozenset()


KindModels: TypeAlias = Mapping[str, KindModel]  # by `Kind.group`, of the core group by `Kind`
NO_MODELS: Final[KindModels] = MappingProxyType({})


@lru_cache(maxsize=1_024)
def parse_fact_path(text: str) -> FactPath:
    """Read a path; "." is the object itself. Raises ValueError for what is none."""
    if text == ".":
        return ()
    steps: list[Step] = []
    end = 0
    while end < len(text):
        match = _STEP.match(text, end)
        if match is None:
            raise ValueError(f"{text} is no path at {end}")
        quoted, by, name = match.groups()
        steps.append(Step(name=quoted or name or "", by=by or "", each=match[0] == "[*]"))
        end = match.end()
    return tuple(steps)


def _itself(value: Any) -> Any:
    return value


def values_at(value: Any, path: FactPath, told: Callable[[Any], Any] = _itself) -> Any:
    """Give what is at a path: a value, a list for `[*]`, a mapping for `[field]`; None where there is nothing.

    `told` says what of a value at the path's end is given.
    """
    for index, step in enumerate(path):
        if step.each:
            rest = path[index + 1 :]
            found = (values_at(one, rest, told) for one in value) if isinstance(value, list) else ()
            return [one for one in found if one is not None] or None
        if step.by:
            return _by_name(value, step.by, path[index + 1 :], told)
        if not isinstance(value, dict):
            return None
        value = value.get(step.name)
        if value is None:
            return None
    return told(value)


def _by_name(value: Any, field: str, rest: FactPath, told: Callable[[Any], Any]) -> Any:
    elements = value if isinstance(value, list) else ()
    named = ((values_at(one, parse_fact_path(field)), values_at(one, rest, told)) for one in elements)
    found = {name: one for name, one in named if isinstance(name, str) and one is not None}
    return dict(sorted(found.items())) or None


def flat(value: Any) -> Iterator[Any]:
    """Give every value of lists inside of lists."""
    if isinstance(value, list):
        for one in value:
            yield from flat(one)
    elif value is not None:
        yield value


def plain(value: Any) -> Any:
    """Give a scalar, a list of scalars, or a mapping of them without names that speak of secrets; else None.

    Whatever is deeper is no fact but a part of the object, and nobody looked for secrets in it.
    """
    if isinstance(value, list):
        return [one for one in value if _is_fact(one)] or None
    if isinstance(value, dict):
        if "name" in value and "value" in value:
            return None  # an environment variable, whatever the field is called that has it
        return {name: one for name, one in value.items() if _is_fact(one) and not is_secretive(name)} or None
    return value if _is_fact(value) else None


def _is_fact(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= LONGEST_TEXT)


def is_secretive(name: str) -> bool:
    """Tell whether a field of this name holds a secret, as people name fields: `dbPassword`, `api-token`."""
    found = _SECRETIVE.search(name)
    return found is not None and found.end() == len(name) and not name.startswith("automount")
