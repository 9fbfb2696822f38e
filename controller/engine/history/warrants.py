"""Weighs what a version was let through by, as the controller did: the same rules, on the same commit, at that time.

A record tells by which warrant its version ran: the plan's hash, and the platform commit in which the yes was found. At
that commit the platform says who must have said yes, and how many; its history tells who did. Where a record has no
warrant (its controller was killed before it could write one, or an older one wrote it), the plans that the records say
it waited for are weighed, at the newest platform commit of that time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from controller.config import read_platform
from controller.engine.approvers import judged
from controller.engine.authors import authors_of
from controller.engine.fleet import Entry, fleet_of
from controller.engine.history.reading import Approved
from controller.engine.history.versions import State, Version
from controller.engine.sources import Checkout
from controller.git import BranchFiles, Mirror
from controller.model import (
    PLATFORM,
    Approvals,
    CommitId,
    ConvergeError,
    Digest,
    GroupRef,
    OnPending,
    PlacementRef,
    Revision,
)
from controller.records import reviewed_plans

FURTHEST: Final = 1_000  # commits of the platform repository
SKEW: Final = timedelta(minutes=5)  # by how much clocks of people and of the controller may differ
PLAN: Final = re.compile(r"the approval of plan ([^\s:;,]+:[0-9a-f]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A version on a target: a state in which it ran, and what ran there before it."""

    placement: PlacementRef
    version: Version
    state: State
    before: Revision | None
    application: Mirror
    approved: Sequence[Approved]  # by their time


@dataclass(frozen=True, slots=True)
class Doubts:
    """Why a version was not let through as its policy says, and why that can't be told."""

    wrong: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def __add__(self, other: Doubts) -> Doubts:
        return Doubts((*self.wrong, *other.wrong), (*self.unknown, *other.unknown))


@dataclass(frozen=True, slots=True)
class Said:
    """What a record says: when the version was there, and by which warrant."""

    at: datetime
    platform: CommitId | None
    plan: Digest | None

    @property
    def has_warrant(self) -> bool:
        return self.platform is not None


async def weigh(case: Case, platform: Mirror, head: CommitId, records: Mirror) -> Doubts:
    """Weigh one version's warrant. Raises Stalled, Transient where a commit that it takes is not to be had."""
    told = _told(case)
    known = await platform.first_parents(head, limit=FURTHEST)
    if not told.has_warrant and not await _was_asked_for(case, platform, known):
        return Doubts()
    if told.platform is not None and told.platform not in known:
        return foreign(told.platform, known)
    commit = told.platform or await newest_at(platform, known, told.at)
    if commit is None:
        return Doubts(unknown=("the platform commit of its time is not in the history that was read",))
    checkout = await checkout_at(platform, commit)
    entry = fleet_of(read_platform(checkout.tree), checkout).entries.get(case.placement)
    if entry is None:
        return Doubts((f"platform commit {commit[:8]}, by which it ran, has no {case.placement}",))
    if entry.application.sync.pending is not OnPending.APPROVE and told.plan is None:
        return Doubts()
    return await _weighed(case, told, entry, checkout, platform, records)


def foreign(commit: CommitId, known: Sequence[CommitId]) -> Doubts:
    """Tell of a record that names a platform commit which is none of these."""
    what = f"its yes was found in platform commit {commit[:8]}, which is not in the platform's history"
    return Doubts(unknown=(f"{what} as far as it was read",)) if len(known) == FURTHEST else Doubts((what,))


async def _was_asked_for(case: Case, platform: Mirror, known: Sequence[CommitId]) -> bool:
    """Tell whether the platform commit of a version asks for approvals; a later one does so of later versions."""
    if case.version.revision.platform not in known:
        return True
    checkout = await checkout_at(platform, case.version.revision.platform)
    entry = fleet_of(read_platform(checkout.tree), checkout).entries.get(case.placement)
    return entry is None or entry.application.sync.pending is OnPending.APPROVE


async def _weighed(
    case: Case, told: Said, entry: Entry, checkout: Checkout, platform: Mirror, records: Mirror
) -> Doubts:
    rules, group = entry.application.sync.approvals, case.placement.group
    plans = {told.plan} if told.plan is not None else _awaited(case)
    if told.has_warrant and not plans:
        what = "its record says that nothing was to be changed on the target, and so nothing to be approved"
        return Doubts(unknown=(f"{what}: that can't be told from git",))
    authors = await _authors(case, rules, checkout, platform)
    found = await judged(rules, group, checkout, platform, now=told.at, authors=authors)
    reviewed = await reviewed_at(case.state, rules, group, records, told.at)
    if plans & (found.approved | reviewed):
        return Doubts()
    if not plans:
        return _by_time(case, frozenset(found.approved))
    (plan, *_) = sorted(plans)
    lack = found.lack(plan).what
    where = f"no yes to plan {plan} that counts is in platform commit {checkout.commit[:8]}, by which it ran"
    return Doubts((f"its policy asks for an approval, and {where}" + (f": {lack}" if lack else "") + _hand(case),))


def _hand(case: Case) -> str:
    """Say who applied it by hand, without that approval."""
    on_target = (one for one in case.version.by_hand if one["target"] == case.placement.target)
    return "".join(f"; {one['by']} applied it by hand at {one['at']}: {one['why']}" for one in on_target)


def _by_time(case: Case, approved: frozenset[Digest]) -> Doubts:
    """Tell of a version of which no record names a plan: a yes from its time that counts is all there is to see."""
    new = {approval.plan for one in case.approved for approval in one.approvals}
    if new & approved:
        return Doubts()
    return Doubts(("its policy asks for an approval, and no commit holds one that counts from its time",))


def _told(case: Case) -> Said:
    applied: Mapping[str, Any] = case.state.placements[case.placement.target]["applied"]
    warrant = applied.get("warrant") or {}
    plan = warrant.get("plan")
    return Said(
        at=datetime.fromisoformat(applied["since"]),
        platform=CommitId(warrant["platform"]) if warrant else None,
        plan=Digest(plan) if plan else None,
    )


def _awaited(case: Case) -> set[Digest]:
    """Name the plans that the placement waited for last, before the version ran."""
    found: set[Digest] = set()
    for state in case.version.states:
        if state.commit == case.state.commit:
            break
        found = plans_awaited(state.placements.get(case.placement.target, {})) or found
    return found


def plans_awaited(placement: Mapping[str, Any]) -> set[Digest]:
    """Name the plans that a placement waits for, as its status tells it."""
    told = (*(one["what"] for one in placement.get("waits", ())), placement.get("reason", ""))
    return {Digest(match[1]) for one in told for match in PLAN.finditer(one)}


async def newest_at(platform: Mirror, known: Sequence[CommitId], at: datetime) -> CommitId | None:
    """Give the newest of these platform commits that was there at a time."""
    for commit in known:
        if (await platform.describe(commit)).committed <= at + SKEW:
            return commit
    return None


async def checkout_at(platform: Mirror, commit: CommitId) -> Checkout:
    """Read the platform as it was at a commit. Raises Stalled, Transient where that is not to be had."""
    tree = await platform.tree(commit, repository=PLATFORM)
    return Checkout(PLATFORM, commit, commit, tree, await platform.describe(commit))


async def _authors(case: Case, rules: Approvals, checkout: Checkout, platform: Mirror) -> frozenset[str]:
    if rules.by_author:
        return frozenset()
    made = (case.application, case.version.revision.application), (platform, checkout.commit)
    return await authors_of(case.placement.group, case.before, *made)


async def reviewed_at(
    state: State, rules: Approvals, group: GroupRef, records: Mirror, at: datetime
) -> frozenset[Digest]:
    """Give the plans that were recorded for branches before: their merge was the yes."""
    if not rules.by_review:
        return frozenset()
    tree = await records.tree(state.commit, repository=PLATFORM)
    return frozenset(await records.compute(lambda: reviewed_plans(BranchFiles(tree), group, now=at)))


async def warranted(case: Case, platform: Mirror, head: CommitId, records: Mirror) -> Doubts:
    """Weigh one version's warrant; what can't be read is unknown, with its reason."""
    try:
        return await weigh(case, platform, head, records)
    except ConvergeError as error:
        return Doubts(unknown=(f"its approval can't be weighed: {error}",))
