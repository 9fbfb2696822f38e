"""Scalars that were not written in their plainest form keep their spelling.

Kustomize copies text (`1.10` in a replacement with a delimiter) where JSON has only the number 1.1. A spelled
value is the number, or the time as JSON writes it, and its `spelling` is what stood in the file.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeGuard

INT64_MIN, INT64_MAX, UINT64_MAX = -(1 << 63), (1 << 63) - 1, (1 << 64) - 1


class SpelledInt(int):
    """An integer written otherwise than in decimal digits: `0x1F`, `0644`, `1_000`, `1.0`."""

    spelling: str


class SpelledFloat(float):
    """A float written otherwise than JSON writes it: `1.10`, `1.5e3`."""

    spelling: str


class SpelledStr(str):
    """A time as JSON writes it, `2024-01-15T00:00:00Z`, that was written otherwise: `2024-01-15`."""

    __slots__ = ("spelling",)
    spelling: str


class Quoted(str):
    """A string that was written in quotes or as a block: kustomize keeps that style when it replaces the value."""

    __slots__ = ()


class Folded(Quoted):
    """A string that was written as a folded block (`>`), which go-yaml does not write back equal."""

    __slots__ = ()


class BareKey(str):
    """A key that is no string, such as `6443`: kustomize finds it by its text, and refuses to print it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class SpelledNull:
    """A null that was written as nothing, or as `~`: kustomize drops the one and keeps the other.

    Nothing in a flow mapping (`{a: }`) it writes as `''`, and so makes text of it.
    """

    spelling: str
    in_flow: bool = False


Spelled = SpelledInt | SpelledFloat | SpelledStr


def is_spelled(value: object) -> TypeGuard[Spelled]:
    return isinstance(value, SpelledInt | SpelledFloat | SpelledStr)


def spelled(value: float | str, spelling: str) -> Spelled:
    """Give a value that remembers how it was written."""
    made: Spelled
    if isinstance(value, str):
        made = SpelledStr(value)
    elif isinstance(value, int):
        made = SpelledInt(value)
    else:
        made = SpelledFloat(value)
    made.spelling = spelling
    return made


def spelling_of(value: object) -> str:
    """Give the text of a scalar as it stood in its file, or as it would be written."""
    if isinstance(value, str):
        return value.spelling if isinstance(value, SpelledStr) else value
    if isinstance(value, SpelledInt | SpelledFloat | SpelledNull):
        return value.spelling
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return format_float(value) if isinstance(value, float) else str(value)


def unspelled(value: object) -> object:
    """Give the bare value of a spelled one, and anything else as it is."""
    if isinstance(value, SpelledStr):
        return str.__str__(value)
    if isinstance(value, Quoted):
        return str(value)
    if isinstance(value, SpelledNull):
        return "" if value.in_flow and not value.spelling else None
    if isinstance(value, SpelledInt):
        return int(value)
    return float(value) if isinstance(value, SpelledFloat) else value


def digits_of(number: float) -> tuple[str, str, int]:
    """Give sign, shortest digits and decimal exponent: -1234.5 is ("-", "12345", 3)."""
    sign, digits, exponent = Decimal(repr(number)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0") or "0"
    return ("-" if sign else ""), text, (int(exponent) + len(digits) - 1 if text != "0" else 0)


def format_float(number: float) -> str:
    """Write a float as go-yaml does: strconv.FormatFloat(x, 'g', -1, 64), which turns to exponents from 1e+06 on."""
    sign, digits, exponent = digits_of(number)
    if -4 <= exponent < 6:
        return _format_fixed(sign, digits, exponent)
    return _format_scientific(sign, digits, exponent)


def format_float_key(number: float) -> str:
    """Write a float that is a key as sigs.k8s.io/yaml does: the shortest digits that a float of 32 bits needs."""
    try:
        small = struct.unpack("f", struct.pack("f", number))[0]
    except OverflowError:
        return "+Inf" if number > 0 else "-Inf"
    digits = (f"{small:.{count}g}" for count in range(1, 10))
    return format_float(float(next(one for one in digits if struct.pack("f", float(one)) == struct.pack("f", small))))


def format_json_float(number: float) -> str:
    """Write a float as Go's encoding/json does: digits below 1e21 and from 1e-6 on, `1e-7` and `1e+21` beyond."""
    sign, digits, exponent = digits_of(number)
    if -6 <= exponent < 21:
        return _format_fixed(sign, digits, exponent)
    mantissa = digits[0] + ("." + digits[1:] if digits[1:] else "")
    return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent)}"


def _format_fixed(sign: str, digits: str, exponent: int) -> str:
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    rest = digits[exponent + 1 :]
    return f"{sign}{whole}.{rest}" if rest else f"{sign}{whole}"


def _format_scientific(sign: str, digits: str, exponent: int) -> str:
    mantissa = digits[0] + ("." + digits[1:] if digits[1:] else "")
    return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def number_from_float(number: float, *, largest: int) -> int | float:
    """Give the number that a JSON round trip in Go makes of a float: integral ones up to `largest` are integers."""
    if not number.is_integer() or abs(number) >= 1e21:
        return number
    sign, digits, exponent = digits_of(number)
    whole = int(f"{sign}{digits[: exponent + 1].ljust(exponent + 1, '0')}")
    return whole if INT64_MIN <= whole <= largest else number
