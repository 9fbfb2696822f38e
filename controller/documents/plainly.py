"""Reads most of what `write` writes, in half of the time that YAML takes: line by line, and nothing in doubt.

Block mappings and lists, plain scalars of one line, quotes without escapes. Whatever else a text has (another style, a
comment, a text of several lines, other letters than ASCII's, a key twice) is left to `read`, which reads all of YAML.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from controller.documents.resolving import WORDS, Dialect, is_string
from controller.model import JsonValue

DEEPEST: Final = 100
REMEMBERED: Final = 4_096  # scalars: records say the same things again and again
LONGEST: Final = 80  # characters of a scalar that is remembered
# Of each line: its indent, whether it is an item, then a key and what stands behind it, or else all of the rest.
_LINE: Final = re.compile(r"( *)(- )?(?:([A-Za-z_][A-Za-z0-9_./-]*):(?: (.+))?|(.+))\n")
# In block style a colon ends a key only before a space, and `#` begins a comment only behind one (YAML 1.2.2, 7.3.3).
_PLAIN: Final = re.compile(r"[A-Za-z0-9_/$(](?:[^:#]|:(?! |$)|(?<! )#)*")
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DOUBLE: Final = re.compile(r'"([^"\\]*)"')
_SINGLE: Final = re.compile(r"'([^']*(?:''[^']*)*)'")
_UNFIT: Final = re.compile(r"[^\n\x20-\x7e]")
_SPOKEN: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_EXACT: Final = {"true": True, "false": False, "null": None}
_DOUBTFUL: Final = object()


def read_plainly(data: bytes) -> JsonValue | None:
    """Give the mapping that a document of Kubernetes' dialect says; None for one that takes a whole reader."""
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        return None
    if not text.endswith("\n") or _UNFIT.search(text):
        return None
    lines = _LINE.findall(text)
    root: dict[str, Any] = {}
    return root if len(lines) == text.count("\n") and _fill(root, lines) else None


def _fill(root: dict[str, Any], lines: list[tuple[str, str, str, str, str]]) -> bool:  # noqa: PLR0912  one loop, for speed
    """Take every line in; False as soon as one is in doubt. The stack has indents and containers, the root first."""
    here: Any = root
    level, in_list = 0, False
    stack: list[tuple[int, Any, bool]] = []
    awaiting = ""  # the key in `here` whose value comes on lines of its own
    for blank, dash, key, text, rest in lines:
        indent = len(blank)
        if awaiting:
            if len(stack) > DEEPEST or not (indent > level or (dash and indent == level)):
                return False
            inner: Any = [] if dash else {}
            here[awaiting] = inner
            stack.append((level, here, in_list))
            here, level, in_list, awaiting = inner, indent, bool(dash), ""
        else:
            while stack and (level > indent or (in_list and not dash)):
                level, here, in_list = stack.pop()
        if level != indent or in_list is not bool(dash):
            return False
        if dash and key:
            here.append({})
            stack.append((level, here, in_list))
            here, level, in_list = here[-1], indent + 2, False
        if key:
            if key in here or key.lower() in _SPOKEN:
                return False
            if not text:
                awaiting, here[key] = key, None
                continue
        elif not dash:
            return False
        value = _value(text or rest)
        if value is _DOUBTFUL:
            return False
        if key:
            here[key] = value
        else:
            here.append(value)
    return not awaiting


def _value(text: str) -> Any:
    if text == "{}":
        return {}
    if text == "[]":
        return []
    return _scalar(text) if len(text) <= LONGEST else _scalar.__wrapped__(text)


@lru_cache(maxsize=REMEMBERED)
def _scalar(text: str) -> Any:
    if text in _EXACT:
        return _EXACT[text]
    if _PLAIN.fullmatch(text):
        if text[0].isalpha():
            return text if text[-1] != " " and text.lower() not in _SPOKEN else _DOUBTFUL
        if _INTEGER.fullmatch(text):
            return int(text)
        is_text = text[-1] != " " and text not in WORDS[Dialect.KUBERNETES] and is_string(text)
        return text if is_text else _DOUBTFUL
    if found := _DOUBLE.fullmatch(text):
        return found[1]
    if found := _SINGLE.fullmatch(text):
        return found[1].replace("''", "'")
    return _DOUBTFUL
