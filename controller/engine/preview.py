"""What a commit would change, before it is merged: which placements would be rendered to something else, and how.

The fleet is taken twice, as it is and with the commit in it. A placement that read nothing of what the commit touches
is decided by look-ups, and one that was never rendered by the reach of its files; what the commit may touch is rendered
both ways, and what comes out the same is left out. Nothing is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from controller.engine.asking import Outputs
from controller.engine.fleet import Entry
from controller.engine.planning import Planned, Work, plan_works, work_of
from controller.engine.pool import OpenTarget
from controller.engine.preparing import Facts
from controller.engine.reach import Reaches
from controller.engine.rendering import Renderer
from controller.engine.snapshot import NOWHERE, Snapshot, read_with, select
from controller.engine.sources import Checkout
from controller.engine.teardown import nothing, orphan
from controller.git import GitTree, Mirrors
from controller.model import (
    PLATFORM,
    Application,
    CommitId,
    ConvergeError,
    Desired,
    PlacementRef,
    RepositoryName,
    Revision,
    State,
    TerraformTarget,
)
from controller.runtime import Clock

BREATH = 50  # placements that are looked at between two turns of the event loop


class Effect(StrEnum):
    """What a commit does to a placement; `alike`: it touches what the placement reads, and not what comes of it."""

    NONE = "none"
    ALIKE = "alike"
    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Preview:
    """A fleet without and with a commit, and what the commit does to each placement of either.

    `fixed` names those that stay at a tag or commit of its repository, or at a branch that it does not come to.
    """

    candidate: Checkout
    before: Snapshot
    after: Snapshot
    effects: Mapping[PlacementRef, Effect]
    fixed: frozenset[PlacementRef]

    def select(self, wanted: Sequence[str]) -> tuple[PlacementRef, ...]:
        """Find placements, also those that are gone with the commit, as `Snapshot.select` does."""
        return select(self.effects, wanted)

    def is_affected(self, placement: PlacementRef) -> bool:
        """Tell whether a placement would be other than it is."""
        return self.effects[placement] not in {Effect.NONE, Effect.ALIKE}


async def preview(before: Snapshot, candidate: Checkout, mirrors: Mirrors, *, into: str = "", clock: Clock) -> Preview:
    """Say what a commit would do. `into` is the one branch it would come to; "": all that applications follow.

    Raises Invalid for a platform commit that does not validate, Stalled, Transient.
    """
    fixed: frozenset[PlacementRef] = frozenset()
    if candidate.repository == PLATFORM:
        after = await read_with(before, candidate, mirrors, clock=clock)
    else:
        moved = await _moved(before, candidate, into)
        instead = {(candidate.repository, one): candidate for one in moved}
        after = replace(before, instead=instead, renderer=Renderer(workshop=before.renderer.workshop))
        fixed = frozenset(ref for ref, entry in before.fleet.entries.items() if _is_fixed(entry, candidate, moved))
    await _read_ahead(before, fixed)
    unreached = _Unreached(before, after)
    effects: dict[PlacementRef, Effect] = {}
    for number, ref in enumerate(sorted({*before.fleet.entries, *after.fleet.entries})):
        if number % BREATH == 0:
            await asyncio.sleep(0)
        effects[ref] = Effect.NONE if ref in fixed else await _effect(ref, before, after, unreached)
    return Preview(candidate, before, after, effects, fixed)


async def _read_ahead(before: Snapshot, fixed: frozenset[PlacementRef]) -> None:
    """Have the files of all that must be rendered in a few requests to the mirrors, instead of one for each."""
    wanted: dict[GitTree, set[str]] = {}
    for ref, entry in before.fleet.entries.items():
        with suppress(ConvergeError):  # whoever renders meets it again
            checkout = before.checkout(entry)
            is_known = ref in fixed or before.renderer.is_known_to_hold(ref, entry, checkout, before.fleet.checkout)
            if not is_known and isinstance(checkout.tree, GitTree):
                wanted.setdefault(checkout.tree, set()).add(entry.application.path)
    for tree, paths in wanted.items():
        with suppress(ConvergeError):
            await asyncio.to_thread(tree.prefetch, paths)


async def _moved(before: Snapshot, candidate: Checkout, into: str) -> frozenset[str]:
    """Name the revisions that the commit is taken for: branches, as applications name them."""
    followed = {
        entry.application.revision
        for entry in before.fleet.entries.values()
        if entry.repository.name == candidate.repository
    }
    mirror = before.sources[candidate.repository].mirror
    branches = {one: "" if one in {"", "HEAD"} else one.removeprefix("refs/heads/") for one in followed}
    if into:
        wanted = {into.removeprefix("refs/heads/")}
        if "" in branches.values() and await mirror.default_branch() in wanted:
            wanted.add("")
        return frozenset(one for one, branch in branches.items() if branch in wanted)
    names = sorted(f"refs/heads/{branch}" for branch in branches.values() if branch)
    refs = await mirror.refs(names) if names else {}
    return frozenset(one for one, branch in branches.items() if not branch or f"refs/heads/{branch}" in refs)


def _is_fixed(entry: Entry, candidate: Checkout, moved: frozenset[str]) -> bool:
    return entry.repository.name == candidate.repository and entry.application.revision not in moved


async def _effect(ref: PlacementRef, before: Snapshot, after: Snapshot, unreached: _Unreached) -> Effect:
    old, new = _present(ref, before), _present(ref, after)
    if old is None or new is None:
        return Effect.REMOVED if old else Effect.ADDED if new else Effect.NONE
    if _policy(ref, before) == _policy(ref, after) and await _renders_alike(ref, before, after, unreached):
        return Effect.NONE
    said = await _said(ref, before)
    if said != await _said(ref, after):
        return Effect.CHANGED
    return Effect.NONE if isinstance(said, str) else Effect.ALIKE  # what a failed render read is not known


def _present(ref: PlacementRef, snapshot: Snapshot) -> Entry | None:
    entry = snapshot.fleet.entries.get(ref)
    return None if entry is None or entry.application.state is State.ABSENT else entry


def _policy(ref: PlacementRef, snapshot: Snapshot) -> tuple[object, ...]:
    """Give what the platform says of a placement besides what it renders to, as far as a plan tells of it."""
    entry = snapshot.entry(ref)
    application = entry.application
    return (
        entry.target,
        entry.repository,
        application.create_namespace,
        application.approve_deletions,
        replace(application.sync, windows=()),
        snapshot.fleet.platform.problems.get(ref.group),
    )


class _Unreached:
    """Tells of placements that the commit is out of their files' reach."""

    def __init__(self, before: Snapshot, after: Snapshot) -> None:
        self._is_platform_same = before.fleet is after.fleet
        self._reaches: dict[tuple[RepositoryName, CommitId], Reaches] = {}

    def holds(self, entry: Entry, old: Checkout, new: Checkout) -> bool:
        """False too where that is not known."""
        if not self._is_platform_same or isinstance(entry.target, TerraformTarget):
            return False
        reaches = self._reaches.setdefault((old.repository, old.commit), Reaches(old.tree))
        scope = reaches.scope_of(entry.application.path)
        return scope is not None and old.tree.digest(scope) == new.tree.digest(scope)


async def _renders_alike(ref: PlacementRef, before: Snapshot, after: Snapshot, unreached: _Unreached) -> bool:
    """Tell whether nothing moved that the placement reads; False too where that can't be known."""
    try:
        old, new = before.checkout(before.entry(ref)), after.checkout(after.entry(ref))
    except ConvergeError:
        return False
    renderer, platform = before.renderer, before.fleet.checkout
    if not renderer.is_known_to_hold(ref, before.entry(ref), old, platform):
        if unreached.holds(before.entry(ref), old, new):
            return True
        with suppress(ConvergeError):  # whoever compares meets it again
            await renderer.rendered(ref, before.entry(ref), old, platform)
    return renderer.is_known_to_hold(ref, after.entry(ref), new, after.fleet.checkout)


async def _said(ref: PlacementRef, snapshot: Snapshot) -> tuple[object, ...] | str:
    """Give all that a plan starts from, or why there is none."""
    entry = snapshot.entry(ref)
    try:
        digest = (await snapshot.rendered(ref)).desired.digest
    except ConvergeError as error:
        return _without_commits(str(error), entry, snapshot)
    return digest, entry.target, entry.application.create_namespace, entry.application.sync.prune


def _without_commits(text: str, entry: Entry, snapshot: Snapshot) -> str:
    """Leave out of an error which commit it was met at: at another one it is the same error."""
    with suppress(ConvergeError):
        text = text.replace(snapshot.checkout(entry).commit[:12], "")
    return text.replace(snapshot.fleet.checkout.commit[:12], "")


async def plan_preview(
    found: Preview, wanted: Sequence[PlacementRef], open_target: OpenTarget, *, done: Callable[[Planned], None]
) -> tuple[Planned, ...]:
    """Plan placements with the commit in force, on the live state, each failure its own."""
    works = [
        Work(ref, partial(_gone, found, ref)) if found.effects[ref] is Effect.REMOVED else work_of(found.after, ref)
        for ref in wanted
    ]
    return await plan_works(works, found.after.fleet, open_target, done=done)


async def _gone(found: Preview, ref: PlacementRef, _facts: Facts, _outputs: Outputs) -> tuple[Desired, Application]:
    """Say what is left of a placement that git no longer names: nothing, under its environment's policy."""
    revision = Revision(NOWHERE, found.candidate.commit)
    entry = found.after.fleet.entries.get(ref)
    if entry is not None:
        return nothing(ref, revision), entry.application
    sync = found.before.entry(ref).application.sync
    environment = found.after.fleet.platform.environments.get(ref.environment)
    application = orphan(ref, environment.sync if environment else sync, found.after.fleet.platform.origin)
    return nothing(ref, revision), application
