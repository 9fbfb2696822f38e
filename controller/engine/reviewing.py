"""The merge as the approval: branches that ask for it are planned on the live state, and their plans' hashes recorded.

A branch asks for it by its name (`spec.review.branches` in converge.yaml). It is planned when it, or what it would be
merged into, moves, and again while what stood in the way may pass by itself. What is planned is the branch as it
stands: one that is behind makes another plan than its merge, and the merge then waits for an approval of its own; so
does one after which the live world moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from controller.engine.fleet import Fleet, signers_of
from controller.engine.in_force import InForce
from controller.engine.planning import Planned
from controller.engine.pool import OpenTarget
from controller.engine.preview import plan_preview, preview
from controller.engine.rendering import Renderer
from controller.engine.snapshot import Snapshot
from controller.engine.sources import Checkout, Signers, Source
from controller.git import Mirror, Mirrors
from controller.model import (
    PLATFORM,
    CommitId,
    ConvergeError,
    OnPending,
    PlacementRef,
    Plan,
    RepositoryName,
    Stalled,
)
from controller.records import Review
from controller.runtime import Clock

Branch = tuple[RepositoryName, str]


class Reviewer:
    """Plans branches, one after the other. Owned by the controller. What it knows it can find out again."""

    def __init__(
        self,
        platform: InForce,
        renderer: Renderer,
        mirrors: Mirrors,
        open_target: OpenTarget,
        *,
        clock: Clock,
        interval_seconds: float,
        signers: Signers,
        post: Callable[[Review], None],
    ) -> None:
        self._platform = platform
        self._renderer = renderer
        self._mirrors = mirrors
        self._open_target = open_target
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._signers = signers
        self._post = post
        self._planned: dict[Branch, tuple[object, ...]] = {}  # what each was planned with

    async def run(self) -> None:
        """Look for ever."""
        while True:
            fleet = self._platform.fleet
            if fleet is not None and fleet.platform.review_branches:
                with suppress(Stalled):  # the platform moved on meanwhile, and a repository with it
                    for name, source in self._sources(fleet).items():
                        await self._look(name, source, fleet)
            await self._clock.sleep(self._interval_seconds)

    def _sources(self, fleet: Fleet) -> Mapping[RepositoryName, Source]:
        names = (PLATFORM, *fleet.platform.repositories)
        return {name: self._platform.source(name) for name in names}

    async def _look(self, name: RepositoryName, source: Source, fleet: Fleet) -> None:
        """Plan a repository's branches that moved. One that people must mend is looked at again when it moves."""
        try:
            refs = await source.mirror.refs([f"refs/heads/{one}" for one in fleet.platform.review_branches])
        except ConvergeError:
            return  # the repository's own poll tells of it
        branches = {ref.removeprefix("refs/heads/"): commit for ref, commit in refs.items()}
        for branch, commit in sorted(branches.items()):
            if self._platform.fleet is not fleet:
                return
            circumstances = (commit, fleet.checkout.commit, *self._heads(name, fleet))
            if self._planned.get((name, branch)) == circumstances:
                continue
            try:
                planned = await self._plan(name, source.mirror, branch, commit, fleet)
            except Stalled:
                planned = ()
            except ConvergeError:
                continue
            if all(one.error is None or isinstance(one.error, Stalled) for one in planned):
                self._planned[name, branch] = circumstances
            if planned:
                self._post(self._review(name, branch, commit, planned, frozenset(branches)))

    def _heads(self, name: RepositoryName, fleet: Fleet) -> tuple[str, ...]:
        """Give where a repository's followed revisions are: what a branch would be merged into."""
        if name == PLATFORM:
            return ()
        found = set()
        for entry in fleet.entries.values():
            if entry.repository.name == name:
                try:
                    found.add(self._platform.checkout(entry).commit)
                except ConvergeError:
                    continue
        return tuple(sorted(found))

    async def _plan(
        self, name: RepositoryName, mirror: Mirror, branch: str, commit: CommitId, fleet: Fleet
    ) -> tuple[Planned, ...]:
        """Plan what a branch changes where a merge is taken for a yes, and there is something to say yes to.

        A branch that was merged already changes nothing any more, so that its earlier plan stands until it is applied.
        Raises ConvergeError where the branch can't be looked at.
        """
        await self._verify(name, mirror, commit, fleet)
        info = await mirror.describe(commit)
        candidate = Checkout(name, branch, commit, await mirror.tree(commit, repository=name), info)
        before = Snapshot(fleet, self._sources(fleet), self._renderer)
        found = await preview(before, candidate, self._mirrors, clock=self._clock)
        wanted = [ref for ref in found.effects if found.is_affected(ref) and _asks(ref, found.after)]
        planned = await plan_preview(found, wanted, self._open_target, done=lambda _one: None)
        return tuple(one for one in planned if one.plan is None or _is_pending(one.plan))

    def _review(
        self,
        name: RepositoryName,
        branch: str,
        commit: CommitId,
        planned: Iterable[Planned],
        branches: frozenset[str],
    ) -> Review:
        plans = {one.placement: one.plan.hash for one in planned if one.plan is not None}
        problems = {one.placement: str(one.error) for one in planned if one.plan is None}
        now = self._clock.now()
        return Review(
            repository=name,
            branch=branch,
            commit=commit,
            plans=plans,
            problems=problems,
            at=now,
            branches=branches,
        )

    async def _verify(self, name: RepositoryName, mirror: Mirror, commit: CommitId, fleet: Fleet) -> None:
        """Hold a branch to the signatures that its repository's commits must have. Raises Stalled."""
        signers = self._signers if name == PLATFORM else signers_of(fleet, fleet.platform.repositories[name])
        if signers.ssh:
            await mirror.verify(commit, signers.ssh, kind="ssh")
        if signers.gpg:
            await mirror.verify(commit, signers.gpg, kind="gpg")


def _asks(ref: PlacementRef, after: Snapshot) -> bool:
    entry = after.fleet.entries.get(ref)
    if entry is None:
        return False
    sync = entry.application.sync
    return sync.approvals.by_review and sync.pending is OnPending.APPROVE


def _is_pending(plan: Plan) -> bool:
    """Tell whether git asks for anything. Of what drifted `sync.drift` decides: no merge is a yes to that alone."""
    return any(one.is_pending for one in plan.objects)
