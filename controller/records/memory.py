"""What records say that were read or written before: by their bytes, so that no record is parsed and checked twice.

A memo of a pure function and nothing else: losing it costs time. It holds packed JSON, which takes a twentieth of the
memory that the values would, and is read in a fiftieth of the time that YAML is.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import cache
from threading import Lock
from typing import Any, Final

import orjson

from controller.documents import write
from controller.records.files import Layered, blob_id

MOST_BYTES: Final = 24 << 20  # packed: some twenty thousand records, those of two thousand applications
OVERHEAD_BYTES: Final = 250  # that a record costs beside its own
PACKING: Final = 1  # of zlib: the fastest
REMEMBERED: Final = ("Instance", "Status")


class Memory:
    """The records that were seen last. `is_ours` of what was written here: its bytes are as they would be again."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._lock = Lock()  # records are read in several threads
        self._known: dict[tuple[str, str], tuple[bytes, bool]] = {}  # in the order in which they were used

    def recall(self, kind: str, name: str) -> dict[str, Any] | None:
        """Give what a record says, a copy; None where it is not known. `name` is git's id of its bytes."""
        with self._lock:
            found = self._known.pop((kind, name), None)
            if found is None:
                return None
            self._known[kind, name] = found
        value: dict[str, Any] = orjson.loads(zlib.decompress(found[0]))
        return value

    def knows(self, name: str) -> bool:
        """Tell whether it is known what these bytes say, as a record of any kind."""
        return any((kind, name) in self._known for kind in REMEMBERED)

    def is_ours(self, kind: str, name: str) -> bool:
        """Tell whether a record was written here."""
        return self._known.get((kind, name), (b"", False))[1]

    def keep(self, kind: str, name: str, value: Mapping[str, Any], *, is_ours: bool = False) -> None:
        """Remember what a valid record says."""
        try:
            said = zlib.compress(orjson.dumps(value), PACKING)
        except TypeError:
            return  # numbers that JSON does not have: read again next time
        with self._lock:
            self._drop((kind, name))
            self._known[kind, name] = (said, is_ours)
            self._bytes += len(said) + OVERHEAD_BYTES
            while self._bytes > self._most_bytes and self._known:
                self._drop(next(iter(self._known)))

    def _drop(self, key: tuple[str, str]) -> None:
        dropped = self._known.pop(key, None)
        if dropped is not None:
            self._bytes -= len(dropped[0]) + OVERHEAD_BYTES


@cache
def memory() -> Memory:
    """Give this process's memo."""
    return Memory()


def write_record(files: Layered, path: str, kind: str, value: dict[str, Any], before: Mapping[str, Any]) -> None:
    """Write a record; one that says what the old one says keeps its bytes, where they were written here."""
    known = memory()
    if before == value and known.is_ours(kind, files.blob_id(path)):
        return
    data = write(value)
    known.keep(kind, blob_id(data), value, is_ours=True)
    files.write(path, data)
