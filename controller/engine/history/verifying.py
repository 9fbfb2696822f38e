"""Proves what ran: rendering is pure, so that every recorded version can be rendered again and laid beside its record.

A version is proven when its commits render to exactly what was recorded of it, when its application commit bears the
signature that the platform demanded then, and when the yeses that its policy asked for are in git, as many and by whom
(`warrants.py`; for what was taken away as a whole `removals.py`). It is refuted when any of that is other. What can't
be looked into (a commit that the host has collected, a key that is not here, a deletion that no record explains:
`deleting.py`) is open, with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from controller.engine.fleet import signers_of
from controller.engine.history.deleting import unasked_deletions
from controller.engine.history.reading import Approved
from controller.engine.history.removals import Removal, removals, weigh_removal
from controller.engine.history.rendering import PastRender, render_at
from controller.engine.history.versions import State, Version
from controller.engine.history.warrants import Case, Doubts, warranted
from controller.engine.preparing import Workshop
from controller.engine.render_requests import wires_of
from controller.git import BranchFiles, Mirror, Mirrors
from controller.model import PLATFORM, CommitId, ConvergeError, GroupRef, PlacementRef, Revision, Stalled, TargetName
from controller.records import recorded_contents, rendered_contents

UNKNOWN_CLUSTER = "it is a chart, which may ask what its cluster serves, and that is not recorded"
UNKNOWN_VERSION = "it follows a range of a chart's versions, which may have led elsewhere then"

UNKNOWN_OUTPUTS = "it takes in what a terraform target gives out, and that is not recorded"


class Verdict(StrEnum):
    PROVEN = "proven"
    REFUTED = "refuted"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Proof:
    """One version on one target, or when it was taken away there; `reasons` say why that is not proven."""

    placement: PlacementRef
    version: Version
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    removed: datetime | None = None

    @property
    def at(self) -> datetime:
        return self.removed or self.version.since


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the commits are."""

    platform: Mirror
    records: Mirror
    mirrors: Mirrors
    workshop: Workshop | None = None


async def prove(
    group: GroupRef,
    found: Sequence[Version],
    approved: Sequence[Sequence[Approved]],
    sources: Sources,
    *,
    head: CommitId,
) -> tuple[Proof, ...]:
    """Prove every applied version of a group, and when it was taken away, newest first.

    `approved` are the approvals of each version, by their time. `head` is the platform's newest commit: what warrants a
    version must be in its history.
    """
    proofs: list[Proof] = []
    past: dict[TargetName, _Past] = {}
    for version, yeses in reversed(list(zip(found, approved, strict=True))):
        for target in map(TargetName, version.targets):
            states = applied_states(version, target)
            if not states:
                continue
            placement = PlacementRef(group.environment, group.application, target)
            before = past.setdefault(target, _Past())
            claim = _Claim(placement, version, states, before.ran, tuple(yeses))
            proofs.append(await _proof(claim, sources, head, before))
            before.ran = version.revision
    proofs.reverse()
    proofs += [await _removed(told, group, sources, head) for told in removals(found)]
    return tuple(sorted(proofs, key=lambda one: one.at, reverse=True))


async def _removed(told: Sequence[Removal], group: GroupRef, sources: Sources, head: CommitId) -> Proof:
    (first, *_), doubts = told, Doubts()
    placement = PlacementRef(group.environment, group.application, first.target)
    for one in told:
        doubts += await weigh_removal(one, placement, sources.platform, head, sources.records)
    verdict, reasons = _verdict(doubts.wrong, doubts.unknown), (*doubts.wrong, *doubts.unknown)
    return Proof(placement, first.version, verdict, reasons, first.after.at)


def applied_states(version: Version, target: TargetName) -> tuple[State, ...]:
    """Give the states in which the target ran the version, in order."""
    wanted = {"application": version.revision.application, "platform": version.revision.platform}
    return tuple(
        state
        for state in version.states
        if (applied := state.placements.get(target, {}).get("applied"))
        and all(applied.get(name) == commit for name, commit in wanted.items())
    )


@dataclass(slots=True)
class _Past:
    """What is known of a target's earlier versions: what they rendered, by key, and what was recorded of the last."""

    older: dict[str, set[str]] = field(default_factory=dict)
    recorded: tuple[str, ...] = ()
    ran: Revision | None = None


@dataclass(frozen=True, slots=True)
class _Claim:
    """That a version ran on a target; `before` is what ran there until then, as far as that was read."""

    placement: PlacementRef
    version: Version
    states: tuple[State, ...]
    before: Revision | None
    approved: tuple[Approved, ...]


async def _proof(claim: _Claim, sources: Sources, head: CommitId, past: _Past) -> Proof:
    placement, version = claim.placement, claim.version
    try:
        render = await render_at(
            sources.platform, sources.mirrors, placement, version.revision, workshop=sources.workshop
        )
        wanted = rendered_contents(render.desired.manifests, placement)
        tree = await sources.records.tree(claim.states[-1].commit, repository=PLATFORM)
        recorded = await sources.records.compute(lambda: recorded_contents(BranchFiles(tree), placement))
        content = tuple(differences_of(recorded, wanted, past.older))
        before, past.recorded = past.recorded, tuple(recorded)
        doubts = Doubts(unknown=await _unasked(claim, render, sources, (before, past.recorded)))
        for case in _cases(claim, render):
            doubts += await warranted(case, sources.platform, head, sources.records)
        wrong = (*doubts.wrong, *await _unsigned(render, version))
    except ConvergeError as error:
        return Proof(placement, version, Verdict.OPEN, (str(error),))
    unrecorded = [UNKNOWN_CLUSTER] if render.asks_cluster else []
    unrecorded += [UNKNOWN_VERSION] if render.follows else []
    unrecorded += [UNKNOWN_OUTPUTS] if render.desired.takes or wires_of(render.entry, {}) else []
    if content and unrecorded:
        doubts = replace(doubts, unknown=(*doubts.unknown, *content, *unrecorded))
    else:
        wrong = (*content, *wrong)
        for key, one in wanted.items():
            past.older.setdefault(key, set()).add(one)
    return Proof(placement, version, _verdict(wrong, doubts.unknown), (*wrong, *doubts.unknown))


def _verdict(wrong: Sequence[str], unknown: Sequence[str]) -> Verdict:
    return Verdict.REFUTED if wrong else Verdict.OPEN if unknown else Verdict.PROVEN


async def _unasked(
    claim: _Claim, render: PastRender, sources: Sources, recorded: tuple[tuple[str, ...], tuple[str, ...]]
) -> tuple[str, ...]:
    """Say whether it deleted what takes a yes, and had none. A yes to its plan is weighed with its warrant."""
    placement = claim.placement
    if any((one.placements[placement.target]["applied"].get("warrant") or {}).get("plan") for one in claim.states):
        return ()
    tree = await sources.records.tree(claim.states[-1].commit, repository=PLATFORM)
    found = await sources.records.compute(
        lambda: unasked_deletions(placement, *recorded, render.entry.application, BranchFiles(tree))
    )
    return (found,) if found else ()


def _cases(claim: _Claim, render: PastRender) -> Iterator[Case]:
    """Give each warrant that is told of a version: the first state that tells it."""
    told = []
    for state in claim.states:
        warrant = state.placements[claim.placement.target]["applied"].get("warrant")
        if warrant in told:
            continue
        told.append(warrant)
        yield Case(
            placement=claim.placement,
            version=claim.version,
            state=state,
            before=claim.before,
            application=render.application,
            approved=claim.approved,
        )


def differences_of(
    recorded: Mapping[str, str], rendered: Mapping[str, str], older: Mapping[str, set[str]]
) -> Iterator[str]:
    """Say where a record is other than the render. What an earlier version left running is as that rendered it."""
    for key, content in sorted(recorded.items()):
        if key not in rendered:
            if content not in older.get(key, ()):
                yield f"{key} was recorded, and no commit says it"
        elif rendered[key] != content:
            yield f"{key} was recorded with other content than its commits render to"
    for key in sorted(rendered.keys() - recorded.keys()):
        yield f"{key} is in its commits, and was not recorded"


async def _unsigned(render: PastRender, version: Version) -> list[str]:
    signers = signers_of(render.fleet, render.entry.repository)
    commit = version.revision.application
    try:
        if signers.ssh:
            await render.application.verify(commit, signers.ssh, kind="ssh")
        if signers.gpg:
            await render.application.verify(commit, signers.gpg, kind="gpg")
    except Stalled as error:
        return [str(error)]
    return []
