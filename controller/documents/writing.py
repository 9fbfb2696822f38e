"""JSON values into YAML, in the style of kustomize's output: the emitter of go-yaml v2, rule by rule.

Plain where the text reads back as that string in both dialects, else quoted; literal blocks for text of several
lines; lists not indented under their key; lines folded after 80 columns. Source of each rule: sigs.k8s.io/yaml
goyaml.v2 encode.go (what is quoted) and emitterc.go (how it is laid out).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cmp_to_key, lru_cache
from typing import Any, Final

from controller.documents.resolving import MAYBE_SPECIAL, ScalarError, is_string, resolve_kubernetes, time_as_json
from controller.documents.scalars import Quoted, SpelledStr, format_float
from controller.model import JsonValue

WIDTH: Final = 80
_MAX_KEY_BYTES: Final = 128
_CACHED_KEYS: Final = 12  # objects of Kubernetes have the same few sets of keys; maps of data do not
_KEY_TYPES: Final = frozenset({str})
_JSON_TYPES: Final = frozenset({str, Quoted, int, float, bool, type(None), dict, list})
_BASE60: Final = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
# The common case: nothing that could be an indicator, a break, or another type, and no space to fold at.
_SIMPLE: Final = re.compile(r"[A-Za-z_/$(][A-Za-z0-9_./()$=+-]*(?::[A-Za-z0-9_./()$=+-]+)*")
_WORDS: Final = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
_UNPRINTABLE: Final = re.compile("[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
_BREAKS: Final = re.compile("[\r\n\x85\u2028\u2029]")
_BREAK_SPACE: Final = re.compile("[\r\n\x85\u2028\u2029] ")
_SPACE_BREAK: Final = re.compile(" [\r\n\x85\u2028\u2029]")
_BLOCK_INDICATOR: Final = re.compile(r"[#,\[\]{}&*!|>'\"%@`]|[?:](?:[ \t]|$)|-(?:[ \t]|$)|---|\.\.\.")
_INNER_INDICATOR: Final = re.compile(r":(?:[ \t]|$)|(?<=[ \t\r\n\x85\u2028\u2029\0])#")
_ESCAPED: Final = re.compile("[^\x20\x21\x23-\\[\\]-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
_ESCAPES: Final = {
    "\0": "0", "\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r", "\x1b": "e",
    '"': '"', "\\": "\\", "\x85": "N", "\xa0": "_", "\u2028": "L", "\u2029": "P",
}  # fmt: skip


def write(value: JsonValue) -> bytes:
    """Write one YAML document that kubectl and kustomize read back equal. Keys stay in their order."""
    out: list[str] = []
    _Writer(out, _is_plain_everywhere, _entries_as_they_are).document(value)
    return "".join(out).encode()


def write_as_kustomize(value: Any, bare: Callable[[Any], Any] = lambda value: value) -> bytes:
    """Write one YAML document to the byte as kustomize prints it: keys in natural order, go-yaml v2's quotes.

    `bare` is asked for the JSON of what is none of its types, so that it needs no copy of the whole document.
    """
    out: list[str] = []
    _Writer(out, _is_plain_in_v2, _entries_in_order, bare).document(value)
    return "".join(out).encode()


Entries = Iterable[tuple[str, str | None]]  # keys, and how each is written: None where it can't stand before a colon


class _Writer:
    """Appends text to `out`; its methods know the column only where folding asks for it."""

    def __init__(
        self,
        out: list[str],
        is_plain: Callable[[str], bool],
        entries: Callable[[Mapping[str, Any]], Entries],
        bare: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        self._out = out
        self._is_plain = is_plain
        self._entries = entries
        self._bare = bare

    def document(self, value: Any) -> None:
        if value and isinstance(value, dict):
            self._mapping(value, 0, first="")
        elif value and isinstance(value, list):
            self._sequence(value, 0, first="")
        else:
            self._out.append(self._scalar(value, 0, 2) + "\n")

    def _mapping(self, value: dict[str, Any], indent: int, first: str) -> None:
        """Write entries; `first` is what leads the first line: nothing, for it stands after a dash already."""
        lead, pad = first, " " * indent
        out = self._out
        if not _KEY_TYPES.issuperset(map(type, value)):
            value = {key: value[key] for key in map(self._bare, value)}
        for key, text in self._entries(value):
            one = value[key]
            kind = one.__class__
            if text is None:
                self._complex_entry(key, one, lead, indent)
            elif kind is str:
                out.append(f"{lead}{text}: {self._string(one, indent + len(text) + 2, indent + 2)}\n")
            elif kind is dict and one:
                out.append(f"{lead}{text}:\n")
                self._mapping(one, indent + 2, first=" " * (indent + 2))
            elif kind is list and one:
                out.append(f"{lead}{text}:\n")
                self._sequence(one, indent, first=pad)
            else:
                column = indent + len(text) + 2
                out.append(f"{lead}{text}: {self._scalar(one, column, indent + 2)}\n")
            lead = pad

    def _sequence(self, value: list[Any], indent: int, first: str) -> None:
        lead, pad = first, " " * indent
        out = self._out
        for one in value:
            if one.__class__ is dict and one:
                out.append(f"{lead}- ")
                self._mapping(one, indent + 2, first="")
            elif one.__class__ is list and one:
                out.append(f"{lead}- ")
                self._sequence(one, indent + 2, first="")
            else:
                out.append(f"{lead}- {self._scalar(one, indent + 2, indent + 2)}\n")
            lead = pad

    def _complex_entry(self, key: str, value: Any, lead: str, indent: int) -> None:
        """Write a key of several lines or of more than 128 bytes: `? key` and `: value` on lines of their own."""
        pad = " " * indent
        self._out.append(f"{lead}? {self._scalar(key, indent + 2, indent + 2)}\n{pad}: ")
        if value.__class__ is dict and value:
            self._mapping(value, indent + 2, first="")
        elif value.__class__ is list and value:
            self._sequence(value, indent + 2, first="")
        else:
            self._out.append(f"{self._scalar(value, indent + 2, indent + 2)}\n")

    def _scalar(self, value: Any, column: int, indent: int) -> str:
        kind = value.__class__
        if kind is str or kind is Quoted:
            return self._string(value, column, indent)
        if kind not in _JSON_TYPES:
            value = self._bare(value)
        if isinstance(value, str):
            return self._string(value, column, indent)
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return int.__str__(value)
        if isinstance(value, float):
            return format_float(value)
        return "{}" if isinstance(value, dict) else "[]"

    def _string(self, value: str, column: int, indent: int) -> str:
        if len(value) <= WIDTH:
            written = _unfolded(value, self._is_plain)
            if written is not None and len(written) + column <= WIDTH:
                return written
        return _text(value, column, indent, is_plain=self._is_plain)


@lru_cache(maxsize=2048)  # words that come again and again: most of what is written comes once
def _unfolded(text: str, is_plain: Callable[[str], bool]) -> str | None:
    """Give a text of one line as it is written where nothing folds it. None: it can't stand before a colon as a key."""
    if _SIMPLE.fullmatch(text) and len(text) <= _MAX_KEY_BYTES and text.lower() not in _WORDS:
        return text
    if len(text.encode()) > _MAX_KEY_BYTES or _BREAKS.search(text):
        return None
    return _text(text, 0, 0, is_plain=is_plain, is_key=True)


def _text(value: str, column: int, indent: int, *, is_plain: Callable[[str], bool], is_key: bool = False) -> str:
    """Write a string in the style that the emitter chooses (yaml_emitter_select_scalar_style)."""
    if isinstance(value, SpelledStr):
        value = str.__str__(value)
    if not value:
        return '""'
    is_special = _UNPRINTABLE.search(value) is not None
    if "\n" in value:
        if is_special or is_key or value.endswith(" ") or _SPACE_BREAK.search(value):
            return _double(value, column, indent, fold=not is_key)
        return _literal(value, indent)
    if not is_plain(value):
        return _double(value, column, indent, fold=not is_key)
    if is_special or _BREAK_SPACE.search(value) or _SPACE_BREAK.search(value):
        return _double(value, column, indent, fold=not is_key)
    if (
        value[0] == " "
        or value[-1] == " "
        or _BREAKS.search(value)
        or _BLOCK_INDICATOR.match(value)
        or _INNER_INDICATOR.search(value)
    ):
        return _single(value, column, indent, fold=not is_key)
    if is_key or len(value) + column <= WIDTH:
        return value
    return _fold(value, column, indent, is_quoted=False)


def _fold(value: str, column: int, indent: int, *, is_quoted: bool) -> str:
    """Break a text at single spaces beyond the width (yaml_emitter_write_plain_scalar and its single-quoted sister)."""
    out: list[str] = []
    after_space = False
    last = len(value) - 1
    pad = "\n" + " " * indent
    for at, char in enumerate(value):
        if char != " ":
            out.append(char)
            column += 1
            after_space = False
            continue
        may_break = not after_space and column > WIDTH and (at == last or value[at + 1] != " ")
        if may_break and not (is_quoted and at in {0, last}):
            out.append(pad)
            column = indent
        else:
            out.append(char)
            column += 1
        after_space = True
    return "".join(out)


def _single(value: str, column: int, indent: int, *, fold: bool) -> str:
    """Write in single quotes. U+2028 and U+2029 are breaks that stay, and the text after them is indented."""
    text = value.replace("'", "''")
    if fold and len(text) + column >= WIDTH and " " in text:
        text = _fold(text, column + 1, indent, is_quoted=True)
    if "\u2028" in text or "\u2029" in text:
        text = re.sub("([\u2028\u2029]+)(?=[^\u2028\u2029])", lambda found: found[1] + " " * indent, text)
    return f"'{text}'"


def _double(value: str, column: int, indent: int, *, fold: bool) -> str:
    """Write in double quotes, escaping as yaml_emitter_write_double_quoted_scalar does."""
    if value[0] == "\ufeff":  # go-yaml looks for a byte order mark at the start, whichever character it writes
        return f'"{"".join(map(_escape_char, value))}"'
    escaped = _ESCAPED.sub(_escape, value)
    if not fold or " " not in value or len(escaped) + column < WIDTH:
        return f'"{escaped}"'
    out: list[str] = []
    column += 1
    after_space = False
    last = len(value) - 1
    for at, char in enumerate(value):
        if char != " ":
            text = _escape_char(char) if _ESCAPED.match(char) else char
            after_space = False
            column += len(text)
        elif not after_space and column > WIDTH and 0 < at < last:
            text = "\n" + " " * indent + ("\\" if value[at + 1] == " " else "")
            column = indent + (1 if value[at + 1] == " " else 0)
            after_space = True
        else:
            text = " "
            column += 1
            after_space = True
        out.append(text)
    return f'"{"".join(out)}"'


def _escape(found: re.Match[str]) -> str:
    return _escape_char(found[0])


def _escape_char(char: str) -> str:
    known = _ESCAPES.get(char)
    if known is not None:
        return f"\\{known}"
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def _literal(value: str, indent: int) -> str:
    """Write a literal block (yaml_emitter_write_literal_scalar), without the break that ends its last line."""
    hint = "2" if value[0] in " \r\n\x85\u2028\u2029" else ""
    if not _BREAKS.match(value[-1]):
        chomp = "-"
    elif len(value) == 1 or _BREAKS.match(value[-2]):
        chomp = "+"
    else:
        chomp = ""
    pad = " " * indent
    lines = re.split("([\r\n\x85\u2028\u2029])", value)
    text = "".join(pad + one if one and number % 2 == 0 else one for number, one in enumerate(lines))
    text = text.removesuffix("\n")
    return f"|{hint}{chomp}\n{text}"


def _is_plain_in_v2(text: str) -> bool:
    """Tell whether go-yaml v2 leaves a string unquoted: it would read it back as a string."""
    if text[0] not in MAYBE_SPECIAL:
        return True
    if text[0] in "0123456789+-" and _BASE60.fullmatch(text):
        return False
    try:
        value = resolve_kubernetes(text)
    except ScalarError:
        return False
    return isinstance(value, str) and time_as_json(text) is None


def is_written_plain(text: str) -> bool:
    """Tell whether go-yaml writes a string without quotes and not as a block."""
    if len(text) <= WIDTH:
        return _unfolded(text, _is_plain_in_v2) == text
    return _text(text, 0, 0, is_plain=_is_plain_in_v2, is_key=True) == text


@lru_cache(maxsize=8192)
def _is_plain_everywhere(text: str) -> bool:
    return is_string(text) and not _BASE60.fullmatch(text)


_PLAIN_ORDER: Final = re.compile(r"[A-Za-z./\-]*")


def natural_order(keys: Iterable[str]) -> list[str]:
    """Sort keys as go-yaml v2 does (sorter.go): letters after all else, digits by the number that they make."""
    known = list(keys)
    if all(map(_PLAIN_ORDER.fullmatch, known)):
        return sorted(known)
    return sorted(known, key=cmp_to_key(compare_keys))


def _entries_as_they_are(value: Mapping[str, Any]) -> Entries:
    return _known_as_they_are(tuple(value)) if len(value) <= _CACHED_KEYS else _as_they_are(value)


def _as_they_are(keys: Iterable[str]) -> Entries:
    return [(key, _unfolded(key, _is_plain_everywhere)) for key in keys]


def _entries_in_order(value: Mapping[str, Any]) -> Entries:
    return _known_entries(tuple(value)) if len(value) <= _CACHED_KEYS else _ordered(value)


def _ordered(keys: Iterable[str]) -> Entries:
    return [(key, _unfolded(key, _is_plain_in_v2)) for key in natural_order(keys)]


_known_entries = lru_cache(maxsize=4096)(_ordered)
_known_as_they_are = lru_cache(maxsize=1024)(_as_they_are)


def compare_keys(one: str, other: str) -> int:
    """Compare two keys at the first character in which they differ."""
    for at, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        if mine == theirs:
            continue
        if mine.isalpha() and theirs.isalpha():
            return -1 if mine < theirs else 1
        if mine.isalpha() or theirs.isalpha():
            return -1 if theirs.isalpha() else 1
        start = 0
        if "0" in (mine, theirs):
            before = re.search(r"[0-9]*$", one[:at])
            start = 1 if before and before[0].strip("0") else 0
        my_number, my_end = _number_at(one, at, start)
        their_number, their_end = _number_at(other, at, start)
        mine_first = (my_number, my_end, mine) < (their_number, their_end, theirs)
        return -1 if mine_first else 1
    return len(one) - len(other)


def _number_at(text: str, at: int, number: int) -> tuple[int, int]:
    while at < len(text) and "0" <= text[at] <= "9":
        number = number * 10 + int(text[at])
        at += 1
    return number, at
