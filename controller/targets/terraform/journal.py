"""Which apply of ours is under way: by it, a lock that a killed run left behind is told from everybody else's.

A lock names who holds it (`user@host`) and since when, and not which process. So a note is written before an apply and
taken away after it. A lock is of a dead run of ours when it was made on this machine by this user after the note was
written, and no process works in the note's folder any more. In doubt it is somebody else's.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from controller.model import PlacementRef
from controller.targets.terraform.diagnostics import Lock

_SKEW: Final = timedelta(seconds=2)  # a lock's time is cut, or of a clock that is read a moment later
_TOOLS: Final = frozenset({"terraform", "tofu"})
_PROVIDER: Final = "terraform-provider-"[:15]  # as much of a name as the kernel tells
_STARTING: Final = frozenset({Path(sys.executable).name, Path(sys.executable).resolve().name})  # see `Confinement`
_PROCESS: Final = secrets.token_hex(8)  # tells this process from others, also from one that had its number
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class _Note(msgspec.Struct, frozen=True):
    since: datetime
    folder: str
    host: str
    boot: str
    process: str = ""


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
        note = _Note(datetime.now(UTC), str(folder), socket.gethostname(), _boot(), _PROCESS)
        part = self._file.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(note))
        part.replace(self._file)
        return True

    def close(self) -> None:
        self._file.unlink(missing_ok=True)

    def is_at_work(self) -> bool:
        """Tell whether an apply of another process is under way, or one that outlived its controller.

        Providers that outlived their terraform are ended: nobody hears them any more, and none ends by itself.
        """
        note = self._read()
        if note is None or note.process == _PROCESS or (note.host, note.boot) != (socket.gethostname(), _boot()):
            return False
        found = [(process, name) for process, place, name in _working() if place.is_relative_to(note.folder)]
        if any(name in _STARTING or name in _TOOLS for _, name in found):
            return True
        for process, name in found:
            if name == _PROVIDER:
                with suppress(OSError):
                    os.kill(process, signal.SIGKILL)
        return False

    def is_of_dead_run(self, lock: Lock) -> bool:
        note = self._read()
        created = _time(lock.created)
        if note is None or created is None:
            return False
        is_ours = lock.who == f"{_user()}@{note.host}" and note.host == socket.gethostname()
        is_later = created >= note.since - _SKEW
        is_alive = note.boot == _boot() and any(_may_be_alive(one) for one in (self._root, Path(note.folder)))
        return is_ours and is_later and not is_alive

    def _read(self) -> _Note | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_Note)
        except (OSError, msgspec.DecodeError):
            return None


def _may_be_alive(folder: Path) -> bool:
    """Tell whether a process works in a folder: an apply that outlived its controller. So may a person's terraform."""
    for _, place, name in _working():
        is_of_a_controller = any(part.startswith("converge-") for part in place.parts)
        if place.is_relative_to(folder) or (name in _TOOLS and not is_of_a_controller):
            return True
    return False


def _working() -> Iterator[tuple[int, Path, str]]:
    """Give processes, where they work, and what they are called."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                yield int(entry.name), (entry / "cwd").readlink(), (entry / "comm").read_text().strip()


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
