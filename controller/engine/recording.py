"""Hands transitions to the records branch: in order, batched, and never in anybody's way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

from controller.engine.backoff import backoff_seconds
from controller.engine.committing import Style
from controller.engine.drawing import Drawings, Rhythm
from controller.engine.events import RecordsFailed, RecordsPushed, Tell
from controller.engine.spawning import Spawn
from controller.git import Change, Committer, Mirror
from controller.model import CommitId, ConvergeError, GroupRef, Health, PlacementRef, Problem, SyncStatus, Transition
from controller.records import Drawing, PlatformChange, record, record_platform
from controller.runtime import Clock

LONGEST_GATHERING_SECONDS = 5.0
URGENT_GATHERING_SECONDS = 2.0  # the same where somebody needs to know
GATHERING_STEP_SECONDS = 0.05


class Recorder:
    """Owns what is not yet recorded. One submission at a time; what comes in meanwhile is the next batch."""

    def __init__(
        self,
        *,
        spawn: Spawn,
        clock: Clock,
        tell: Tell,
        chance: Callable[[], float],
        is_quiet: Callable[[], bool],
        pushed: Callable[[Iterable[GroupRef]], None] = lambda _groups: None,
        rhythm: Callable[[], Rhythm] = Rhythm,
    ) -> None:
        self._spawn = spawn
        self._is_quiet = is_quiet
        self._pushed = pushed
        self._committer: Committer | None = None
        self._committing: asyncio.Task[None] | None = None
        self._aim: tuple[Mirror, str, Style] | None = None
        self._aimed = asyncio.Event()
        self._clock = clock
        self._tell = tell
        self._chance = chance
        self._waiting: list[Transition] = []
        self._platform: PlatformChange | None = None  # not yet told
        self._told: CommitId | None = None  # the platform commit that was said to be refused
        self._others: list[Change] = []
        self._drawings = Drawings(lambda: rhythm().draw_seconds)
        self._rhythm = rhythm
        self._committed: float | None = None  # when, of the monotonic clock
        self._urgent = asyncio.Event()
        self._alarm: asyncio.Task[None] | None = None  # for the next drawing
        self._filled = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def aim(self, mirror: Mirror, branch: str, style: Style) -> None:
        """Say where records go from now on: known once the platform is read, and it may move with it."""
        if self._aim == (mirror, branch, style):
            return
        self.close()
        self._aim = (mirror, branch, style)
        self._committer = Committer(
            mirror,
            branch,
            identity=style.identity,
            clock=self._clock,
            subject=style.subject,
            sign=style.sign,
        )
        self._committing = self._spawn(self._committer.run(), "committer")
        self._aimed.set()

    def close(self) -> None:
        """End the committer. What it had not pushed is derived again by the next controller from what it sees."""
        for task in (self._committing, self._alarm):
            if task is not None:
                task.cancel()

    def post_platform(self, in_force: CommitId, rejected: CommitId | None, problems: tuple[Problem, ...]) -> None:
        """Tell which platform commit is in force, and which is refused and why."""
        before, self._told = self._told, rejected
        self._platform = record_platform(in_force, rejected, problems)
        if rejected != before:
            self._drawings.note((), at_once=True)
            self._urgent.set()
        self._idle.clear()
        self._filled.set()

    def post_change(self, change: Change) -> None:
        """Tell what is no transition of a placement."""
        self._others.append(change)
        self._urgent.set()
        self._idle.clear()
        self._filled.set()

    def post(self, transition: Transition) -> None:
        self._waiting.append(transition)
        self._drawings.note([transition.group], at_once=transition.report.retired)
        if not _may_wait(transition):
            self._urgent.set()
        self._idle.clear()
        self._filled.set()

    async def flush(self) -> None:
        """Wait until all that was posted is pushed, and drawn."""
        if not self._idle.is_set():
            self._drawings.hurry()
            self._urgent.set()
            self._filled.set()
        await self._idle.wait()

    async def run(self) -> None:
        failures = 0
        while True:
            await self._filled.wait()
            await self._aimed.wait()
            await self._gather()
            await self._take_turns()
            assert self._committer is not None  # noqa: S101  # `aim` has set both
            batch, self._waiting = self._waiting, []
            platform, self._platform = self._platform, None
            others, self._others = self._others, []
            drawing = self._drawings.take(self._clock.monotonic(), self._clock.now())
            self._filled.clear()
            self._urgent.clear()
            told: list[Change] = [*([platform] if platform else []), *others]
            try:
                commits = await self._submit(self._committer, batch, told, [drawing] if drawing else [])
            except ConvergeError as error:
                failures += 1
                self._tell(RecordsFailed(str(error)))
                self._put_back(batch, platform, others)
                if drawing is not None:
                    self._drawings.note(drawing.groups, at_once=True)
                await self._clock.sleep(backoff_seconds(failures, chance=self._chance()))
                self._filled.set()
                continue
            failures = 0
            if commits:
                self._committed = self._clock.monotonic()
                self._pushed({one.group for one in batch})
            for commit in commits:
                self._tell(RecordsPushed(commit, tuple(sorted({one.group for one in batch}))))
            if self._filled.is_set():
                continue
            if (seconds := self._drawings.due_in(self._clock.monotonic())) is None:
                self._idle.set()
            else:
                self._draw_in(seconds)

    def _draw_in(self, seconds: float) -> None:
        """Come back when a drawing is due, if nothing else happens until then."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._spawn(self._call(seconds), "drawing")

    async def _call(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._filled.set()

    async def _gather(self) -> None:
        """Let runs go first: what a storm of them brings is told together, and soon after it at the latest.

        A commit and its push cost as much as telling twenty transitions, so a storm in which all goes well has few.
        """
        begun = self._clock.monotonic()
        while not self._is_quiet():
            longest = URGENT_GATHERING_SECONDS if self._urgent.is_set() else LONGEST_GATHERING_SECONDS
            if self._clock.monotonic() >= begun + longest:
                return
            await self._clock.sleep(GATHERING_STEP_SECONDS)

    async def _take_turns(self) -> None:
        """Let what is well share a commit, where the platform asks for few: until the next is due, or trouble comes."""
        last, seconds = self._committed, self._rhythm().commit_seconds
        if last is None or (left := last + seconds - self._clock.monotonic()) <= 0:
            return
        waits = [asyncio.ensure_future(one) for one in (self._urgent.wait(), self._clock.sleep(left))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    def _put_back(self, batch: list[Transition], platform: PlatformChange | None, others: list[Change]) -> None:
        """Keep what was not pushed, before what came in meanwhile."""
        self._waiting = [*batch, *self._waiting]
        self._platform = self._platform or platform
        self._others = [*others, *self._others]

    async def _submit(
        self, committer: Committer, batch: list[Transition], others: list[Change], last: list[Drawing]
    ) -> list[CommitId]:
        """Submit a batch, a placement's second state after its first: what was passed through stays in the history.

        Gives the commits, each once: several changes mostly share one.
        """
        changes: list[Change] = [*others, *(record(part) for part in rounds(batch)), *last]
        commits = await asyncio.gather(*(committer.submit(one) for one in changes))
        return list(dict.fromkeys(commit for commit in commits if commit is not None))


def _may_wait(transition: Transition) -> bool:
    """Tell whether nobody needs to know at once: all is well, or on its way there."""
    report = transition.report
    is_well = report.health in (Health.HEALTHY, Health.PROGRESSING, Health.SUSPENDED)
    return report.sync in (SyncStatus.SYNCED, SyncStatus.SYNCING) and is_well and not report.retired


def rounds(batch: Iterable[Transition]) -> tuple[tuple[Transition, ...], ...]:
    """Part a batch so that no placement stands twice in a part, and its states keep their order."""
    parts: list[list[Transition]] = []
    seen: Counter[PlacementRef] = Counter()
    for one in batch:
        number = seen[one.report.placement]
        seen[one.report.placement] += 1
        if number == len(parts):
            parts.append([])
        parts[number].append(one)
    return tuple(tuple(part) for part in parts)
