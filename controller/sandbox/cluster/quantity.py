"""Quantities in the form in which a server stores them (apimachinery resource.Quantity, CanonicalizeBytes)."""

from __future__ import annotations

import re
from decimal import ROUND_UP, Decimal

_FORM = re.compile(r"^([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:([eE][+-]?\d+)|([KMGTPE]i|[numkMGTPE])?)$")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_NANO = Decimal("1e-9")
MILLI = Decimal("1e-3")


def canonical(text: str, *, least: Decimal = _NANO) -> str:
    """Write a quantity as the server does: `1024Mi` is `1Gi`, `0.5` is `500m`. Raises ValueError for what is none.

    What is less than `least` is rounded up to it: resource lists go down to thousandths, all others to billionths.
    """
    match = _FORM.match(text)
    if not match:
        raise ValueError(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        )
    number, exponent, suffix = Decimal(match[1]), match[2], match[3] or ""
    if suffix in _BINARY[1:]:
        value = number * Decimal(1024) ** _BINARY.index(suffix)
        whole = value.to_integral_value()
        if value == whole and abs(value) >= 1024:
            return _binary(int(whole))
        return _decimal(value, least)
    if exponent:
        return _exponential(number.scaleb(int(exponent[1:])), least)
    return _decimal(number.scaleb(_DECIMAL[suffix]), least)


def _binary(value: int) -> str:
    power = 0
    while value and value % 1024 == 0 and power < len(_BINARY) - 1:
        value //= 1024
        power += 1
    return f"{value}{_BINARY[power]}"


def _decimal(value: Decimal, least: Decimal) -> str:
    """Take the largest suffix that leaves no fraction."""
    value = value.quantize(least, rounding=ROUND_UP)
    if not value:
        return "0"
    for suffix, power in sorted(_DECIMAL.items(), key=lambda one: -one[1]):
        scaled = value.scaleb(-power)
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}{suffix}"
    raise AssertionError("a quantity is a whole number of nanos")


def _exponential(value: Decimal, least: Decimal) -> str:
    value = value.quantize(least, rounding=ROUND_UP)
    if not value:
        return "0"
    for power in range(18, -12, -3):
        scaled = value.scaleb(-power)
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}e{power}" if power else f"{int(scaled)}"
    raise AssertionError("a quantity is a whole number of nanos")
