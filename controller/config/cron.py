"""The five fields of crontab(5): read and checked, and asked whether they name a minute.

A window is open from the minute that its cron names for as long as its `for` says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from controller.config.complaint import quoted
from controller.model import Window

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FORM = "Write five fields: minute, hour, day of month, month, day of week."
_PART = re.compile(
    r"(?P<first>\*|[0-9]{1,4}|[A-Za-z]{3})(?:-(?P<last>[0-9]{1,4}|[A-Za-z]{3}))?(?:/(?P<step>[0-9]{1,4}))?"
)


class CronError(ValueError):
    """A cron expression that names no times. `advice` says what to write instead."""

    def __init__(self, what: str, advice: str = FORM) -> None:
        self.what, self.advice = what, advice
        super().__init__(what)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    first: int
    last: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, MONTHS),
    _Field("day of week", 0, 7, DAYS),  # 7 is Sunday too
)


@dataclass(frozen=True, slots=True)
class Cron:
    """The times that a cron expression names."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    either_day: bool  # both kinds of day are restricted: one that fits is enough, as crontab(5) says

    def names(self, moment: datetime) -> bool:
        """Tell whether the expression names this local minute."""
        return moment.minute in self.minutes and moment.hour in self.hours and self.names_day(moment)

    def names_day(self, moment: datetime) -> bool:
        if moment.month not in self.months:
            return False
        in_month, in_week = moment.day in self.days, moment.isoweekday() % 7 in self.weekdays
        return (in_month or in_week) if self.either_day else (in_month and in_week)


def parse_cron(text: str) -> Cron:
    """Read an expression such as `0 22 * * 1-5`. Raises CronError, which names the field that is wrong."""
    if text.startswith("@"):
        raise CronError(f"{quoted(text)} is a nickname, which not every cron knows")
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise CronError(f"{quoted(text)} has {len(parts)} field{'s' if len(parts) != 1 else ''} of five")
    sets = [_values(text, index, field) for index, field in enumerate(_FIELDS)]
    minutes, hours, days, months, weekdays = sets
    return Cron(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        either_day=not (parts[2].startswith("*") or parts[4].startswith("*")),
    )


def _values(text: str, index: int, field: _Field) -> frozenset[int]:
    return frozenset(value for part in text.split()[index].split(",") for value in _range(text, index, field, part))


def _range(text: str, index: int, field: _Field, part: str) -> range:
    match = _PART.fullmatch(part)
    if match is None:
        raise CronError(f"{quoted(text)} has {field.name} {quoted(part)}, which is no number, range, list or step")
    first, last = _bounds(text, index, field, match)
    if first > last:
        raise CronError(
            f"{quoted(text)} has {field.name} {quoted(part)}, which ends before it begins",
            f"Write two ranges, such as {quoted(f'{first}-{field.last},{field.first}-{last}')}.",
        )
    step = int(match["step"] or 1)
    if step == 0:
        raise CronError(f"{quoted(text)} has {field.name} {quoted(part)}, whose step is 0")
    return range(first, last + 1, step)


def _bounds(text: str, index: int, field: _Field, match: re.Match[str]) -> tuple[int, int]:
    if match["first"] == "*":
        if match["last"]:
            raise CronError(f"{quoted(text)} has {field.name} {quoted(match[0])}, which is no range")
        return field.first, field.last
    first = _number(text, index, field, match["first"])
    if match["last"]:
        return first, _number(text, index, field, match["last"])
    return first, field.last if match["step"] else first


def _number(text: str, index: int, field: _Field, word: str) -> int:
    if not word.isdigit():
        if word.lower() in field.names:
            return field.names.index(word.lower()) + (1 if field.names is MONTHS else 0)
        known = f" (known: {', '.join(field.names)})" if field.names else ""
        raise CronError(f"{quoted(text)} has {field.name} {quoted(word)}, which is not known{known}")
    value = int(word)
    if field.first <= value <= field.last:
        return value
    edge = f"end at {field.last}" if value > field.last else f"begin at {field.first}"
    plural = "days of month" if index == 2 else "days of week" if index == 4 else f"{field.name}s"
    size = 7 if index == 4 else field.last - field.first + 1
    fields = text.split()
    fields[index] = re.sub(rf"\b{word}\b", str((value - field.first) % size + field.first), fields[index])
    raise CronError(f"{quoted(text)} has {field.name} {value} ({plural} {edge})", f"Write {quoted(' '.join(fields))}.")


def openings(window: Window, *, since: datetime, until: datetime) -> Iterator[datetime]:
    """Give the moments, in UTC, at which a window opens, after `since` and up to `until` (both aware), in order.

    Local minutes that a clock change skips never come; one that comes twice opens the window at its first coming.
    """
    cron, zone = parse_cron(window.cron), _zone(window.zone)
    local = since.astimezone(zone).replace(second=0, microsecond=0, tzinfo=None)
    last = until.astimezone(zone).replace(tzinfo=None) + timedelta(hours=2)
    while local <= last:
        if not cron.names_day(local):
            local = local.replace(hour=0, minute=0) + timedelta(days=1)
            continue
        if local.hour not in cron.hours:
            local = local.replace(minute=0) + timedelta(hours=1)
            continue
        if cron.names(local):
            moment = local.replace(tzinfo=zone).astimezone(UTC)
            is_real = moment.astimezone(zone).replace(tzinfo=None) == local
            if is_real and since < moment <= until:
                yield moment
        local += timedelta(minutes=1)


def is_open(window: Window, now: datetime) -> bool:
    """Tell whether a window is open at an aware moment."""
    return any(True for _ in openings(window, since=now - timedelta(seconds=window.seconds), until=now))


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)
