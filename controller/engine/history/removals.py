"""Weighs what took a whole placement away: by which platform commit it went, and which yes that took.

Nothing is rendered then. What git had to say is that it goes (`state: absent`, or no entry any more), and where the
policy asks for approvals, a yes to the plan of deleting it, by the rules that hold for any other plan. A record tells
the warrant (`removal`); without one the plans that it waited for are weighed, at the newest platform commit of then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from controller.config import read_platform
from controller.engine.approvers import judged
from controller.engine.authors import authors_of
from controller.engine.fleet import fleet_of
from controller.engine.history.deleting import unasked_deletions
from controller.engine.history.versions import State, Version
from controller.engine.history.warrants import (
    FURTHEST,
    Doubts,
    checkout_at,
    foreign,
    newest_at,
    plans_awaited,
    reviewed_at,
)
from controller.engine.sources import Checkout
from controller.engine.teardown import orphan
from controller.git import BranchFiles, Mirror
from controller.model import (
    PLATFORM,
    Application,
    CommitId,
    ConvergeError,
    Digest,
    OnDestroy,
    OnPending,
    PlacementRef,
    Revision,
    Stalled,
    TargetName,
    TerraformTarget,
)
from controller.model import State as InGit
from controller.records import recorded_contents

NOT_TOLD: Final = "the platform commit by which it was taken away is not in the history that was read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """That a placement was taken away: `version` ran there, `before` is the last state of it, `after` tells the end."""

    target: TargetName
    version: Version
    before: State
    after: State
    awaited: frozenset[Digest]  # plans that it waited for in between

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = _placements(self.after)[self.target].get("removal") or {}
        return found

    @property
    def at(self) -> datetime:
        since = self.told.get("since") or _placements(self.after)[self.target]["since"]
        return datetime.fromisoformat(since)

    @property
    def ran(self) -> Revision:
        applied = _placements(self.before)[self.target]["applied"]
        return Revision(CommitId(applied["application"]), CommitId(applied["platform"]))


def removals(found: Sequence[Version]) -> Iterator[tuple[Removal, ...]]:
    """Give each time that a target's objects were taken away, out of versions from the newest on. Pure.

    Of each, every warrant that was told of it, in order: who tells another one later is weighed as well.
    """
    last: dict[str, tuple[Version, State]] = {}
    awaited: dict[str, set[Digest]] = {}
    gone: dict[str, list[Removal]] = {}
    for version in reversed(found):
        for state in version.states:
            for target, one in _placements(state).items():
                if one["lifecycle"] == "active":
                    if target in gone:
                        yield tuple(gone.pop(target))
                        awaited.pop(target, None)
                    if one.get("applied") and not one.get("removal"):
                        last[target] = version, state
                    awaited[target] = plans_awaited(one) or awaited.get(target, set())
                elif target in last or target in gone:
                    known = gone.setdefault(target, [])
                    of, before = last.pop(target) if target in last else (known[0].version, known[0].before)
                    removal = Removal(
                        target=TargetName(target),
                        version=of,
                        before=before,
                        after=state,
                        awaited=frozenset(awaited.get(target, ())),
                    )
                    if removal.told not in [one.told for one in known]:
                        known.append(removal)
    yield from map(tuple, gone.values())


def _placements(state: State) -> dict[str, Any]:
    return {one["target"]: one for one in state.status.get("placements", ())}


async def weigh_removal(
    removal: Removal, placement: PlacementRef, platform: Mirror, head: CommitId, records: Mirror
) -> Doubts:
    """Weigh what is told of a removal. What can't be read is unknown, with its reason."""
    try:
        return await _weighed(removal, placement, platform, head, records)
    except ConvergeError as error:
        return Doubts(unknown=(f"what took it away can't be weighed: {error}",))


async def _weighed(
    removal: Removal, placement: PlacementRef, platform: Mirror, head: CommitId, records: Mirror
) -> Doubts:
    known = await platform.first_parents(head, limit=FURTHEST)
    named = CommitId(removal.told["platform"]) if removal.told else None
    if named is not None and named not in known:
        return foreign(named, known)
    commit = named or await newest_at(platform, known, removal.at)
    if commit is None:
        return Doubts(unknown=(NOT_TOLD,))
    checkout = await checkout_at(platform, commit)
    policy = await _policy(removal, placement, checkout, platform)
    if policy.application.state is InGit.PRESENT:
        what = f"platform commit {commit[:8]}, by which it was taken away, still says it"
        return Doubts((what,)) if named is not None else Doubts(unknown=(what,))
    doubts = await _guarded(removal, placement, policy.application, records)
    if policy.asks or removal.told.get("plan"):
        doubts += await _approved(removal, placement, policy.application, checkout, platform, records)
    return doubts


@dataclass(frozen=True, slots=True)
class _Policy:
    """What it was taken away under; `asks`: that took an approval."""

    application: Application
    asks: bool


async def _policy(removal: Removal, placement: PlacementRef, checkout: Checkout, platform: Mirror) -> _Policy:
    """Find the policy as the controller does: the entry's, else the environment's, else that of what ran before."""
    said = read_platform(checkout.tree)
    entry = fleet_of(said, checkout).entries.get(placement)
    if entry is None:
        earlier_checkout = await checkout_at(platform, removal.ran.platform)
        earlier = read_platform(earlier_checkout.tree)
        entry = fleet_of(earlier, earlier_checkout).entries.get(placement)
        if entry is None:
            raise Stalled(f"platform commit {removal.ran.platform[:8]}, by which it ran, has no {placement}")
        environment = said.environments.get(placement.environment)
        is_there = environment is not None and placement.target in environment.targets
        sync = environment.sync if environment and is_there else entry.application.sync
        application = orphan(placement, sync, said.origin)
    else:
        application = entry.application
    target = entry.target
    is_destroyed = isinstance(target, TerraformTarget) and target.on_destroy is not OnDestroy.AUTO
    asks = application.sync.pending is OnPending.APPROVE
    return _Policy(application, asks or (is_destroyed and application.state is not InGit.ABSENT))


async def _guarded(removal: Removal, placement: PlacementRef, application: Application, records: Mirror) -> Doubts:
    """Say what was deleted past the guards: whole applications go by `state: absent` alone."""
    if application.state is InGit.ABSENT:
        return Doubts()
    before, after = [await records.tree(one.commit, repository=PLATFORM) for one in (removal.before, removal.after)]
    held = await records.compute(lambda: tuple(recorded_contents(BranchFiles(before), placement)))
    guarded = replace(application, state=InGit.PRESENT)
    found = await records.compute(
        lambda: unasked_deletions(placement, held, (), guarded, BranchFiles(after), takes="`state: absent`, said first")
    )
    return Doubts(unknown=(found,) if found else ())


async def _approved(
    removal: Removal,
    placement: PlacementRef,
    application: Application,
    checkout: Checkout,
    platform: Mirror,
    records: Mirror,
) -> Doubts:
    rules, group = application.sync.approvals, placement.group
    told = removal.told.get("plan")
    plans = {Digest(told)} if told else set(removal.awaited) if not removal.told else set()
    if not plans:
        what = "its policy asks for an approval, and its record names no plan: nothing was left to be taken away then"
        return Doubts(unknown=(f"{what}, which can't be told from git",))
    ours = platform, checkout.commit
    authors = frozenset() if rules.by_author else await authors_of(group, removal.ran, None, ours)
    found = await judged(rules, group, checkout, platform, now=removal.at, authors=authors)
    if plans & (found.approved | await reviewed_at(removal.after, rules, group, records, removal.at)):
        return Doubts()
    (plan, *_) = sorted(plans)
    lack = found.lack(plan).what
    where = f"no yes to plan {plan} that counts is in platform commit {checkout.commit[:8]}, by which it was taken away"
    return Doubts((f"its policy asks for an approval, and {where}" + (f": {lack}" if lack else ""),))
