"""What records say that were read or written before: by their bytes, so that no record is parsed and checked twice.

A memo of a pure function and nothing else: losing it costs time. It holds packed JSON, which takes a twentieth of the
memory that the values would, and is read in a fiftieth of the time that YAML is.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from threading import Lock
from typing import Any, Final, Protocol

import orjson

from controller.documents import blob_id, write
from controller.records.files import Layered

MOST_BYTES: Final = 24 << 20  # packed: some twenty thousand records, those of two thousand applications
BACKED_BYTES: Final = 1 << 20  # the same where a disk holds all of it
OVERHEAD_BYTES: Final = 400  # that a record costs beside its own
PACKING: Final = 1  # of zlib: the fastest
DIGEST_BYTES: Final = 16
REMEMBERED: Final = ("Instance", "Status")


@dataclass(frozen=True, slots=True)
class _Known:
    """`said` is packed JSON; `written` its digest where the record was written here, so that its bytes are ours."""

    said: bytes
    written: bytes


class Backing(Protocol):
    """What outlives the process: values by name, any of which may be missing. Called from several threads."""

    def get(self, name: str) -> bytes | None: ...
    def put(self, name: str, value: bytes) -> None: ...


class Memory:
    """The records that were seen last, by kind and by git's ids of their bytes."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._backing: Backing | None = None
        self._lock = Lock()  # records are read in several threads
        self._known: dict[tuple[str, str], _Known] = {}  # in the order in which they were used

    def rest_on(self, backing: Backing | None) -> None:
        """Keep on a disk what is known, and little of it in memory; None: no more."""
        self._backing = backing
        self._most_bytes = BACKED_BYTES if backing is not None else MOST_BYTES

    def recall(self, kind: str, name: str) -> dict[str, Any] | None:
        """Give what a record says, a copy; None where it is not known."""
        found = self._find(kind, name)
        if found is None:
            return None
        value: dict[str, Any] = orjson.loads(zlib.decompress(found.said))
        return value

    def knows(self, name: str) -> bool:
        """Tell whether it is known what these bytes say, as a record of any kind."""
        return any(self._find(kind, name) is not None for kind in REMEMBERED)

    def _find(self, kind: str, name: str) -> _Known | None:
        with self._lock:
            found = self._known.pop((kind, name), None)
            if found is not None:
                self._known[kind, name] = found
                return found
        backing = self._backing
        data = backing.get(f"{kind} {name}") if backing is not None and name else None
        if data is None:
            return None
        known = _Known(data[DIGEST_BYTES + 1 :], data[1 : DIGEST_BYTES + 1] if data[0] else b"")
        self._remember(kind, name, known)
        return known

    def is_written(self, kind: str, name: str, value: Mapping[str, Any]) -> bool:
        """Tell whether these bytes are what was written here for this very value."""
        found = self._find(kind, name)
        said = _said(value) if found is not None and found.written else None
        return said is not None and found is not None and found.written == _digest(said)

    def keep(self, kind: str, name: str, value: Mapping[str, Any], *, is_ours: bool = False) -> None:
        """Remember what a valid record says."""
        said = _said(value)
        if said is None:
            return  # read again next time
        known = _Known(zlib.compress(said, PACKING), _digest(said) if is_ours else b"")
        self._remember(kind, name, known)
        if self._backing is not None:
            mark = b"\x01" + known.written if known.written else bytes(DIGEST_BYTES + 1)
            self._backing.put(f"{kind} {name}", mark + known.said)

    def _remember(self, kind: str, name: str, known: _Known) -> None:
        with self._lock:
            self._drop((kind, name))
            self._known[kind, name] = known
            self._bytes += len(known.said) + OVERHEAD_BYTES
            while self._bytes > self._most_bytes and self._known:
                self._drop(next(iter(self._known)))

    def _drop(self, key: tuple[str, str]) -> None:
        dropped = self._known.pop(key, None)
        if dropped is not None:
            self._bytes -= len(dropped.said) + OVERHEAD_BYTES


def _said(value: Mapping[str, Any]) -> bytes | None:
    """Give a record as JSON; None where it has numbers that JSON does not have."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return None


def _digest(said: bytes) -> bytes:
    return blake2b(said, digest_size=DIGEST_BYTES).digest()


@cache
def memory() -> Memory:
    """Give this process's memo."""
    return Memory()


def remember_on(backing: Backing | None) -> None:
    """Have this process's memo outlive it, on what is given; None: no more."""
    memory().rest_on(backing)


def write_record(files: Layered, path: str, kind: str, value: dict[str, Any]) -> None:
    """Write a record; one that is there already, as it was written here, costs no writing."""
    if memory().is_written(kind, files.blob_id(path), value):
        return
    data = write(value)
    memory().keep(kind, blob_id(data), value, is_ours=True)
    files.write(path, data)
