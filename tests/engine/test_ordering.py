"""What follows from how an earlier environment stands: pure, from status files as they are recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from controller.engine.history import State, Version
from controller.engine.ordering import Standing, wait_for
from controller.model import ApplicationName, CommitId, EnvironmentName, GroupRef, Revision

STAGING = GroupRef(EnvironmentName("staging"), ApplicationName("shop"))
OLD, WANTED, NEW = CommitId("1" * 40), CommitId("2" * 40), CommitId("3" * 40)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TEN_MINUTES = 600


def text(minutes: int) -> str:
    return (NOON + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def placement(commit: str, *, sync: str = "Synced", health: str = "Healthy", since: int = 0, at: int = 0) -> Any:
    applied = {"application": commit, "platform": "p" * 40, "since": text(at)}
    return {
        "target": "hz",
        "sync": sync,
        "health": health,
        "lifecycle": "active",
        "since": text(since),
        "applied": applied,
    }


def status(*placements: Any) -> dict[str, Any]:
    return {"sync": placements[0]["sync"], "health": placements[0]["health"], "placements": list(placements)}


def standing(now: dict[str, Any] | None, *versions: Version) -> Standing:
    return Standing(group=STAGING, commits=frozenset({WANTED}), status=now, versions=versions)


def waits(found: Standing, minutes: int) -> str:
    wait = wait_for(found, WANTED, seconds=TEN_MINUTES, now=NOON + timedelta(minutes=minutes))
    return wait.what if wait else ""


def ended(until: int, *states: tuple[int, dict[str, Any]]) -> Version:
    told = tuple(State(CommitId("r" * 40), NOON + timedelta(minutes=at), one) for at, one in states)
    revision = Revision(WANTED, CommitId("p" * 40))
    return Version(revision=revision, states=told, until=NOON + timedelta(minutes=until))


def test_the_wait_ends_when_the_time_is_over_and_not_before() -> None:
    found = standing(status(placement(WANTED, since=0)))
    wait = wait_for(found, WANTED, seconds=TEN_MINUTES, now=NOON + timedelta(minutes=9, seconds=59))
    assert wait is not None
    assert wait.until == NOON + timedelta(minutes=10)
    assert waits(found, 10) == ""


def test_the_last_placement_to_become_well_counts() -> None:
    found = standing(status(placement(WANTED, since=0), {**placement(WANTED, since=5), "target": "sh"}))
    assert waits(found, 14)
    assert not waits(found, 15)


def test_a_new_revision_that_was_well_at_once_counts_from_when_it_was_applied() -> None:
    found = standing(status(placement(WANTED, since=-600, at=0)))
    assert waits(found, 9)
    assert not waits(found, 10)


def test_what_is_not_well_now_holds_however_long_it_was() -> None:
    assert "Degraded" in waits(standing(status(placement(WANTED, health="Degraded"))), 600)
    assert "Drifted" in waits(standing(status(placement(WANTED, sync="Drifted"))), 600)


def test_one_placement_at_another_commit_holds() -> None:
    assert waits(standing(status(placement(WANTED), {**placement(OLD), "target": "sh"})), 600)


def test_what_was_never_recorded_holds_and_says_so() -> None:
    assert "it has not run there yet" in waits(standing(None), 600)


def test_a_version_that_ended_well_after_long_enough_has_proven_itself() -> None:
    now = status(placement(NEW))
    good = ended(10, (0, status(placement(WANTED, since=0))))
    assert not waits(standing(now, good), 11)
    assert waits(standing(now, ended(9, (0, status(placement(WANTED, since=0))))), 600)


def test_a_version_that_broke_in_the_end_has_proven_nothing() -> None:
    now = status(placement(NEW))
    broke = ended(60, (0, status(placement(WANTED))), (30, status(placement(WANTED, health="Degraded", since=30))))
    assert waits(standing(now, broke), 600)


def test_the_text_of_a_wait_does_not_tick() -> None:
    found = standing(status(placement(WANTED)))
    assert waits(found, 1) == waits(found, 9)
