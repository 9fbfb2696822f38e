"""Types of parameters, as KubeVela's definitions state them in CUE: what a value must be, and its default.

CUE's rules that users meet: a number is no string, null is no value, a struct that is not declared closed takes
fields that it does not know and passes them on, maps are walked in the order of their keys, and a map, list or struct
that must be there and is not is an empty one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from controller.model import ABSENT, FieldPath, JsonValue, Missing
from controller.render.oam.reporting import Report, nearest, suggestion

_SLIP: Final = 0.85  # how alike a misspelled name is to the one that is meant

Default: TypeAlias = "JsonValue | Missing"


class Kind(Protocol):
    """What a parameter must be. `check` gives the value with its defaults, or tells the report what is wrong."""

    def check(self, value: Any, path: FieldPath, report: Report) -> Any: ...
    def missing(self, path: FieldPath, report: Report) -> Any:
        """Give the value of a parameter that must be there and is not."""


def named(value: Any) -> str:
    """Name a value's type as CUE does."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _missing(default: Default, wanted: str, path: FieldPath, report: Report, stand_in: JsonValue) -> Any:
    """Give the default; where there is none, tell it, and give something of the type for what is read after it."""
    if isinstance(default, Missing):
        report.wrong(path, "not set", f"Set it to {wanted}.")
        return stand_in
    return default


@dataclass(frozen=True, slots=True)
class Text:
    """A string, and what it must look like."""

    default: Default = ABSENT
    pattern: str = ""
    example: str = ""

    def check(self, value: Any, path: FieldPath, report: Report) -> Any:
        if not isinstance(value, str):
            advice = f'Write "{_shown(value)}" in quotes.' if isinstance(value, (bool, int, float)) else ""
            report.wrong(path, f"{named(value)}, and must be a string", advice)
            return ""
        if self.pattern and not re.search(self.pattern, value):
            report.wrong(path, f'"{value}" is not of the form that is taken', f"Write it like {self.example}.")
        return value

    def missing(self, path: FieldPath, report: Report) -> Any:
        return _missing(self.default, "a string", path, report, "")


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number."""

    default: Default = ABSENT
    minimum: int | None = None
    maximum: int | None = None

    def check(self, value: Any, path: FieldPath, report: Report) -> Any:
        if isinstance(value, float) and value.is_integer():  # YAML's 80.0 is JSON's 80
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            report.wrong(path, f"{named(value)}, and must be a whole number")
            return 0
        if (self.minimum is not None and value < self.minimum) or (self.maximum is not None and value > self.maximum):
            report.wrong(path, f"{value} is not from {self.minimum} to {self.maximum}")
        return value

    def missing(self, path: FieldPath, report: Report) -> Any:
        return _missing(self.default, "a whole number", path, report, 0)


@dataclass(frozen=True, slots=True)
class Truth:
    """true or false."""

    default: Default = ABSENT

    def check(self, value: Any, path: FieldPath, report: Report) -> Any:
        if not isinstance(value, bool):
            report.wrong(path, f"{named(value)}, and must be true or false")
            return False
        return value

    def missing(self, path: FieldPath, report: Report) -> Any:
        return _missing(self.default, "true or false", path, report, stand_in=False)


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of these strings."""

    values: tuple[str, ...]
    default: Default = ABSENT

    def check(self, value: Any, path: FieldPath, report: Report) -> Any:
        if value not in self.values:
            taken = ", ".join(f'"{one}"' for one in self.values)
            found = nearest(value, self.values) if isinstance(value, str) else ""
            report.wrong(path, f'"{_shown(value)}" is none of {taken}', f'Did you mean "{found}"?' if found else "")
            return self.values[0]
        return value

    def missing(self, path: FieldPath, report: Report) -> Any:
        return _missing(self.default, "one of " + ", ".join(self.values), path, report, self.values[0])


@dataclass(frozen=True, slots=True)
class Amount:
    """A number or a string, as quantities are written."""

    default: Default = ABSENT

    def check(self, value: Any, path: FieldPath, report: Report) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            report.wrong(path, f"{named(value)}, and must be a number or a string")
            return 0
        return value

    def missing(self, path: FieldPath, report: Report) -> Any:
        return _missing(self.default, "a number or a string", path, report, 0)


@dataclass(frozen=True, slots=True)
class Maybe:
    """null, or a value of a kind."""

    kind: Kind

    def check(self, value: Any, path: FieldPath, report: Report) -> Any:
        return None if value is None else self.kind.check(value, path, report)

    def missing(self, path: FieldPath, report: Report) -> Any:  # noqa: ARG002  null is the default, whatever the path
        return None


@dataclass(frozen=True, slots=True)
class Items:
    """A list of one kind."""

    of: Kind
    default: tuple[Any, ...] = ()

    def check(self, value: Any, path: FieldPath, report: Report) -> Any:
        if not isinstance(value, list):
            advice = "Write it as a list: put `- ` before it." if value is not None else ""
            report.wrong(path, f"{named(value)}, and must be a list", advice)
            return []
        return [self.of.check(one, (*path, number), report) for number, one in enumerate(value)]

    def missing(self, path: FieldPath, report: Report) -> Any:  # noqa: ARG002
        return list(self.default)


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping of names to values of one kind, in the order of the names."""

    of: Kind

    def check(self, value: Any, path: FieldPath, report: Report) -> Any:
        if not isinstance(value, dict):
            report.wrong(path, f"{named(value)}, and must be a mapping of names to values")
            return {}
        return {name: self.of.check(value[name], (*path, name), report) for name in sorted(value)}

    def missing(self, path: FieldPath, report: Report) -> Any:  # noqa: ARG002
        return {}


@dataclass(frozen=True, slots=True)
class Anything:
    """Any value: what a definition passes on without a look."""

    def check(self, value: Any, path: FieldPath, report: Report) -> Any:  # noqa: ARG002
        return value

    def missing(self, path: FieldPath, report: Report) -> Any:  # noqa: ARG002
        return None


@dataclass(frozen=True, slots=True)
class AnyMapping:
    """A mapping whose fields are not declared."""

    def check(self, value: Any, path: FieldPath, report: Report) -> Any:
        if not isinstance(value, dict):
            report.wrong(path, f"{named(value)}, and must be a mapping")
            return {}
        return value

    def missing(self, path: FieldPath, report: Report) -> Any:  # noqa: ARG002
        return {}


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping with declared fields. Use `fields` to make one."""

    required: Mapping[str, Kind]
    optional: Mapping[str, Kind]
    is_closed: bool = False
    is_passed_on: bool = False  # the definition gives it to Kubernetes whole, so other fields mean something
    cases: Mapping[str, Fields] | None = None  # by the value of `type`, the fields that come with it

    @property
    def declared(self) -> frozenset[str]:
        return frozenset((*self.required, *self.optional))

    def check(self, value: Any, path: FieldPath, report: Report) -> Any:
        if not isinstance(value, dict):
            report.wrong(path, f"{named(value)}, and must be a mapping")
            return {}
        checked: dict[str, Any] = {}
        for name, kind in self.required.items():
            here = (*path, name)
            checked[name] = kind.check(value[name], here, report) if name in value else kind.missing(here, report)
        for name, kind in self.optional.items():
            if name in value:
                checked[name] = kind.check(value[name], (*path, name), report)
        case = self.cases.get(checked.get("type", "")) if self.cases else None
        if case is not None:
            checked |= case.check({name: one for name, one in value.items() if name not in checked}, path, report)
        for name, one in value.items():
            if name not in checked:
                self._unknown(name, path, report)
                checked[name] = one
        return checked

    def missing(self, path: FieldPath, report: Report) -> Any:
        return self.check({}, path, report)

    def _unknown(self, name: str, path: FieldPath, report: Report) -> None:
        known = {*self.required, *self.optional}
        for case in (self.cases or {}).values():
            known |= {*case.required, *case.optional}
        if name in known or self.is_passed_on:  # known of another case, or to Kubernetes
            return
        # KubeVela takes what it doesn't know without a word, if the struct is open. A slip of the pen isn't meant.
        if self.is_closed or nearest(name, known, likeness=_SLIP):
            report.wrong((*path, name), "there is no such parameter", suggestion(name, known))
        else:
            report.warn((*path, name), "there is no such parameter, so it changes nothing", suggestion(name, known))


def fields(
    declared: Mapping[str, Kind],
    *,
    closed: bool = False,
    passed_on: bool = False,
    cases: Mapping[str, Fields] | None = None,
) -> Fields:
    """Declare a mapping's fields; a name that ends in `?` may be left out, as in CUE."""
    return Fields(
        {name: kind for name, kind in declared.items() if not name.endswith("?")},
        {name[:-1]: kind for name, kind in declared.items() if name.endswith("?")},
        closed,
        passed_on,
        cases,
    )


def _shown(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


TEXT: Final = Text()
TEXTS: Final = Items(TEXT)
WHOLE: Final = Whole()
TEXT_TABLE: Final = Table(TEXT)
