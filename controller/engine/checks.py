"""What a desired state must keep before any target hears of it: each rule a function that raises Stalled."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from controller.config import is_open, openings, violations
from controller.model import Desired, Invalid, Platform, SyncPolicy, Wait, WaitKind, Window

LONGEST_WINDOW: Final = timedelta(days=7)
HORIZON: Final = timedelta(days=32)  # as far as is looked for the next window; after it, again


def check_allowed(desired: Desired, platform: Platform) -> None:
    """Refuse objects outside what the repository `may` touch. Raises Invalid with every one of them."""
    problems = violations(platform, desired)
    if problems:
        raise Invalid(problems)


CHECKS = (check_allowed,)


def window_wait(sync: SyncPolicy, now: datetime) -> Wait | None:
    """Say why no sync may start now, and when one may; None when one may now."""
    why = closed_window(sync, now)
    if not why:
        return None
    opens = sorted(
        moment
        for window in sync.windows
        for opening in openings(window, since=now - LONGEST_WINDOW, until=now + HORIZON)
        if (moment := opening if window.allow else opening + timedelta(seconds=window.seconds)) > now
    )
    until = next((moment for moment in opens if not closed_window(sync, moment)), now + HORIZON)
    return Wait(kind=WaitKind.WINDOW, what=why, until=until)


def closed_window(sync: SyncPolicy, now: datetime) -> str:
    """Say why no sync may start now, "" when one may: a deny window wins, and with an allow window one must be open."""
    denying = [window for window in sync.windows if not window.allow and is_open(window, now)]
    if denying:
        return f"window {_text(denying[0])} forbids syncs now"
    allowing = [window for window in sync.windows if window.allow]
    if allowing and not any(is_open(window, now) for window in allowing):
        return f"no sync outside of {', '.join(_text(window) for window in allowing)}"
    return ""


def _text(window: Window) -> str:
    return f'"{window.cron}" for {window.seconds // 60} min ({window.zone})'
