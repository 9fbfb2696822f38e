"""The one writer of a branch: changes from everywhere become few commits, and none is lost.

While one push is under way, what comes in waits and goes out together in the next. A commit is built over the head as
we know it, without asking first; if somebody else was faster, the push is refused, and the batch is derived again over
the new head. A remote that is away keeps the queue; a remote that refuses answers everyone in it.

There is no state but the branch itself: a killed committer leaves a branch with all of a commit or nothing of it, and
whoever submits again finds bytes that are equal already.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import NoReturn, Self

import structlog

from controller.git.changes import SUMMARY, BranchFiles, Change, Draft, Drafted, Finish, compose_message, draft
from controller.git.failures import CommitGone
from controller.git.mirror import Mirror
from controller.git.push import PushResult
from controller.git.refs import check_name
from controller.git.signing import Sign
from controller.git.stream import Entry, Identity, NewCommit
from controller.git.tree import GitTree
from controller.model import CommitId, ConvergeError, Stalled, Transient
from controller.runtime import Clock

OUTRUN_LIMIT = 50  # pushes in a row that somebody else was faster than
OUTRUN_SECONDS = (0.05, 2.0)  # the first and the longest pause before the next
AWAY_SECONDS = (1.0, 60.0)
FATE_LIMIT = 50  # commits that are looked through for one whose push was never answered
SKIP_CI = "[skip ci]"
LOCAL_REF = "refs/converge/import"  # where fast-import leaves a chain; nobody reads it

log = structlog.get_logger()


@dataclass(eq=False, slots=True)
class _Pending:
    change: Change
    result: asyncio.Future[CommitId | None]


@dataclass(frozen=True, slots=True)
class _Head:
    """The branch as we know it; commit None: it isn't there yet."""

    commit: CommitId | None
    tree: GitTree | None


@dataclass(frozen=True, slots=True)
class _Sent:
    """A push whose answer never came: who waits for which commit."""

    last: CommitId
    commits: tuple[tuple[_Pending, CommitId], ...]


class Committer:
    """Use as `async with Committer(…) as committer:`, or let a task group run `run()`. One per repository and branch.

    `finish` adds files to each commit (an overview). `suffix` ends each subject; in the template `subject`, what a
    commit says by itself stands for `${summary}`. `sign` signs each commit. A branch that isn't there yet begins at the
    commit `start`, or with nothing. `chance` gives numbers in [0, 1).
    """

    def __init__(
        self,
        mirror: Mirror,
        branch: str,
        *,
        identity: Identity,
        clock: Clock,
        finish: Finish | None = None,
        suffix: str = SKIP_CI,
        subject: str = SUMMARY,
        sign: Sign | None = None,
        start: CommitId | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._mirror = mirror
        self._ref = f"refs/heads/{check_name(branch)}"
        self._identity = identity
        self._clock = clock
        self._finish = finish
        self._suffix = suffix
        self._subject = subject
        self._sign = sign
        self._start = start
        self._chance = chance
        self._queue: list[_Pending] = []
        self._arrived = asyncio.Event()
        self._head: _Head | None = None
        self._unanswered: _Sent | None = None
        self._running: asyncio.Task[NoReturn] | None = None

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    async def submit(self, change: Change) -> CommitId | None:
        """Bring a change to the branch; comes back when it is pushed. Gives its commit, None when nothing differed.

        Waits as long as the remote is away; cancelling takes the change back, unless it is on its way already. Raises
        Stalled where the remote refuses, with its words, or where the change can't be; Transient when others were
        faster all the time, or the committer stops.
        """
        pending = _Pending(change, asyncio.get_running_loop().create_future())
        self._queue.append(pending)
        self._arrived.set()
        return await pending.result

    async def run(self) -> NoReturn:
        """Commit what is submitted, for ever."""
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                await self._empty_queue()
        finally:
            self._answer(self._queue, Transient(f"{self._mirror.url}: the committer has stopped"))

    async def _empty_queue(self) -> None:
        outrun = away = 0
        while batch := self._take():
            try:
                await self._attempt(batch)
                outrun = away = 0
            except (_OutrunError, CommitGone) as error:
                outrun += 1
                self._head = None
                if outrun >= OUTRUN_LIMIT:
                    self._answer(batch, Transient(f"{self._where}: outrun by others {outrun} times in a row ({error})"))
                await self._clock.sleep(self._pause(outrun, OUTRUN_SECONDS))
            except Stalled as error:
                self._head = None
                self._answer(batch, error)
            except Transient as error:
                away += 1
                self._head = None
                pause = max(error.retry_after_seconds, self._pause(away, AWAY_SECONDS))
                log.warning("push.failed", branch=self._ref, reason=str(error), changes=len(batch), pause_seconds=pause)
                await self._clock.sleep(pause)

    def _take(self) -> list[_Pending]:
        """Give all that wait now, without those whose submitters went away."""
        self._queue = [pending for pending in self._queue if not pending.result.done()]
        return list(self._queue)

    async def _attempt(self, batch: Sequence[_Pending]) -> None:
        """Derive, commit and push once. Raises _OutrunError, and what the mirror raises."""
        head = self._head = self._head or await self._find_head()
        if await self._is_answered(head):
            return
        files = BranchFiles(head.tree)
        changes = [pending.change for pending in batch]
        drafted, chain = await self._mirror.compute(lambda: self._drafted(changes, files, head))
        commits: tuple[CommitId, ...] = ()
        if drafted.drafts:
            commits = await self._mirror.import_commits(LOCAL_REF, chain, sign=self._sign)
            self._unanswered = _Sent(commits[-1], _waiting_for(batch, drafted, commits))
            if await self._mirror.push(commits[-1], self._ref) is PushResult.OUTRUN:
                self._unanswered = None
                raise _OutrunError("the branch had moved on")
            self._unanswered = None
            log.info("commits.pushed", branch=self._ref, commits=len(commits), changes=len(batch), head=commits[-1])
        for pending, outcome in zip(batch, drafted.outcomes, strict=True):
            self._settle(pending, commits[outcome] if isinstance(outcome, int) else outcome)
        if commits:
            await self._mirror.tidy()
            self._head = _Head(commits[-1], await self._mirror.tree(commits[-1]))

    async def _find_head(self) -> _Head:
        commit = (await self._mirror.refs([self._ref])).get(self._ref, self._start)
        return _Head(commit, None if commit is None else await self._mirror.tree(commit))

    async def _is_answered(self, head: _Head) -> bool:
        """Find out what became of a push that got no answer: whether its commits are on the branch now."""
        sent, self._unanswered = self._unanswered, None
        if sent is None or head.commit is None:
            return False
        if sent.last not in await self._mirror.first_parents(head.commit, limit=FATE_LIMIT):
            return False
        for pending, commit in sent.commits:
            self._settle(pending, commit)
        return True

    def _drafted(self, changes: Sequence[Change], files: BranchFiles, head: _Head) -> tuple[Drafted, list[NewCommit]]:
        drafted = draft(changes, files, self._finish)
        return drafted, self._commits(head, drafted.drafts)

    def _commits(self, head: _Head, drafts: Sequence[Draft]) -> list[NewCommit]:
        now = self._clock.now()
        return [
            NewCommit(
                parent=head.commit if number == 0 else None,
                message=compose_message(one.changes, suffix=self._suffix, subject=self._subject),
                author=self._identity,
                at=now,
                files={path: _entry(head.tree, path, data) for path, data in {**one.files, **one.finished}.items()},
            )
            for number, one in enumerate(drafts)
        ]

    @property
    def _where(self) -> str:
        return f"{self._mirror.url}: {self._ref}"

    def _pause(self, failures: int, bounds: tuple[float, float]) -> float:
        """Double from the first to the longest, with jitter over all of it: who collided shall not meet again."""
        first, longest = bounds
        return float(min(longest, first * 2 ** min(failures, 16)) * (0.1 + 0.9 * self._chance()))

    def _answer(self, pendings: Sequence[_Pending], error: ConvergeError) -> None:
        for pending in pendings:
            self._settle(pending, error)

    @staticmethod
    def _settle(pending: _Pending, outcome: CommitId | ConvergeError | None) -> None:
        if pending.result.done():
            return
        if isinstance(outcome, ConvergeError):
            pending.result.set_exception(outcome)
        else:
            pending.result.set_result(outcome)


class _OutrunError(Exception):
    """Somebody else pushed first."""


def _waiting_for(
    batch: Sequence[_Pending], drafted: Drafted, commits: Sequence[CommitId]
) -> tuple[tuple[_Pending, CommitId], ...]:
    pairs = zip(batch, drafted.outcomes, strict=True)
    return tuple((pending, commits[number]) for pending, number in pairs if isinstance(number, int))


def _entry(tree: GitTree | None, path: str, data: bytes | None) -> Entry | None:
    """Keep a file executable that was."""
    if data is None:
        return None
    return Entry(data, "100755" if tree is not None and tree.mode(path) == "100755" else "100644")
