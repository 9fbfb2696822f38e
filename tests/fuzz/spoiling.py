"""Bad input from a random source: YAML made of scraps, and good files with something wrong in them."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

JUNK = ["null", "[]", "{}", "1", "true", "[[a]]", "{a: {b: c}}", '"x"', "~", ".inf", "!!binary x", "{$patch: delete}",
        "[null]", "2020-01-01", "{kind: x}", "&a [*a]"]  # fmt: skip
PATHS = ["../../outside/secret.yaml", "/etc/passwd", "link", "link/secret.yaml", "..", ".", "", "../base", "~root",
         "https://example.com/x", "file:///etc/passwd", "a/../../../outside/secret.yaml", "\u0000", "git::x",
         "loop", "loop/loop", "x" * 5000, "-x", "k=../../outside/secret.yaml", "k=link/secret.yaml"]  # fmt: skip
VALUES: tuple[Any, ...] = (None, 0, 1, -5, "x", "", True, 1.5, "80", "*", "[", 2**70)
SHAPES: tuple[Any, ...] = ([], {}, [1], {"a": 1}, [None], [[]], {"name": None})
SCRAPS = ["a: ", "b: ", "- ", "[", "]", "{", "}", ", ", "&a ", "*a", "<<: *a", "<<: [*a, *a]", "|\n  x\n", ">-\n y\n",
          "|2+\n", "!!int ", "!!float ", "!!set ", "!!omap ", "!x ", "!<", "? ", ": ", "'", '"', '"\\x41"', '"\\ud800"',
          "---\n", "...\n", "%YAML 1.1\n", "# c\n", "\n", "\n  ", "\n    ", "\t", "1e3", ".nan", "-.inf",
          "0o17", "0x1F", "0b1", "1_000", "12:30:45", "2020-01-01T00:00:00Z", "9999-99-99", "99999999999999999999",
          "1e999", "=", "<<", "yes", "on", "~", "\u2028", "\ufeff", "\x85", "\x00", "é", "😀", "`", "@"]  # fmt: skip


def soup(source: random.Random) -> bytes:
    """Make bytes that look like YAML here and there."""
    match source.randrange(12):
        case 0:
            return b"[" * source.choice([10, 1000, 30_000]) + b"]" * source.randrange(3)
        case 1:
            return b"a:\n" + b"".join(b" " * depth + b"a:\n" for depth in range(1, source.choice([5, 50, 400])))
        case 2:
            return _laughs(source.randint(2, 12))
        case 3:
            return source.randbytes(source.randrange(200))
        case _:
            text = "".join(source.choice(SCRAPS) for _ in range(source.randrange(1, 60)))
            encoding = source.choice(["utf-8"] * 8 + ["utf-16", "utf-32", "latin-1"])
            return text.encode(encoding, errors="ignore")


def _laughs(depth: int) -> bytes:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, depth)]
    return "\n".join(lines).encode()


def spoilt(text: str, source: random.Random) -> str:
    """Put junk or a hostile path in the place of a value, double or drop a line, or insert an indicator."""
    lines = text.split("\n")
    at = source.randrange(len(lines))
    match source.randrange(5):
        case 0:
            lines[at] = f"{lines[at].split(':')[0]}: {source.choice(JUNK)}"
        case 1:
            lines[at] = source.choice(["", lines[at] * 2, source.choice(JUNK)])
        case 2:
            start = source.randrange(len(text) + 1)
            return text[:start] + source.choice("{}[]:,-\"'&*!|>%@`#\x00\t é") + text[start:]
        case 3:
            return _with_value(text, source, source.choice(JUNK))
        case _:
            return _with_value(text, source, f"{source.choice(['', '[', '[a, '])}{source.choice(PATHS)!r}")
    return "\n".join(lines)


def _with_value(text: str, source: random.Random, value: str) -> str:
    start = max(text.find(": ", source.randrange(len(text) + 1)), 0)
    ends = [end for end in (text.find(mark, start) for mark in ",}]\n") if end > 0]
    return f"{text[:start]}: {value}{text[min(ends, default=len(text)) :]}"


def spoil(body: Any, source: random.Random) -> None:
    """Change one thing somewhere in an object: another value, a field less, one of another name, one of elsewhere."""
    places = list(_places(body))
    holder, name = source.choice(places)
    match source.randrange(4):
        case 0:
            holder[name] = copy.deepcopy(source.choice((*VALUES, *SHAPES)))
        case 1:
            del holder[name]
        case 2 if isinstance(holder, dict):
            holder[source.choice(["name", "type", "properties", "containers", "env", "x"])] = holder.pop(name)
        case _:
            other, place = source.choice(places)
            holder[name] = copy.deepcopy(other[place])


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, (dict, list)):
        for name in value if isinstance(value, dict) else range(len(value)):
            yield value, name
            yield from _places(value[name])
