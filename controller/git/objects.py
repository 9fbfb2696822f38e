"""Reads git objects of one mirror through one `git cat-file --batch-command`, and remembers them: they never change.

A blob or a directory is read once for all commits that hold it, so a new commit costs what it changed. The child starts
with the first question and ends when it is idle (`rest`) or with the last Tree that uses it.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import NamedTuple, TypeVar
from weakref import WeakValueDictionary, finalize

from controller.git.command import hardened
from controller.git.recent import Recent
from controller.model import Stalled, Transient
from controller.runtime import Pipe, PipeBroken

DEADLINE_SECONDS = 30.0
BLOB_LIMIT_BYTES = 64 << 20
BLOB_CACHE_BYTES = 8 << 20
LARGEST_CACHED_BYTES = BLOB_CACHE_BYTES // 4
DIRECTORY_CACHE_BYTES = 8 << 20
AGE_SECONDS = 60.0
DAMAGE_MARK = "converge-damaged"
# The child lives as long as its Tree is read: what it maps and remembers counts as ours.
FRUGAL: Mapping[str, str] = {
    "core.deltaBaseCacheLimit": "1m",
    "core.packedGitLimit": "2m",
    "core.packedGitWindowSize": "256k",
}

ALIKE = 16  # entries: directories up to this size are mostly like others
_ENTRIES: Mapping[int, re.Pattern[bytes]] = {
    size: re.compile(rb"([0-7]+) ([^\0]+)\0(.{%d})" % size, re.DOTALL) for size in (20, 32)
}  # by the bytes of an id

LINK, SUBMODULE, DIRECTORY = "120000", "160000", "40000"
Heard = TypeVar("Heard")


class Damaged(Transient):
    """The mirror on our disk lacks an object or holds a broken one: it is marked, and fetched again at the next use."""


class TreeEntry(NamedTuple):
    mode: str  # as git writes it: 100644, 100755, 120000 (link), 160000 (submodule), 40000 (directory)
    oid: str


class Directory(Mapping[str, TreeEntry]):
    """A directory's entries by name, kept as what a big fleet can afford: names that all directories share, and bytes.

    A thousand entries take 30 KB; as a dict of entries they would take 250.
    """

    __slots__ = ("_id_bytes", "_ids", "_modes", "_names")

    def __init__(self, names: tuple[str, ...], modes: tuple[str, ...], ids: bytes, id_bytes: int) -> None:
        self._names = names  # sorted
        self._modes = modes
        self._ids = ids
        self._id_bytes = id_bytes

    @property
    def bytes(self) -> int:
        """About how much memory it takes."""
        return 450 + len(self._names) * (self._id_bytes + 16)

    def __getitem__(self, name: str) -> TreeEntry:
        found = self.entry(name)
        if found is None:
            raise KeyError(name)
        return found

    def entry(self, name: str) -> TreeEntry | None:
        """Give an entry; None where there is none, which is nothing out of the ordinary."""
        index = bisect_left(self._names, name)
        if index == len(self._names) or self._names[index] != name:
            return None
        start = index * self._id_bytes
        return TreeEntry(self._modes[index], self._ids[start : start + self._id_bytes].hex())

    def entries(self) -> list[TreeEntry]:
        """Give all entries, in the order of their names."""
        size = self._id_bytes
        ids = self._ids.hex()
        starts = range(0, 2 * len(self._ids), 2 * size)
        return [TreeEntry(mode, ids[start : start + 2 * size]) for mode, start in zip(self._modes, starts, strict=True)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Objects:
    """One mirror's objects. Threads may share it; processes may not (`objects_at` gives each its own)."""

    def __init__(self, mirror: Path, *, clock: Callable[[], float] = monotonic) -> None:
        self.mirror = mirror
        self._clock = clock  # seconds
        self._is_parents = False
        self._lock = threading.RLock()
        self._pipe: Pipe | None = None
        self._end: finalize[[], Objects] | None = None  # closes the pipe, also when we are forgotten
        self._is_idle = True
        self._blobs = Recent[bytes](BLOB_CACHE_BYTES, len)
        self._directories = Recent[Directory](DIRECTORY_CACHE_BYTES, _directory_bytes)
        self._aged = clock()

    def belongs_here(self) -> bool:
        """Tell whether this process made it: a forked child shares our pipe, and must not use it."""
        return not self._is_parents

    def leave(self) -> None:
        """Say, in a forked child, that it is the parent's."""
        self._is_parents = True

    def blob(self, oid: str) -> bytes:
        """Give a file's bytes. Raises Stalled for one that is too large to be a manifest, Damaged."""
        with self._lock:
            known = self._blobs.get(oid)
            self._is_idle = False
            if known is None:
                known = self._read([oid], "blob")[0]
                if len(known) <= LARGEST_CACHED_BYTES:
                    self._blobs.put(oid, known)
            return known

    def directory(self, oid: str) -> Directory:
        """Give a directory's entries by name. Raises Damaged."""
        with self._lock:
            known = self._directories.get(oid)
            if known is None:
                known = parse_directory(self._read([oid], "tree")[0], id_bytes=len(oid) // 2)
                self._directories.put(oid, known)
            return known

    def commit(self, oid: str) -> bytes:
        """Give a commit object's bytes. Raises Stalled for the id of something else, Damaged."""
        with self._lock:
            return self._read([oid], "commit")[0]

    def prefetch(self, blobs: Iterable[str]) -> None:
        """Read many files at once, as far as the cache holds them; the others are read when they are asked for."""
        with self._lock:
            wanted = [oid for oid in dict.fromkeys(blobs) if oid not in self._blobs]
            fitting = []
            room = BLOB_CACHE_BYTES
            for oid, size in zip(wanted, self._ask(wanted, _hear_size), strict=True):
                if size <= min(LARGEST_CACHED_BYTES, room):
                    fitting.append(oid)
                    room -= size
            for oid, data in zip(fitting, self._read(fitting, "blob"), strict=True):
                self._blobs.put(oid, data)

    def prefetch_directories(self, directories: Iterable[str]) -> None:
        """Read many directories at once."""
        with self._lock:
            wanted = [oid for oid in dict.fromkeys(directories) if oid not in self._directories]
            for oid, data in zip(wanted, self._read(wanted, "tree"), strict=True):
                self._directories.put(oid, parse_directory(data, id_bytes=len(oid) // 2))

    def rest(self) -> None:
        """End the child and forget what was read, if nobody asked anything since the last rest; else what grew old."""
        with self._lock:
            if self._is_idle:
                self.close()
                self._blobs.clear()
                self._directories.clear()
            elif self._clock() - self._aged >= AGE_SECONDS:
                self._blobs.age()
                self._directories.age()
                self._aged = self._clock()
            self._is_idle = True

    def close(self) -> None:
        """End the child; the next question starts another."""
        with self._lock:
            if self._end is not None:
                self._end()
            self._pipe = self._end = None

    def _read(self, oids: list[str], kind: str) -> list[bytes]:
        return self._ask(oids, lambda pipe, oid: _hear_contents(pipe, oid, kind), command="contents")

    def _ask(self, oids: list[str], hear: Callable[[Pipe, str], Heard], *, command: str = "info") -> list[Heard]:
        """Ask for objects; once more with a new child, because the first may have been older than a repack."""
        if not oids:
            return []
        self._is_idle = False
        try:
            return self._exchange(oids, hear, command)
        except (PipeBroken, _MissingError):
            self.close()
        try:
            return self._exchange(oids, hear, command)
        except (PipeBroken, _MissingError) as error:
            raise self._damaged(str(error)) from error

    def _exchange(self, oids: list[str], hear: Callable[[Pipe, str], Heard], command: str) -> list[Heard]:
        if self._pipe is None or not self._pipe.is_open:
            self._pipe = _start(self.mirror)
            self._end = finalize(self, self._pipe.close)
        is_whole = False
        try:
            for oid in oids:
                self._pipe.send(f"{command} {oid}\n".encode())
            heard = [hear(self._pipe, oid) for oid in oids]
            is_whole = True
        finally:
            if not is_whole:
                self.close()  # what it says from now on would answer another question
        return heard

    def _damaged(self, why: str) -> Damaged:
        try:
            (self.mirror / DAMAGE_MARK).touch()
        except OSError:
            return Damaged(f"the mirror {self.mirror.name} is gone; it is fetched again")
        return Damaged(f"the mirror {self.mirror.name} is damaged ({why}); it is fetched again")


def _directory_bytes(directory: Directory) -> int:
    return directory.bytes


def parse_directory(data: bytes, *, id_bytes: int) -> Directory:
    """Read a tree object: `<mode> <name>NUL<binary id>`, again and again. Pure. Raises ValueError for what is none.

    Modes and names are few, however many directories repeat them: each is kept once.
    """
    written = _ENTRIES[id_bytes].findall(data)
    if sum(len(mode) + len(name) for mode, name, _ in written) + len(written) * (id_bytes + 2) != len(data):
        raise ValueError("not a tree object")
    entries = [(sys.intern(name.decode(errors="surrogateescape")), _mode(mode), oid) for mode, name, oid in written]
    entries.sort()  # git sorts a directory as if its name ended with a slash
    names, modes, ids = zip(*entries, strict=True) if entries else ((), (), ())
    if len(names) <= ALIKE:
        names, modes = _one_of(names), _one_of(modes)
    return Directory(names, modes, b"".join(ids), id_bytes)


@lru_cache(maxsize=512)
def _one_of(words: tuple[str, ...]) -> tuple[str, ...]:
    """Give one tuple for all that are equal: the folders of applications hold files of the same names."""
    return words


@lru_cache(maxsize=16)
def _mode(written: bytes) -> str:
    """Read a mode: a few that all entries share."""
    return written.decode()


def _hear_size(pipe: Pipe, oid: str) -> int:
    return int(_heading(pipe, oid)[1])


def _hear_contents(pipe: Pipe, oid: str, kind: str) -> bytes:
    found, size = _heading(pipe, oid)
    if found != kind:
        raise Stalled(f"git object {oid} is a {found}, not a {kind}")
    if int(size) > BLOB_LIMIT_BYTES:
        raise Stalled(f"git object {oid} has {size} bytes: too large to read (the limit is {BLOB_LIMIT_BYTES})")
    return pipe.exactly(int(size) + 1)[:-1]


def _heading(pipe: Pipe, oid: str) -> tuple[str, str]:
    """Read the line before an object, `<id> <type> <size>`, or `<id> missing`. Gives type and size."""
    words = pipe.line().decode().split()
    if len(words) != 3 or words[0] != oid:
        raise _MissingError(" ".join(words))
    return words[1], words[2]


class _MissingError(Exception):
    """The mirror has no such object."""


def objects_at(mirror: Path) -> Objects:
    """Give this process's one reader of a mirror: Trees that come out of a pickle find each other's here."""
    with _readers_lock:
        known = _readers.get(mirror)
        if known is None or not known.belongs_here():
            known = _readers[mirror] = Objects(mirror)
        return known


# A cache, not state: it holds nothing alive, and forgetting it costs a child process.
_readers: WeakValueDictionary[Path, Objects] = WeakValueDictionary()
_readers_lock = threading.Lock()


def _leave_all() -> None:
    for one in list(_readers.values()):
        one.leave()


os.register_at_fork(after_in_child=_leave_all)  # to be asked for each file would cost more than to look it up


def _start(mirror: Path) -> Pipe:
    argv = ("git", "cat-file", "--batch-command")
    env = hardened(FRUGAL, {"GIT_DIR": str(mirror)})
    return Pipe(argv, cwd=mirror, env=env, deadline_seconds=DEADLINE_SECONDS)
