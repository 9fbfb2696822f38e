"""States that the controller keeps itself: what a run may read and write of its placement's.

Where they are kept is somebody else's business (`StateKeeper`); what they mean is told here. A run is given a state and
may put one in its place, which is refused when another is there by then. A state older than one that was seen is never
given out: Terraform would make again what is there, and forget what came later.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from controller.model import ConvergeError, PlacementRef, Stalled, Transient
from controller.runtime import write_whole
from controller.targets.states import StateKeeper, StateMark
from controller.targets.terraform.sealing import Opened, Sealer, is_newer, mark_of_state


class Drawer:
    """One placement's state, and who has it locked. Shared by all runs of a process."""

    def __init__(self, placement: PlacementRef, keeper: StateKeeper, sealer: Sealer, notes: Path) -> None:
        self.placement = placement
        self.keeper = keeper
        self.sealer = sealer
        self.holder: Visit | None = None
        self.is_read = False  # by this process, and held against the records
        self.lock = b""  # what the holder said of itself
        self._notes = notes
        self._seen: StateMark | None = None

    def seen(self) -> StateMark | None:
        """Tell the newest state that this process saw, or an earlier one that had the same cache."""
        if self._seen is None:
            with suppress(OSError, msgspec.DecodeError):
                self._seen = msgspec.json.decode(self._file.read_bytes(), type=StateMark)
        return self._seen

    def note(self, mark: StateMark) -> None:
        """Remember what was seen, beyond the end of the process. Raises Transient where the disk does not take it."""
        if self.seen() == mark:
            return
        self._seen = mark
        try:
            write_whole(self._file, msgspec.json.encode(mark))
        except OSError as error:
            raise Transient(f"{self._file} can't be written: {error}") from error

    @property
    def _file(self) -> Path:
        name = hashlib.sha256(f"{self.keeper.where}\n{self.placement}".encode()).hexdigest()[:32]
        return self._notes / f"{name}.json"


class Visit:
    """One run's dealings with a drawer."""

    def __init__(self, drawer: Drawer) -> None:
        self._drawer = drawer
        self._given: bytes | None = None
        self._opened: Opened | None = None
        self._has_read = False

    async def read(self) -> bytes | None:
        """Give the state, None where there never was one. Raises Stalled, Transient."""
        drawer = self._drawer
        recorded: StateMark | None = None
        try:
            sealed = await drawer.keeper.get(drawer.placement)
            if not drawer.is_read:  # later on, what was seen here is the newer one
                recorded = await drawer.keeper.recorded(drawer.placement)
        except Transient:
            # An apply asks again before it stores a first state. What it was given stays good: another one that came
            # to be there meanwhile is found when ours is put in its place.
            if self._has_read:
                return self._opened.data if self._opened else None
            raise
        seen = drawer.seen()
        opened: Opened | None = None
        if sealed is not None:
            opened = await self._open(sealed)
        for known, how in ((seen, "seen"), (recorded, "recorded")):
            if known is not None and (opened is None or not is_newer(opened, known)):
                raise self._old(opened, known, how)
        drawer.is_read = True
        if opened is not None:
            await asyncio.to_thread(drawer.note, opened.mark)
        self._given, self._opened, self._has_read = sealed, opened, True
        return opened.data if opened else None

    async def write(self, data: bytes) -> None:
        """Put a state in place of the one that was given. Raises Overtaken, Stalled, Transient."""
        drawer, before = self._drawer, self._opened
        mark = mark_of_state(data)
        if not self._has_read:
            raise Stalled(f"{drawer.placement}: a state can't be stored by who did not read the one before")
        if before is not None:
            if data == before.data:
                return
            if mark.lineage != before.mark.lineage or mark.serial <= before.mark.serial:
                raise Stalled(f"{drawer.placement}: {mark} can't follow {before.mark}")
        after = before.mark if before else None
        sealed = await asyncio.to_thread(drawer.sealer.seal, drawer.placement, data, after=after)
        await drawer.keeper.put(drawer.placement, sealed, base=self._given, about=f"serial {mark.serial}")
        self._given, self._opened = sealed, Opened(mark, after, data)
        with suppress(Transient):  # it is kept, and will be noted when it is read
            await asyncio.to_thread(drawer.note, mark)

    def take_lock(self, info: bytes) -> bytes | None:
        """Lock the state for this run; give what another said of itself where that holds it."""
        drawer = self._drawer
        if drawer.holder not in (None, self):
            return drawer.lock
        drawer.holder, drawer.lock = self, info
        return None

    def end(self) -> None:
        """Let go of the lock: the run has ended, however it did."""
        if self._drawer.holder is self:
            self._drawer.holder, self._drawer.lock = None, b""

    async def _open(self, sealed: bytes) -> Opened:
        drawer = self._drawer
        try:
            return await asyncio.to_thread(drawer.sealer.open, drawer.placement, sealed)
        except Stalled as error:
            raise Stalled(f"{drawer.keeper.where}: the state of {drawer.placement} can't be used: {error}") from error

    def _old(self, opened: Opened | None, known: StateMark, how: str) -> Stalled:
        drawer = self._drawer
        there = f"holds {opened.mark}" if opened else "holds no state"
        return Stalled(
            f"{drawer.keeper.where} {there} of {drawer.placement}, and {known} was {how} before: the branch was put "
            "back, and with such a state Terraform would make again what is there. Push the branch as it was; or, "
            f"where going back is meant, `converge state push {drawer.placement} FILE --above {known.serial}`"
        )


@dataclass(slots=True)
class Session:
    """What a run needs to reach its state; `trouble` is why it was refused last, which Terraform does not pass on."""

    variables: Mapping[str, str]
    trouble: ConvergeError | None = None


OpenSession = Callable[[], AbstractAsyncContextManager[Session]]


def unkept() -> AbstractAsyncContextManager[Session]:
    """Give a session where the state is on a back-end of its own."""
    return nullcontext(Session({}))
