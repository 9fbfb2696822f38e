"""What a desired state must keep before any target hears of it: each rule a function that raises Stalled."""

from __future__ import annotations

from datetime import datetime

from controller.config import is_open, violations
from controller.model import Desired, Invalid, Platform, SyncPolicy, Window


def check_allowed(desired: Desired, platform: Platform) -> None:
    """Refuse objects outside what the repository `may` touch. Raises Invalid with every one of them."""
    problems = violations(platform, desired)
    if problems:
        raise Invalid(problems)


CHECKS = (check_allowed,)


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
