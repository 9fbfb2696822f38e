"""What a plain scalar means: the rules of the two YAML libraries that Kubernetes tools are built on.

`KUBERNETES` reads as kubectl does (go-yaml v2 resolve.go and decode.go, then JSON); `KUSTOMIZE` as kustomize does
(go-yaml v3, whose `on`, `yes`, `y` are strings and whose dates become times, then JSON). Both are YAML 1.1 with
their own exceptions, and disagree with PyYAML on about one in thirty awkward scalars.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Final

from controller.documents.scalars import (
    INT64_MAX,
    INT64_MIN,
    UINT64_MAX,
    number_from_float,
    spelled,
)
from controller.model import JsonValue


class Dialect(StrEnum):
    """How plain scalars resolve: `on`, `y`, dates, keys that are not strings."""

    KUBERNETES = "kubernetes"
    KUSTOMIZE = "kustomize"


class ScalarError(ValueError):
    """A scalar that has no value in JSON, or not the one that its tag claims."""


# A plain scalar is a string unless it is one of its dialect's `WORDS` or starts as a number or a time does.
_DIALECTS: Final = tuple(Dialect)
NUMBER_STARTS: Final = frozenset("+-.0123456789")
MAYBE_SPECIAL: Final = NUMBER_STARTS | frozenset("yYnNtTfFoO~<")

_NULLS: Final[dict[str, JsonValue]] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_BOOLS: Final[dict[str, JsonValue]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_OLD_BOOLS: Final[dict[str, JsonValue]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
}
WORDS: Final = {
    Dialect.KUBERNETES: {**_NULLS, **_BOOLS, **_OLD_BOOLS},
    Dialect.KUSTOMIZE: {**_NULLS, **_BOOLS},
}
_MOST_DASHES: Final = 3  # of a time with its zone; numbers have less
_NOT_JSON: Final = re.compile(r"\.(?:nan|NaN|NAN)|[-+]?\.(?:inf|Inf|INF)")
_DECIMAL: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_PLAIN_DECIMAL: Final = re.compile(r"0|-?[1-9][0-9]{0,17}")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DOT_FLOAT: Final = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
_BASED: Final = re.compile(
    r"(?P<sign>[-+]?)0(?:[xX](?P<hex>[0-9a-fA-F]+)|[bB](?P<bin>[01]+)|[oO]?(?P<oct>[0-7]+))",
)
_SIGN_AFTER_BASE: Final = re.compile(r"0(?:b(?P<bin>[-+][01]+)|o(?P<oct>[-+][0-7]+))")
_TIME: Final = re.compile(
    r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})"
    r"(?:(?:[Tt](?P<H>\d{1,2}):(?P<M>\d{1,2}):(?P<S>\d{1,2})(?P<f>[.,]\d+)?(?P<z>Z|[-+]\d\d:\d\d))"
    r"|(?: (?P<H2>\d{1,2}):(?P<M2>\d{1,2}):(?P<S2>\d{1,2})(?P<f2>[.,]\d+)?))?",
    re.ASCII,
)

Resolver = Callable[[str], JsonValue]


def resolve_kubernetes(text: str) -> JsonValue:
    """Give the value of a plain scalar as `kubectl apply` sends it. Raises ScalarError for `.inf` and `.nan`."""
    words = WORDS[Dialect.KUBERNETES]
    if text in words:
        return words[text]
    if text[0] not in NUMBER_STARTS:
        return text
    if _PLAIN_DECIMAL.fullmatch(text):
        return int(text)
    number = _number(text, dialect=Dialect.KUBERNETES)
    if number is None:
        return text
    return number_from_float(number, largest=INT64_MAX) if isinstance(number, float) else _within_int64(number)


def resolve_kustomize(text: str) -> JsonValue:
    """Give the value of a plain scalar as `kustomize build` prints it, spelled where that differs from the file."""
    words = WORDS[Dialect.KUSTOMIZE]
    if text in words:
        return words[text]
    if text[0] not in NUMBER_STARTS:
        return text
    if _PLAIN_DECIMAL.fullmatch(text):
        return int(text)
    moment = time_as_json(text)
    if moment is not None:
        return spelled(moment, text) if moment != text else moment
    number = _number(text, dialect=Dialect.KUSTOMIZE)
    if number is None:
        return text
    if isinstance(number, float):
        number = number_from_float(number, largest=UINT64_MAX)
    return spelled(number, text)


RESOLVERS: Final[dict[Dialect, Resolver]] = {
    Dialect.KUBERNETES: resolve_kubernetes,
    Dialect.KUSTOMIZE: resolve_kustomize,
}


def resolve_tagged(tag: str, text: str, dialect: Dialect) -> JsonValue:
    """Give the value of a scalar with an explicit tag. A tag that nobody knows leaves a string.

    Raises ScalarError when the text is not of the tag's type, as both libraries do.
    """
    short = tag.removeprefix("tag:yaml.org,2002:")
    if short == "binary":
        return _from_base64(text)
    if short not in {"bool", "int", "float", "null", "timestamp"}:
        return text
    value = RESOLVERS[dialect](text) if text == "" or text[0] in MAYBE_SPECIAL else text
    fits = {
        "bool": isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool) and _float_like(text) is None,
        "float": isinstance(value, int | float) and not isinstance(value, bool),
        "null": value is None,
        "timestamp": time_as_json(text) is not None,
    }
    if not fits[short]:
        raise ScalarError(f'"{text}" is not a !!{short}')
    return value


def is_string(text: str) -> bool:
    """Tell whether a plain scalar is read as the string it looks like by both dialects."""
    if text in WORDS[Dialect.KUBERNETES] or text == "<<":
        return False
    if text[0] not in NUMBER_STARTS or text.count("-") > _MOST_DASHES:
        return True
    return not (_NOT_JSON.fullmatch(text) or _is_number(text) or time_as_json(text) is not None)


def time_as_json(text: str) -> str | None:
    """Give a time, in any of the four forms of goyaml.v3 resolve.go, as Go writes it in JSON; None: it is no time."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    part = found.groupdict()
    hour, minute, second = (int(part[a] or part[f"{a}2"] or 0) for a in "HMS")
    try:
        datetime(int(part["y"]), int(part["m"]), int(part["d"]), hour, minute, second, tzinfo=_zone(part["z"]))
    except ValueError:
        return None
    fraction = (part["f"] or part["f2"] or "")[1:10].rstrip("0")
    day = f"{part['y']}-{int(part['m']):02d}-{int(part['d']):02d}"
    zone = part["z"] or "Z"
    zone = "Z" if zone in {"+00:00", "-00:00"} else zone
    return f"{day}T{hour:02d}:{minute:02d}:{second:02d}{'.' + fraction if fraction else ''}{zone}"


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    hours, minutes = int(text[1:3]), int(text[4:6])
    if minutes > 59:
        raise ValueError(text)
    return timezone(timedelta(hours=hours, minutes=minutes))


def _number(text: str, *, dialect: Dialect) -> int | float | None:
    """Give the number that a plain scalar is, or None. Underscores count for nothing, but in `.7_3`."""
    if text[0] == ".":
        if _NOT_JSON.fullmatch(text):
            raise ScalarError(f"{text} has no form in JSON")
        return _finite(text.replace("_", "")) if _DOT_FLOAT.fullmatch(text) else None
    if text[0] not in "+-0123456789":
        return None
    if _NOT_JSON.fullmatch(text):
        raise ScalarError(f"{text} has no form in JSON")
    plain = text.replace("_", "")
    if _DECIMAL.fullmatch(plain):
        return _integer(int(plain), plain)
    based = _BASED.fullmatch(plain)
    if based is not None:
        whole = _from_base(based)
        if whole is not None:
            return whole
    late = _SIGN_AFTER_BASE.fullmatch(plain)
    if late is not None and (late["bin"] or dialect is Dialect.KUSTOMIZE):
        return int(late["bin"], 2) if late["bin"] else int(late["oct"], 8)
    return _finite(plain) if _FLOAT.fullmatch(plain) else None


def _integer(whole: int, text: str) -> int | float | None:
    """Keep an integer that fits 64 bits (unsigned only without a sign); beyond, Go reads a float."""
    if INT64_MIN <= whole <= INT64_MAX or (whole <= UINT64_MAX and text[0] not in "+-"):
        return whole
    return _finite(text)


def _from_base(found: re.Match[str]) -> int | None:
    digits, base = next((found[name], base) for name, base in (("hex", 16), ("bin", 2), ("oct", 8)) if found[name])
    whole = int(digits, base) * (-1 if found["sign"] == "-" else 1)
    if INT64_MIN <= whole <= INT64_MAX or (whole <= UINT64_MAX and not found["sign"]):
        return whole
    return None


def _finite(text: str) -> float | None:
    number = float(text)
    return None if number in {float("inf"), float("-inf")} else number


def _within_int64(whole: int) -> int | float:
    return whole if whole <= INT64_MAX else float(whole)


def _float_like(text: str) -> str | None:
    return text if any(mark in text for mark in ".eE") and not text.lower().startswith(("0x", "-0x", "+0x")) else None


def _is_number(text: str) -> bool:
    return any(_number(text, dialect=dialect) is not None for dialect in _DIALECTS)


def _from_base64(text: str) -> str:
    import base64  # noqa: PLC0415  (a rare tag)
    import binascii  # noqa: PLC0415

    try:
        return base64.b64decode("".join(text.split()), validate=True).decode(errors="replace")
    except binascii.Error as error:
        raise ScalarError("!!binary value is not base64") from error
