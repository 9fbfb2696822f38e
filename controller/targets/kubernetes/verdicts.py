"""Verdicts that outlive the process: which states of objects were judged to be as we applied them.

A verdict is about one state alone: of this object (uid), at this resourceVersion, as it is served in this version of
its kind, with this very content. It is kept as a hash over all of that and over who judged: the build, the installation
and the target. So whatever moved between stop and start is not found, and is judged anew. Not kept are verdicts on
what is left to others in part, since the words that tell why may move without the object's digest; nor any on Secrets,
of which not even a hash leaves memory.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Final, Protocol, TypeAlias

from controller.model import ObjectKey
from controller.runtime import Clock
from controller.targets.kubernetes.members import Member
from controller.targets.kubernetes.seeing import Sight

HASH_BYTES: Final = 16
KEEP_SECONDS: Final = 15.0
Judged: TypeAlias = tuple[Member, bytes]  # a member and its substance


class Verdicts:
    """Those of a process before this one, until `forget`. `who` says who judges, with all that a verdict hangs on."""

    def __init__(self, path: Path | None, who: str) -> None:
        self._path = path
        self._who = blake2b(who.encode(), digest_size=32).digest()
        self._known: Collection[bytes] = _read(path) if path is not None else ()
        self._writing = Lock()

    @property
    def are_kept(self) -> bool:
        return self._path is not None

    def holds(self, sight: Sight) -> bool:
        """Tell whether this very state was judged to be as we applied it."""
        if not self._known or sight.is_terminating or sight.released or _is_secret(sight.key):
            return False
        return self._hash(sight.uid, sight.resource_version, sight.api_version, sight.substance) in self._known

    def forget(self) -> None:
        """Let go of what was read: what has been listed by now was asked about."""
        self._known = ()

    def write(self, judged: Iterable[Judged]) -> None:
        """Write what a next process may go by, whole or not at all. Blocks. A disk that takes it not does no harm."""
        if self._path is None:
            return
        data = b"".join(
            self._hash(one.uid, one.resource_version, one.api_version, substance)
            for one, substance in judged
            if not (one.released or _is_secret(one.key))
        )
        new = self._path.with_suffix(f".new-{os.getpid()}")
        with self._writing, suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            new.write_bytes(data)
            new.replace(self._path)

    def _hash(self, uid: str, resource_version: str, api_version: str, substance: bytes) -> bytes:
        total = blake2b(f"{uid}\0{resource_version}\0{api_version}\0".encode(), key=self._who, digest_size=HASH_BYTES)
        total.update(substance)
        return total.digest()


NO_VERDICTS: Final = Verdicts(None, "")


class Judgements(Protocol):
    """What is known now (`Store`): `moves` counts on with every change."""

    moves: int

    def judged(self) -> list[Judged]: ...


class Keeper:
    """Writes what a restarted controller may go by, behind the work. `is_whole` tells that nothing is still unheard."""

    def __init__(self, verdicts: Verdicts, judgements: Judgements, *, is_whole: Callable[[], bool]) -> None:
        self._verdicts = verdicts
        self._judgements = judgements
        self._is_whole = is_whole
        self._written = 0  # the moves that are on disk

    async def run(self, clock: Clock) -> None:
        """Write what is new, for ever."""
        while self._verdicts.are_kept:
            await clock.sleep(KEEP_SECONDS)
            if self._is_whole():
                self._verdicts.forget()
            if self._has_news():
                self._written = self._judgements.moves
                await asyncio.to_thread(self._verdicts.write, self._judgements.judged())

    def close(self) -> None:
        """Write what is left."""
        if self._verdicts.are_kept and self._has_news():
            self._verdicts.write(self._judgements.judged())

    def _has_news(self) -> bool:
        return self._judgements.moves != self._written and self._is_whole()


def _is_secret(key: ObjectKey) -> bool:
    return (key.group, key.kind) == ("", "Secret")


def _read(path: Path) -> Collection[bytes]:
    """Read what was written. A damaged file holds hashes of nothing."""
    try:
        data = path.read_bytes()
    except OSError:
        return ()
    return frozenset(data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES))
