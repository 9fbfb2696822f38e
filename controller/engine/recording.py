"""Hands transitions to the records branch: in order, batched, and never in anybody's way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

from controller.engine.backoff import backoff_seconds
from controller.engine.committing import Style
from controller.engine.events import RecordsFailed, RecordsPushed, Tell
from controller.engine.spawning import Spawn
from controller.git import Change, Committer, Mirror
from controller.model import CommitId, ConvergeError, GroupRef, PlacementRef, Problem, Transition
from controller.records import PlatformChange, overview, record, record_platform
from controller.runtime import Clock

LONGEST_GATHERING_SECONDS = 2.0
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
        self._others: list[Change] = []
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
            finish=overview,
            subject=style.subject,
            sign=style.sign,
        )
        self._committing = self._spawn(self._committer.run(), "committer")
        self._aimed.set()

    def close(self) -> None:
        """End the committer. What it had not pushed is derived again by the next controller from what it sees."""
        if self._committing is not None:
            self._committing.cancel()

    def post_platform(self, in_force: CommitId, rejected: CommitId | None, problems: tuple[Problem, ...]) -> None:
        """Tell which platform commit is in force, and which is refused and why."""
        self._platform = record_platform(in_force, rejected, problems)
        self._idle.clear()
        self._filled.set()

    def post_change(self, change: Change) -> None:
        """Tell what is no transition of a placement."""
        self._others.append(change)
        self._idle.clear()
        self._filled.set()

    def post(self, transition: Transition) -> None:
        self._waiting.append(transition)
        self._idle.clear()
        self._filled.set()

    async def flush(self) -> None:
        """Wait until all that was posted is pushed."""
        await self._idle.wait()

    async def run(self) -> None:
        failures = 0
        while True:
            await self._filled.wait()
            await self._aimed.wait()
            await self._gather()
            assert self._committer is not None  # noqa: S101  # `aim` has set both
            batch, self._waiting = self._waiting, []
            platform, self._platform = self._platform, None
            others, self._others = self._others, []
            self._filled.clear()
            try:
                commits = await self._submit(self._committer, batch, [*([platform] if platform else []), *others])
            except ConvergeError as error:
                failures += 1
                self._tell(RecordsFailed(str(error)))
                self._put_back(batch, platform, others)
                await self._clock.sleep(backoff_seconds(failures, chance=self._chance()))
                self._filled.set()
                continue
            failures = 0
            if commits:
                self._pushed({one.group for one in batch})
            for commit in commits:
                self._tell(RecordsPushed(commit, tuple(sorted({one.group for one in batch}))))
            if not (self._waiting or self._others) and self._platform is None:
                self._idle.set()

    async def _gather(self) -> None:
        """Let runs go first: what a storm of them brings is told together, and soon after it at the latest."""
        until = self._clock.monotonic() + LONGEST_GATHERING_SECONDS
        while not self._is_quiet() and self._clock.monotonic() < until:
            await self._clock.sleep(GATHERING_STEP_SECONDS)

    def _put_back(self, batch: list[Transition], platform: PlatformChange | None, others: list[Change]) -> None:
        """Keep what was not pushed, before what came in meanwhile."""
        self._waiting = [*batch, *self._waiting]
        self._platform = self._platform or platform
        self._others = [*others, *self._others]

    async def _submit(self, committer: Committer, batch: list[Transition], others: list[Change]) -> list[CommitId]:
        """Submit a batch, a placement's second state after its first: what was passed through stays in the history."""
        changes: list[Change] = [*others, *(record(part) for part in rounds(batch))]
        commits = await asyncio.gather(*(committer.submit(one) for one in changes))
        return [commit for commit in commits if commit is not None]


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
