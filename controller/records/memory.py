"""What records say that were read or written before: by their bytes, so that no record is parsed and checked twice.

A memo of a pure function and nothing else: losing it costs time. It holds JSON, which takes a tenth of the memory that
the values would, and is read in a fiftieth of the time that YAML is. It is not packed: whoever packs in a thread gives
the interpreter away and waits for it, for each record anew, while the event loop is at its busiest.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from threading import Lock
from typing import Any, Final, NamedTuple, Protocol

import orjson

from controller.documents import blob_id, exact, write
from controller.records.files import Layered

MOST_BYTES: Final = 24 << 20  # some eighteen thousand records, those of two thousand applications and more
BACKED_BYTES: Final = 1 << 20  # the same where a disk holds all of it
OVERHEAD_BYTES: Final = 400  # that a record costs beside its own
OURS: Final = b"\x01"  # what a backing has before what a record says, or:
THEIRS: Final = b"\x00"
REMEMBERED: Final = ("Instance", "Status")


class _Known(NamedTuple):
    """`said` is JSON; `is_ours` where the record was written here, so that its bytes are what we write for that."""

    said: bytes
    is_ours: bool


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
        value: dict[str, Any] = orjson.loads(found.said)
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
        known = _Known(data[1:], data[:1] == OURS)
        self._remember(kind, name, known)
        return known

    def is_written(self, kind: str, name: str, said: bytes) -> bool:
        """Tell whether these bytes are what was written here for a value that says this."""
        found = self._find(kind, name) if name else None
        return found is not None and found.is_ours and found.said == said

    def keep(self, kind: str, name: str, said: bytes, *, is_ours: bool = False) -> None:
        """Remember what a valid record says."""
        self._remember(kind, name, _Known(said, is_ours))
        if self._backing is not None:
            self._backing.put(f"{kind} {name}", (OURS if is_ours else THEIRS) + said)

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


def saying(value: Mapping[str, Any]) -> bytes | None:
    """Give a record as JSON; None where it has numbers that JSON does not have: it is read again each time."""
    try:
        return exact(orjson.dumps(value))
    except TypeError:
        return None


@cache
def memory() -> Memory:
    """Give this process's memo."""
    return Memory()


def remember_on(backing: Backing | None) -> None:
    """Have this process's memo outlive it, on what is given; None: no more."""
    memory().rest_on(backing)


def write_record(files: Layered, path: str, kind: str, value: dict[str, Any]) -> None:
    """Write a record; one that is there already, as it was written here, costs no writing."""
    said = saying(value)
    if said is not None and memory().is_written(kind, files.blob_id(path), said):
        return
    data = write(value)
    if said is not None:
        memory().keep(kind, blob_id(data), said, is_ours=True)
    files.write(path, data)
