"""What helm prints, document by document. What was read before is remembered by its bytes.

From one commit to the next, and from one target to another, most of what a chart prints stays the same, and reading
YAML is most of what a render costs. A memo of a pure function and nothing else: losing it costs time.
"""

from __future__ import annotations

import marshal
import re
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from threading import Lock
from typing import Any, Final

from controller.documents import Dialect, read, read_plainly
from controller.model import Invalid, JsonValue

MOST_BYTES: Final = 32 << 20  # packed: what some ten thousand objects say
OVERHEAD_BYTES: Final = 300  # that one part costs beside its own
DIGEST_BYTES: Final = 16

_SOURCE: Final = re.compile(rb"^---\r?\n# Source: (.+?)\r?$", re.MULTILINE)
_SAYS_NOTHING: Final = re.compile(rb"^ *(?:#.*)?\n", re.MULTILINE)
_SECRET: Final = re.compile(rb"\bkind: [\"']?Secret\b")


class Memory:
    """The values of the parts that were read last, by their bytes; each time a copy."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._lock = Lock()
        self._known: dict[bytes, bytes] = {}  # in the order in which they were used

    def values(self, part: bytes, path: str) -> list[Any]:
        """Read a part, or recall it. Raises Invalid."""
        key = blake2b(part, digest_size=DIGEST_BYTES).digest()
        with self._lock:
            packed = self._known.pop(key, None)
            if packed is not None:
                self._known[key] = packed
        if packed is not None:
            return marshal.loads(packed)  # type: ignore[no-any-return]  # noqa: S302  packed here, in this process
        found = _read(part, path)
        if _SECRET.search(part) is None:  # those are read again rather than kept
            self._keep(key, found)
        return found

    def clear(self) -> None:
        with self._lock:
            self._known.clear()
            self._bytes = 0

    def _keep(self, key: bytes, values: list[Any]) -> None:
        try:
            packed = marshal.dumps(values)
        except ValueError:
            return  # a value that remembers its spelling
        with self._lock:
            if key in self._known:  # another thread was faster
                return
            self._known[key] = packed
            self._bytes += len(packed) + OVERHEAD_BYTES
            while self._bytes > self._most_bytes and self._known:
                dropped = self._known.pop(next(iter(self._known)))
                self._bytes -= len(dropped) + OVERHEAD_BYTES


def _read(part: bytes, path: str) -> list[Any]:
    """Read what a template came to. Raises Invalid.

    Most of it is plain enough to be read without a whole reader, once lines that say nothing are out: where one would
    say something, inside of a text of several lines, that text is none for `read_plainly`.
    """
    plain = read_plainly(_SAYS_NOTHING.sub(b"", part.removeprefix(b"---\n")))
    if plain is not None:
        return [plain]
    # of two equal keys the last holds, for helm as for kubectl: charts that many people use have such
    return [one.value for one in read(part, path=path, dialect=Dialect.KUBERNETES, strict=False)]


@cache
def memory() -> Memory:
    return Memory()


def documents_of(output: bytes, path: str) -> Iterator[tuple[str, JsonValue]]:
    """Give every document that is not empty, with the template that helm says it comes of: "" where it says nothing.

    Raises Invalid, with the line of the whole output.
    """
    known = memory()
    try:
        parts = [(source, known.values(part, path)) for source, part in _parts(output)]
    except Invalid:
        read(output, path=path, dialect=Dialect.KUBERNETES, strict=False)  # tells the line
        raise
    for source, values in parts:
        for value in values:
            yield source, value


def _parts(output: bytes) -> Iterator[tuple[str, bytes]]:
    """Split at the lines where helm says which template comes: always at the start of a document."""
    found = list(_SOURCE.finditer(output))
    starts = [one.start() for one in found]
    if output[: starts[0] if starts else len(output)].strip():
        yield "", output[: starts[0] if starts else len(output)]
    for one, end in zip(found, [*starts[1:], len(output)], strict=False):
        yield one[1].decode(errors="replace"), output[one.start() : end]
