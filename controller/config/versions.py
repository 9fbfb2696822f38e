"""Versions of charts and ranges of them, as Helm reads both (semver.org 2.0, and Masterminds' ranges). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from controller.config.complaint import Complaint, quoted

_VERSION: Final = re.compile(
    r"v?(?P<major>\d+)(?:\.(?P<minor>\d+))?(?:\.(?P<patch>\d+))?"
    r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+(?P<build>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
_TERM: Final = re.compile(
    r"(?P<sign>=|!=|>=|=>|<=|=<|>|<|~>|~|\^)?\s*"
    r"(?P<version>v?(?:\d+|[xX*])(?:\.(?:\d+|[xX*])){0,2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)"
)
_SPAN: Final = re.compile(r"(\S+)\s+-\s+(\S+)")
_PIN: Final = re.compile(r"(?P<range>.*?)(?:@(?P<digest>sha256:[0-9a-f]{64}))?")
_HOW: Final = 'Write a version ("1.4.2"), a range ("^1.4", "~1.4.2", ">=1.2 <2", "1.x"), and "@sha256:…" to pin it.'

Numbers = tuple[int, int, int]


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Ordered as semver orders: a pre-release comes before its release, numbers before words."""

    numbers: Numbers
    is_release: bool
    pre: tuple[tuple[bool, int, str], ...] = ()
    text: str = field(default="", compare=False)


def read_version(text: str) -> Version | None:
    """Read a version; None for what is none."""
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    numbers = (int(found["major"]), int(found["minor"] or 0), int(found["patch"] or 0))
    parts = (found["pre"] or "").split(".") if found["pre"] else ()
    pre = tuple((not one.isdigit(), int(one) if one.isdigit() else 0, one) for one in parts)
    return Version(numbers, not pre, pre, text)


@dataclass(frozen=True, slots=True)
class _Term:
    """Versions from `low` to before `high`, or (`is_not`) all others."""

    low: Version | None
    high: Version | None
    is_not: bool = False
    has_pre: bool = False

    def holds(self, version: Version) -> bool:
        is_in = (self.low is None or version >= self.low) and (self.high is None or version < self.high)
        return is_in is not self.is_not


@dataclass(frozen=True, slots=True)
class Range:
    """What a text asks for: any of its alternatives, and with `digest` exactly one content."""

    alternatives: tuple[tuple[_Term, ...], ...]
    digest: str = ""

    def holds(self, version: Version) -> bool:
        """Tell whether a version is asked for. A pre-release is so only where the range names one."""
        return any(
            all(term.holds(version) for term in terms) and (version.is_release or any(one.has_pre for one in terms))
            for terms in self.alternatives
        )


def read_range(text: str) -> Range | None:
    """Read a range; "" is any release. None for what is none."""
    found = _PIN.fullmatch(text.strip())
    if found is None:
        return None
    alternatives = []
    for part in (found["range"].strip() or "*").split("||"):
        terms = _terms(_SPAN.sub(r">=\1 <=\2", part.strip()))
        if terms is None:
            return None
        alternatives.append(terms)
    return Range(tuple(alternatives), found["digest"] or "")


def newest(versions: Iterable[str], wanted: Range) -> str | None:
    """Choose the newest version that a range asks for."""
    read = (one for one in map(read_version, versions) if one is not None)
    found = max((one for one in read if wanted.holds(one)), default=None)
    return found.text if found else None


def check_version_range(text: str) -> Complaint | None:
    """Say why a text can't be a chart's version or a range of them."""
    return None if read_range(text) else Complaint(f"{quoted(text)} is no version, and no range of versions", _HOW)


def _terms(text: str) -> tuple[_Term, ...] | None:
    terms: list[_Term] = []
    position = 0
    while position < len(text):
        if text[position] in " ,":
            position += 1
            continue
        found = _TERM.match(text, position)
        if found is None or (found.end() < len(text) and text[found.end()] not in " ,"):
            return None
        terms.append(_term(found["sign"] or "=", found["version"]))
        position = found.end()
    return tuple(terms) or None


def _term(sign: str, text: str) -> _Term:
    """Make an interval of a sign and a version whose last parts may be missing or wild."""
    core, _, pre = text.removeprefix("v").partition("+")[0].partition("-")
    parts = core.split(".")
    given = [int(one) for one in parts if one.isdigit()]
    given = given[: next((n for n, one in enumerate(parts) if not one.isdigit()), len(parts))]
    count = len(given)
    low = _version((*given, 0, 0, 0)[:3], pre)
    is_whole = count == len(low.numbers)
    after = _next(low) if is_whole else _after(given, count)  # the first version behind all that the text stands for
    has_pre = bool(pre)
    match sign:
        case ">=" | "=>":
            return _Term(low if count else None, None, has_pre=has_pre)
        case ">":
            return _Term(after, None, has_pre=has_pre)
        case "<":
            return _Term(None, low, has_pre=has_pre)
        case "<=" | "=<":
            return _Term(None, after, has_pre=has_pre)
        case "~" | "~>":
            return _Term(low, _after(given, min(count, 2)), has_pre=has_pre)
        case "^":
            leading = next((n for n, one in enumerate(given) if one), max(count - 1, 0))
            return _Term(low, _after(given, min(count, leading + 1)), has_pre=has_pre)
        case "!=":
            return _Term(low, after, is_not=True, has_pre=has_pre)
        case _:
            return _Term(low, after, has_pre=has_pre)


def _version(numbers: tuple[int, ...], pre: str = "") -> Version:
    read = read_version(".".join(map(str, numbers)) + (f"-{pre}" if pre else ""))
    assert read is not None  # noqa: S101  it was made of numbers
    return read


def _after(given: list[int], count: int) -> Version | None:
    """Give the first pre-release of the version behind all that begin with the first `count` numbers."""
    if not count:
        return None
    numbers = [*given[: count - 1], given[count - 1] + 1, 0, 0]
    return _version(tuple(numbers[:3]), "0")


def _next(version: Version) -> Version:
    """Give the smallest version above one."""
    return Version(version.numbers, version.is_release, (*version.pre, (False, -1, "")))
