"""Which apply of ours is under way: by it, a lock that a killed run left behind is told from everybody else's.

A lock names who holds it (`user@host`) and since when, and not which process. So a note is written before an apply and
taken away after it. A lock is of a dead run of ours when it was made on this machine by this user after the note was
written, and no process works in the note's folder any more. In doubt it is somebody else's.
"""

from __future__ import annotations

import getpass
import hashlib
import socket
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from controller.model import PlacementRef
from controller.targets.terraform.diagnostics import Lock

_SKEW: Final = timedelta(seconds=2)  # a lock's time is cut, or of a clock that is read a moment later
_TOOLS: Final = frozenset({"terraform", "tofu"})
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class _Note(msgspec.Struct, frozen=True):
    since: datetime
    folder: str
    host: str
    boot: str


class Journal:
    """One placement's note."""

    def __init__(self, directory: Path, placement: PlacementRef, root: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = directory / f"{hashlib.sha256(str(placement).encode()).hexdigest()[:20]}.json"
        self._root = root

    def open(self, folder: Path) -> bool:
        """Write the note, and tell so; False where one of an earlier run is there, whose lock may still be."""
        if self._read() is not None:
            return False
        note = _Note(datetime.now(UTC), str(folder), socket.gethostname(), _boot())
        part = self._file.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(note))
        part.replace(self._file)
        return True

    def close(self) -> None:
        self._file.unlink(missing_ok=True)

    def is_of_dead_run(self, lock: Lock) -> bool:
        note = self._read()
        created = _time(lock.created)
        if note is None or created is None:
            return False
        is_ours = lock.who == f"{_user()}@{note.host}" and note.host == socket.gethostname()
        is_later = created >= note.since - _SKEW
        return is_ours and is_later and (note.boot != _boot() or not _may_be_alive(self._root))

    def _read(self) -> _Note | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_Note)
        except (OSError, msgspec.DecodeError):
            return None


def _may_be_alive(folder: Path) -> bool:
    """Tell whether a process works in a folder: an apply that outlived its controller. So may a person's terraform."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            place = (entry / "cwd").readlink()
            is_tool = (entry / "comm").read_text().strip() in _TOOLS
            is_of_a_controller = any(part.startswith("converge-") for part in place.parts)
            if place.is_relative_to(folder) or (is_tool and not is_of_a_controller):
                return True
    return False


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _time(text: str) -> datetime | None:
    """Read Go's form of a time: `2026-11-21 14:09:55.231805123 +0000 UTC`."""
    parts = text.split()
    if len(parts) < 2:
        return None
    day, clock = parts[0], parts[1].partition(".")[0]
    with suppress(ValueError):
        return datetime.fromisoformat(f"{day}T{clock}+00:00")
    return None
