"""Versions out of the states that a status file had."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.engine.history.versions import State, Version, is_version, pick, version_to_roll_back_to, versions
from controller.model import CommitId, Revision, Stalled

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def commit(letter: str) -> CommitId:
    return CommitId(letter * 40)


def placement(
    letters: str, sync: str = "Synced", health: str = "Healthy", *, applied: str | None = None, target: str = "home"
) -> Mapping[str, Any]:
    """Give a placement's record; `letters` are its application's and its platform's commit."""
    revision = {"application": commit(letters[0]), "platform": commit(letters[1])}
    ran = letters if applied is None else applied
    found: dict[str, Any] = {
        "target": target,
        "lifecycle": "active",
        "sync": sync,
        "health": health,
        "revision": revision,
    }
    if ran:
        found["applied"] = {"application": commit(ran[0]), "platform": commit(ran[1])}
    return found


def history(*states: Mapping[str, Any] | list[Mapping[str, Any]]) -> tuple[Version, ...]:
    """Give the versions of states that were told a minute apart."""
    told = [one if isinstance(one, list) else [one] for one in states]
    return versions(
        State(CommitId(f"{number:040x}"), NOON + timedelta(minutes=number), {"placements": some})
        for number, some in enumerate(told)
    )


def names(found: tuple[Version, ...]) -> list[str]:
    return [one.revision.application[0] + one.revision.platform[0] for one in found]


def test_a_version_begins_with_a_revision_that_is_told_first_and_ends_with_the_next() -> None:
    found = history(placement("ap", health="Progressing"), placement("ap"), placement("bp"), placement("bq"))
    assert names(found) == ["bq", "bp", "ap"]
    assert [(one.since - NOON).seconds // 60 for one in found] == [3, 2, 0]
    assert [one.until for one in found] == [None, found[0].since, found[1].since]
    assert [one.seconds for one in found] == [None, None, 60.0]


def test_a_version_of_several_targets_is_good_when_all_are() -> None:
    home, away = placement("ap"), placement("ap", target="away")
    moved = placement("bp", target="away", health="Progressing")
    found = history([home, away], [placement("bp"), away], [placement("bp"), moved])
    assert names(found) == ["bp", "ap"]
    assert found[0].targets == ("away", "home")
    assert [one.is_good for one in found] == [False, True]


@pytest.mark.parametrize(
    ("states", "is_good"),
    [
        ([placement("ap")], True),
        ([placement("ap", "Drifted")], True),
        ([placement("ap", "Failed")], False),
        ([placement("ap", health="Degraded"), placement("ap")], True),
        ([placement("ap"), placement("ap", health="Degraded")], False),
        ([placement("ap", "AwaitingApproval", applied="zp")], False),
        ([placement("ap", applied="")], False),
        ([placement("ap", "Unknown", "Unknown")], False),
    ],
    ids=["in order", "edited", "failed", "recovered", "broke later", "not approved", "never applied", "not seen"],
)
def test_a_good_version_ran_and_ended_in_order(states: list[Mapping[str, Any]], *, is_good: bool) -> None:
    assert history(*states)[0].is_good is is_good


def test_rolling_back_skips_bad_versions_and_those_of_the_same_commit() -> None:
    found = history(
        placement("ap"), placement("bp"), placement("cp", health="Degraded"), placement("dp", "Failed"),
        placement("dq", "Failed"),
    )  # fmt: skip
    assert version_to_roll_back_to(found, not_at=frozenset({commit("d")})).revision.application == commit("b")
    further = version_to_roll_back_to(found, not_at=frozenset({commit("d"), commit("b")}))
    assert further.revision.application == commit("a")
    with pytest.raises(Stalled, match="no earlier version"):
        version_to_roll_back_to(found, not_at=frozenset(map(commit, "abd")))


def test_a_version_is_picked_by_its_number_or_its_commits() -> None:
    found = history(placement("ap"), placement("bp"), placement("bc"))
    assert names((pick(found, "0"), pick(found, "2"))) == ["bc", "ap"]
    assert names((pick(found, "bbbbbbb"), pick(found, "bbbbbbbb+p"), pick(found, commit("a")))) == ["bc", "bp", "ap"]
    for unknown in ("3", "bbb", "ddddddd", "bbbbbbb+d"):
        with pytest.raises(Stalled, match="version"):
            pick(found, unknown)


@pytest.mark.parametrize(("text", "is_one"), [("0", True), ("12", True), ("abcdef1", True), ("abcdef1+2", True),
                                              ("prod", False), ("prod/shop", False), ("abc", False)])  # fmt: skip
def test_what_names_a_version(text: str, *, is_one: bool) -> None:
    assert is_version(text) is is_one


REVISIONS = st.lists(st.sampled_from(["ap", "bp", "bq", "cq"]), min_size=1, max_size=12)


@given(REVISIONS)
def test_every_change_of_the_revision_is_a_version_and_nothing_else(told: list[str]) -> None:
    found = history(*map(placement, told))
    runs = [one for number, one in enumerate(told) if number == 0 or told[number - 1] != one]
    assert names(found) == runs[::-1]
    assert sum(len(one.states) for one in found) == len(told)
    assert all(isinstance(one.revision, Revision) for one in found)
