"""What ran of a group, version by version, out of the states that its status file had. Pure.

A version begins when a placement first tells a revision that it did not tell before, and lasts until another one
begins. What does not change a group's objects is no version of it: its status keeps the older revision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from controller.model import CommitId, Health, Revision, Stalled, SyncStatus

FITTING: Final = 7  # digits of a commit that name it
GOOD_SYNC: Final = frozenset({SyncStatus.SYNCED, SyncStatus.DRIFTED, SyncStatus.SUSPENDED})
GOOD_HEALTH: Final = frozenset({Health.HEALTHY, Health.SUSPENDED})


@dataclass(frozen=True, slots=True)
class State:
    """A group's status file at a commit of the records branch."""

    commit: CommitId
    at: datetime
    status: Mapping[str, Any]

    @property
    def placements(self) -> Mapping[str, Mapping[str, Any]]:
        """Give what is told of each placement that was not taken down, by target."""
        return {one["target"]: one for one in self.status.get("placements", ()) if one.get("lifecycle") == "active"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """`states` is all that was told while it was the newest, in order."""

    revision: Revision
    states: tuple[State, ...]
    until: datetime | None = None  # when the next one began

    @property
    def since(self) -> datetime:
        return self.states[0].at

    @property
    def last(self) -> State:
        return self.states[-1]

    @property
    def source(self) -> Mapping[str, str]:
        """Say which branch it was of, and the subject and author of its commit."""
        told = [one for state in self.states for one in state.placements.values() if _revision(one) == self.revision]
        return next((one["source"] for one in told if one.get("source")), {})

    @property
    def targets(self) -> tuple[str, ...]:
        """Name the targets that it concerned."""
        told = {
            target
            for state in self.states
            for target, one in state.placements.items()
            if _revision(one) == self.revision
        }
        return tuple(sorted(told))

    @property
    def by_hand(self) -> tuple[Mapping[str, Any], ...]:
        """Tell each time that somebody applied it by hand: target, who, when, why and past what."""
        told: list[Mapping[str, Any]] = []
        for state in self.states:
            for target, one in state.placements.items():
                hand = one.get("byHand")
                if hand and _revision_in(hand) == self.revision and {"target": target, **hand} not in told:
                    told.append({"target": target, **hand})
        return tuple(told)

    @property
    def was_applied(self) -> bool:
        return any(
            _revision_in(one.get("applied")) == self.revision
            for state in self.states
            for one in state.placements.values()
        )

    @property
    def is_good(self) -> bool:
        """Tell whether it ran, and ended (or stands) in order. A version that broke later is none to go back to."""
        return self.was_applied and _is_good(self.last)

    @property
    def seconds(self) -> float | None:
        """How long from its first news until all was Synced and Healthy; None where that is not known."""
        found = next((one.at for one in self.states if _is_good(one)), None)
        return None if found is None or found == self.since else (found - self.since).total_seconds()


@dataclass(slots=True)
class _Run:
    revision: Revision
    states: list[State] = field(default_factory=list)


def versions(states: Iterable[State]) -> tuple[Version, ...]:
    """Give the versions, newest first, out of states in their order."""
    runs: list[_Run] = []
    told: dict[str, Revision] = {}
    for state in states:
        for target, placement in state.placements.items():
            revision = _revision(placement)
            if revision is None or told.get(target) == revision:
                continue
            told[target] = revision
            if not runs or runs[-1].revision != revision:
                runs.append(_Run(revision))
        if runs:
            runs[-1].states.append(state)
    return _with_ends([run for run in runs if run.states])


def _with_ends(runs: Sequence[_Run]) -> tuple[Version, ...]:
    found: list[Version] = []
    for run in reversed(runs):
        version = Version(revision=run.revision, states=tuple(run.states))
        found.append(replace(version, until=found[-1].since) if found else version)
    return tuple(found)


def pick(found: Sequence[Version], wanted: str) -> Version:
    """Find a version by how far back it is (`0` is the newest) or by its commits. Raises Stalled.

    A commit is the beginning of the application's, or of both, as `APPLICATION+PLATFORM`.
    """
    if wanted.isdecimal() and len(wanted) < FITTING:
        if int(wanted) < len(found):
            return found[int(wanted)]
        raise Stalled(f"there is no version {wanted}: the history that was read has {len(found)}, from 0")
    application, _, platform = wanted.partition("+")
    fitting = [
        one
        for one in found
        if one.revision.application.startswith(application) and one.revision.platform.startswith(platform)
    ]
    if len(application) < FITTING or not fitting:
        raise Stalled(f"{wanted}: no version has this commit. `converge history` lists them; {FITTING} digits will do")
    return fitting[0]


def is_version(text: str) -> bool:
    """Tell whether a text can be the name of a version, which nothing with a slash is."""
    application, _, platform = text.partition("+")
    return text.isdecimal() or (
        len(application) >= FITTING and all(one in "0123456789abcdef" for one in application + platform)
    )


def version_to_roll_back_to(found: Sequence[Version], *, not_at: frozenset[CommitId]) -> Version:
    """Find the newest version that was in order and is at none of these commits of the application. Raises Stalled."""
    for one in found:
        if one.is_good and one.revision.application not in not_at:
            return one
    raise Stalled(
        "the history that was read has no earlier version that ran and was in order, at another commit of the "
        "application. Name one: `converge history` lists them"
    )


def _is_good(state: State) -> bool:
    return bool(state.placements) and all(
        SyncStatus(one["sync"]) in GOOD_SYNC
        and Health(one["health"]) in GOOD_HEALTH
        and _revision_in(one.get("applied")) == _revision(one)
        for one in state.placements.values()
    )


def _revision(placement: Mapping[str, Any]) -> Revision | None:
    return _revision_in(placement.get("revision"))


def _revision_in(value: Mapping[str, str] | None) -> Revision | None:
    return Revision(CommitId(value["application"]), CommitId(value["platform"])) if value else None
