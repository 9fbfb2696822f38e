"""Asks the records branch how the groups stand that go first (`ordering.py` says what follows from it)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from controller.engine.board import Board
from controller.engine.fleet import Entry, Fleet
from controller.engine.history import read_history
from controller.engine.known import Known
from controller.engine.ordering import Standing, wait_for
from controller.engine.queue import Queue
from controller.engine.rendering import Renderer
from controller.git import BranchFiles, Mirror, choose, ref_patterns
from controller.model import (
    PLATFORM,
    After,
    CommitId,
    ConvergeError,
    GroupRef,
    PlacementRef,
    State,
    SyncStatus,
    Wait,
    WaitKind,
)
from controller.records import status_of
from controller.runtime import Clock

VERSIONS: Final = 50  # of a group that has gone on, as far back as is looked
AGAIN: Final = timedelta(seconds=60)  # when the records can't be read


class Predecessors:
    """Owned by the controller. Keeps nothing: what counts is on the records branch."""

    def __init__(
        self, platform: Known, renderer: Renderer, board: Board, queue: Queue[PlacementRef], clock: Clock
    ) -> None:
        self._platform = platform
        self._renderer = renderer
        self._board = board
        self._queue = queue
        self._clock = clock

    async def waits(self, placement: PlacementRef, entry: Entry) -> tuple[Wait, ...]:
        """Say for whom a placement's pending changes wait; for nobody while it is rolled back."""
        fleet = self._platform.fleet
        after = entry.application.sync.after
        if not after or fleet is None:
            return ()
        wanted = self._platform.checkout(entry).commit
        rollback = entry.application.rollback
        if rollback is not None and rollback.to == wanted:
            return ()
        found = [await self._wait(placement, one, wanted, fleet) for one in after]
        return tuple(one for one in found if one is not None)

    async def _wait(self, placement: PlacementRef, after: After, wanted: CommitId, fleet: Fleet) -> Wait | None:
        group = GroupRef(after.environment, placement.application)
        members = {ref: one for ref, one in fleet.entries.items() if ref.group == group}
        if all(one.application.state is State.ABSENT for one in members.values()):
            return None
        commits = self._names(members, wanted, fleet)
        now = self._clock.now()
        try:
            standing = await self._standing(group, commits, fleet)
        except ConvergeError as error:
            what = f"waits for {group}, and the records that tell how it stands can't be read: {error}"
            return Wait(kind=WaitKind.ORDER, what=what, whom=(str(group),), until=now + AGAIN)
        return wait_for(standing, wanted, seconds=after.seconds, now=now)

    def _names(self, members: Mapping[PlacementRef, Entry], wanted: CommitId, fleet: Fleet) -> frozenset[CommitId]:
        """Give the commit, and the one that each placement runs it as: where it changes nothing, the one before."""
        found = {wanted}
        for ref, entry in members.items():
            report = self._board.of(ref)
            if report is None or report.applied is None or report.sync is not SyncStatus.SYNCED:
                continue
            try:
                checkout = self._platform.checkout(entry)
            except ConvergeError:
                continue
            is_at_it = checkout.commit == wanted and self._queue.is_resting(ref)
            if is_at_it and self._renderer.is_current(ref, entry, checkout, fleet.checkout):
                found.add(report.applied.application)
        return frozenset(found)

    async def _standing(self, group: GroupRef, commits: frozenset[CommitId], fleet: Fleet) -> Standing:
        mirror, head = await _records(self._platform, fleet)
        if head is None:
            return Standing(group=group, commits=commits, status=None)
        tree = await mirror.tree(head, repository=PLATFORM)
        status: Mapping[str, Any] | None = await mirror.compute(lambda: status_of(BranchFiles(tree), group))
        standing = Standing(group=group, commits=commits, status=status)
        if standing.is_there or status is None:
            return standing
        history = await read_history(mirror, head, group, limit=VERSIONS)
        return Standing(group=group, commits=commits, status=status, versions=history.versions)


async def recorded_files(platform: Known, fleet: Fleet) -> BranchFiles:
    """Give what lies on the records branch now; nothing where it isn't there yet. Raises Transient, Stalled."""
    mirror, head = await _records(platform, fleet)
    return BranchFiles(None if head is None else await mirror.tree(head, repository=PLATFORM))


async def recorded_waits(platform: Known, placement: PlacementRef) -> list[Mapping[str, Any]]:
    """Give what a placement waits for, as its record says it. Raises Transient, Stalled."""
    fleet = platform.fleet
    if fleet is None:
        return []
    status: Mapping[str, Any] | None = status_of(await recorded_files(platform, fleet), placement.group)
    placements = status["placements"] if status is not None else ()
    return [wait for one in placements if one["target"] == placement.target for wait in one.get("waits", ())]


async def _records(platform: Known, fleet: Fleet) -> tuple[Mirror, CommitId | None]:
    branch = fleet.platform.records.branch
    mirror = platform.source(fleet.platform.records.repository or PLATFORM).mirror
    refs = await mirror.refs(ref_patterns(branch))
    return mirror, choose(branch, refs, url=mirror.url) if refs else None
