"""Proves what ran: rendering is pure, so that every recorded version can be rendered again and laid beside its record.

A version is proven when its commits render to exactly what was recorded of it, when its application commit bears the
signature that the platform demanded then, and when an approval is in git where its policy asked for one. It is refuted
when any of that is other. What can't be looked into (a commit that the host has collected, a key that is not here) is
open, with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from controller.engine.fleet import Entry, signers_of
from controller.engine.history.reading import Approved
from controller.engine.history.rendering import PastRender, render_at
from controller.engine.history.versions import State, Version
from controller.engine.preparing import Workshop
from controller.git import BranchFiles, Mirror, Mirrors
from controller.model import PLATFORM, ConvergeError, GroupRef, OnPending, PlacementRef, Stalled, TargetName
from controller.records import recorded_contents, rendered_contents

UNKNOWN_CLUSTER = "it is a chart, which may ask what its cluster serves, and that is not recorded"


class Verdict(StrEnum):
    PROVEN = "proven"
    REFUTED = "refuted"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Proof:
    """One version on one target: `reasons` say why it is not proven."""

    placement: PlacementRef
    version: Version
    verdict: Verdict
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the commits are."""

    platform: Mirror
    records: Mirror
    mirrors: Mirrors
    workshop: Workshop | None = None


async def prove(
    group: GroupRef, found: Sequence[Version], approved: Sequence[Sequence[Approved]], sources: Sources
) -> tuple[Proof, ...]:
    """Prove every applied version of a group, newest first; `approved` are the approvals of each."""
    proofs: list[Proof] = []
    older: dict[TargetName, dict[str, set[str]]] = {}  # by target, what earlier versions rendered, by key
    for version, yeses in reversed(list(zip(found, approved, strict=True))):
        for target in map(TargetName, version.targets):
            state = applied_state(version, target)
            if state is not None:
                placement = PlacementRef(group.environment, group.application, target)
                seen = older.setdefault(target, {})
                proofs.append(await _proof(placement, version, state, yeses, sources, seen))
    return tuple(reversed(proofs))


def applied_state(version: Version, target: TargetName) -> State | None:
    """Give the last state in which the target ran the version."""
    wanted = {"application": version.revision.application, "platform": version.revision.platform}
    for state in reversed(version.states):
        applied = state.placements.get(target, {}).get("applied") or {}
        if all(applied.get(name) == commit for name, commit in wanted.items()):
            return state
    return None


async def _proof(
    placement: PlacementRef,
    version: Version,
    state: State,
    yeses: Sequence[Approved],
    sources: Sources,
    older: dict[str, set[str]],
) -> Proof:
    try:
        render = await render_at(
            sources.platform, sources.mirrors, placement, version.revision, workshop=sources.workshop
        )
        wanted = rendered_contents(render.desired.manifests, placement)
        tree = await sources.records.tree(state.commit, repository=PLATFORM)
        recorded = await sources.records.compute(lambda: recorded_contents(BranchFiles(tree), placement))
        wrong = [*differences_of(recorded, wanted, older), *_unapproved(render.entry, yeses)]
        wrong += await _unsigned(render, version)
    except ConvergeError as error:
        return Proof(placement, version, Verdict.OPEN, (str(error),))
    if wrong and render.asks_cluster:
        return Proof(placement, version, Verdict.OPEN, (*wrong, UNKNOWN_CLUSTER))
    for key, content in wanted.items():
        older.setdefault(key, set()).add(content)
    return Proof(placement, version, Verdict.REFUTED if wrong else Verdict.PROVEN, tuple(wrong))


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


def _unapproved(entry: Entry, yeses: Sequence[Approved]) -> Iterator[str]:
    if entry.application.sync.pending is OnPending.APPROVE and not yeses:
        yield "its policy asks for an approval, and no commit holds one from its time"


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
