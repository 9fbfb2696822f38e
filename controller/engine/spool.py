"""Sealed states that wait for their push: a file per placement, whole or not there, safe before anybody relies on it.

    {"about":"serial 7","expected":["<sha256>"],"path":"states/…","placement":"prod/shop@cloud"}⏎
    the sealed state, as it will be on the branch

Who writes holds an flock, so that two processes with one cache do not push for each other.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from controller.model import Stalled
from controller.runtime import write_whole

_PLACE: Final = "place.json"
_ENDING: Final = ".state"


@dataclass(frozen=True, slots=True)
class Entry:
    """A state for `path`, in place of one of those with the digests `expected` ("" for none)."""

    placement: str
    path: str
    about: str
    expected: tuple[str, ...]
    sealed: bytes = field(repr=False)


class _Header(msgspec.Struct, frozen=True):
    placement: str
    path: str
    about: str
    expected: tuple[str, ...]


class _Place(msgspec.Struct, frozen=True):
    url: str
    branch: str


def digest(data: bytes | None) -> str:
    """Tell one sealed state from another; "" is none."""
    return "" if data is None else hashlib.sha256(data).hexdigest()


class Spool:
    """What waits for one branch."""

    def __init__(self, root: Path, url: str, branch: str) -> None:
        self._place = _Place(url, branch)
        self._folder = root / hashlib.sha256(f"{url}\n{branch}".encode()).hexdigest()[:20]
        self._lock: int | None = None
        self._changing = threading.Lock()  # a newer state is not dropped for an earlier one

    @staticmethod
    def branches(root: Path, url: str) -> tuple[str, ...]:
        """Name the branches of a repository for which something waits."""
        found = []
        for file in root.glob(f"*/{_PLACE}"):
            with suppress(OSError, msgspec.DecodeError):
                place = msgspec.json.decode(file.read_bytes(), type=_Place)
                if place.url == url and any(file.parent.glob(f"*{_ENDING}")):
                    found.append(place.branch)
        return tuple(sorted(found))

    def take(self) -> bool:
        """Become the one who writes; False where another process is."""
        if self._lock is not None:
            return True
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._lock = descriptor
        write_whole(self._folder / _PLACE, msgspec.json.encode(self._place))
        return True

    def let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def file(self, placement: str) -> Path:
        return self._folder / f"{hashlib.sha256(placement.encode()).hexdigest()[:20]}{_ENDING}"

    def has(self, placement: str) -> bool:
        return self.file(placement).exists()

    def read(self, placement: str) -> Entry | None:
        """Raises Stalled for a file that is no entry."""
        return _read(self.file(placement))

    def entries(self) -> Iterator[Entry]:
        """Give what can be read of what waits."""
        for file in sorted(self._folder.glob(f"*{_ENDING}")):
            with suppress(Stalled):
                entry = _read(file)
                if entry is not None:
                    yield entry

    def write(self, entry: Entry) -> None:
        """Come back when it is on disk, beyond a power cut."""
        header = _Header(entry.placement, entry.path, entry.about, entry.expected)
        data = msgspec.json.encode(header, order="sorted") + b"\n" + entry.sealed
        with self._changing:
            write_whole(self.file(entry.placement), data)

    def drop(self, entry: Entry) -> None:
        """Take an entry out, unless a newer one took its place."""
        with self._changing:
            if self.read(entry.placement) == entry:
                self.file(entry.placement).unlink()


def _read(file: Path) -> Entry | None:
    try:
        line, _, sealed = file.read_bytes().partition(b"\n")
        header = msgspec.json.decode(line, type=_Header)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Stalled(f"{file}: what waits there can't be read: {error}") from error
    return Entry(header.placement, header.path, header.about, header.expected, sealed)
