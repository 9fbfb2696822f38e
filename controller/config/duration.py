"""Durations as people write them: `6h`, `1h30m`, `90s`, `2d`."""

from __future__ import annotations

import re

_FORM = re.compile(r"(?:(?P<d>[0-9]{1,6})d)?(?:(?P<h>[0-9]{1,6})h)?(?:(?P<m>[0-9]{1,6})m)?(?:(?P<s>[0-9]{1,6})s)?")
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


def parse_duration(text: str) -> int:
    """Give the seconds that a duration has. Raises ValueError for what is none, such as "", `6` and `5m1h`."""
    match = _FORM.fullmatch(text)
    if not text or match is None:
        raise ValueError(text)
    return sum(int(number) * _SECONDS[unit] for unit, number in match.groupdict(default="0").items())
