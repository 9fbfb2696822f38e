"""Moments as interface files write them: RFC 3339, or a date alone, which is its midnight in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_moment(text: str) -> datetime:
    """Read `2026-12-01` or `2026-12-01T18:00:00+08:00`. Raises ValueError, also for a time without its zone."""
    moment = datetime.fromisoformat(text)
    if len(text) == len("2026-12-01"):
        return moment.replace(tzinfo=UTC)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment
