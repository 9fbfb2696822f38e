"""Texts of others as parts of a Markdown table: never markup, never a new cell or line."""

from __future__ import annotations

import re
from urllib.parse import quote

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~&@:])")
LONGEST = 160


def plain(text: str, *, limit: int = LONGEST) -> str:
    """Escape a text, as one line of at most `limit` characters."""
    if not text.isprintable():
        text = "".join(one if one.isprintable() else " " for one in text)
    line = " ".join(text.split())
    shortened = line if len(line) <= limit else f"{line[: limit - 1]}…"
    return _MARKUP.sub(r"\\\1", shortened)


def link(path: str) -> str:
    """Write a path inside of the branch as the target of a link."""
    return quote(path)
