"""A cache of small values on disk, by name: one file that any process may lose, and that no process may trust too far.

What is put is written in batches, in a thread (`save`); what was not written when the process died is made again. A
value carries a digest of itself and of its name, so that a damaged one reads as if it were not there. The file is for
one build and one format: another one's is begun anew.
"""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Final

from controller.runtime.build import build_digest

DIGEST_BYTES: Final = 16
CACHE_KIBIBYTES: Final = 256
BUSY_SECONDS: Final = 0.2  # another process writes: a cache is not worth a longer wait
MOST_VALUES: Final = 100_000  # that were put last
_TABLE: Final = "CREATE TABLE IF NOT EXISTS kept (name BLOB UNIQUE NOT NULL, value BLOB NOT NULL)"  # rowids are ages
_FORMAT: Final = b"\0format"
_AGE: Final = "DELETE FROM kept WHERE name <> ? AND rowid <= (SELECT max(rowid) FROM kept) - ?"


class Shelf:
    """Threads may share it. Every failure of the disk is a value that is missing.

    `kind` names what the values are, and their form. The `most_values` that were put last are kept.
    """

    def __init__(self, path: Path, kind: str, *, most_values: int = MOST_VALUES) -> None:
        self._path = path
        self._most_values = most_values
        self._mark = f"{kind} {build_digest()}".encode()
        self._lock = Lock()  # of what waits, and of the way to the disk
        self._waiting: dict[bytes, bytes | None] = {}  # None: to be dropped
        self._reader = self._open()

    @property
    def has_news(self) -> bool:
        """Tell whether something waits to be written."""
        return bool(self._waiting)

    def get(self, name: str) -> bytes | None:
        """Give what was put under a name; None where nothing was, or where it is lost."""
        key = name.encode()
        with self._lock:
            if key in self._waiting:
                return self._waiting[key]
            if self._reader is None:
                return None
            try:
                found = self._reader.execute("SELECT value FROM kept WHERE name = ?", (key,)).fetchone()
            except sqlite3.Error:
                return None
        return _unsealed(key, found[0]) if found else None

    def put(self, name: str, value: bytes) -> None:
        """Keep a value; it is on disk after the next `save`."""
        self._note(name.encode(), value)

    def drop(self, name: str) -> None:
        """Forget a value."""
        self._note(name.encode(), None)

    def _note(self, key: bytes, value: bytes | None) -> None:
        with self._lock:
            if self._reader is not None:
                self._waiting[key] = value

    def save(self) -> None:
        """Write what waits, all of it or nothing. A disk that does not take it keeps what it has."""
        with self._lock:
            waiting = dict(self._waiting)
        if not waiting:
            return
        put = [(key, _sealed(key, value)) for key, value in waiting.items() if value is not None]
        gone = [(key,) for key, value in waiting.items() if value is None]
        try:
            writer = self._connected()
            try:
                with writer:
                    writer.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", put)
                    writer.executemany("DELETE FROM kept WHERE name = ?", gone)
                    writer.execute(_AGE, (_FORMAT, self._most_values))
            finally:
                writer.close()
        except sqlite3.Error:
            return
        with self._lock:
            for key, value in waiting.items():
                if self._waiting.get(key, b"") is value:
                    del self._waiting[key]

    def close(self) -> None:
        """Write what waits, and let go of the file."""
        self.save()
        with self._lock:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def _open(self) -> sqlite3.Connection | None:
        """Open the file, or begin it anew where it is another build's or no such file at all."""
        for _ in range(2):
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                reader = self._connected()
                try:
                    self._claim(reader)
                except BaseException:
                    reader.close()
                    raise
            except (OSError, sqlite3.OperationalError):
                return None
            except sqlite3.Error:
                self._remove()
            else:
                return reader
        return None

    def _claim(self, connection: sqlite3.Connection) -> None:
        """Make the file this build's."""
        with connection:
            connection.execute(_TABLE)
            found = connection.execute("SELECT value FROM kept WHERE name = ?", (_FORMAT,)).fetchone()
            if found is None or found[0] != self._mark:
                connection.execute("DELETE FROM kept")
                connection.execute("INSERT INTO kept VALUES (?, ?)", (_FORMAT, self._mark))

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, check_same_thread=False)
        try:
            # A crash of the machine may lose the last batches, and spoils nothing.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(f"PRAGMA cache_size=-{CACHE_KIBIBYTES}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)


def _sealed(key: bytes, value: bytes) -> bytes:
    return blake2b(value, digest_size=DIGEST_BYTES, key=blake2b(key).digest()).digest() + value


def _unsealed(key: bytes, found: object) -> bytes | None:
    if not isinstance(found, bytes):
        return None
    value = found[DIGEST_BYTES:]
    return value if _sealed(key, value) == found else None
