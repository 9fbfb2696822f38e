"""What a check of one value finds: why it is wrong, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

SHOWN_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Complaint:
    """A mistake without its place: `what` is a clause, `advice` a sentence."""

    what: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.what}. {self.advice}" if self.advice else self.what


def quoted(text: str) -> str:
    """Quote what somebody wrote, shortened, with control characters as escapes."""
    shown = text if len(text) <= SHOWN_LENGTH else f"{text[: SHOWN_LENGTH - 1]}…"
    return '"' + "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in shown) + '"'


def nearest(name: str, known: Iterable[str]) -> str:
    """Give the known name that was probably meant, "" where none is near."""
    by_lower = {one.lower(): one for one in sorted(known)}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else ""


def listed(names: Iterable[str], *, limit: int = 8) -> str:
    """Enumerate names for a sentence, sorted, at most `limit` of them."""
    every = sorted(names)
    text = ", ".join(every[:limit])
    return f"{text} and {len(every) - limit} more" if len(every) > limit else text


def suggestion(name: str, known: Iterable[str], *, empty: str) -> str:
    """Advise on an unknown name: the nearest known one, else all of them, else `empty`."""
    every = tuple(known)
    near = nearest(name, every)
    if near:
        return f'Did you mean "{near}"?'
    return f"Known: {listed(every)}." if every else empty
