"""A verdict of an earlier process holds for the very state that it was about, and for no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model import ObjectKey
from controller.targets.kubernetes.seeing import Sight
from controller.targets.kubernetes.store import Store
from controller.targets.kubernetes.verdicts import Verdicts
from tests.targets.kubernetes.test_store import SHOP, WHO, sight

SIGHTS = st.builds(sight, st.integers(1, 3), st.sampled_from(["1", "2"]), uid=st.sampled_from(["u", "v"]))


def after_a_restart(path: Path, shown: Sight, *, who: str = "me") -> bool:
    """Tell whether a new process still suspects what it is shown first."""
    store = Store(WHO, verdicts=Verdicts(path, who))
    store.take(shown)
    return store.members(SHOP)[0].is_suspect


@given(judged=SIGHTS, shown=SIGHTS)
def test_it_holds_for_the_same_object_at_the_same_version_with_the_same_content(
    tmp_path_factory: pytest.TempPathFactory, judged: Sight, shown: Sight
) -> None:
    path = tmp_path_factory.mktemp("kept") / "verdicts"
    before = Store(WHO)
    before.applied(judged)
    Verdicts(path, "me").write(before.judged())
    is_same = (judged.uid, judged.resource_version, judged.substance) == (
        shown.uid,
        shown.resource_version,
        shown.substance,
    )
    assert after_a_restart(path, shown) is not is_same
    assert after_a_restart(path, shown, who="somebody else")
    assert after_a_restart(path, replace(shown, api_version="v2"))
    assert after_a_restart(path, replace(shown, is_terminating=True))


def test_what_moved_is_compared_with_the_state_that_was_judged_before_the_restart(tmp_path: Path) -> None:
    before = Store(WHO)
    before.applied(sight(1, "ours"))
    Verdicts(tmp_path / "v", "me").write(before.judged())
    store = Store(WHO, verdicts=Verdicts(tmp_path / "v", "me"))
    store.take(sight(1, "ours"))
    store.take(sight(2, "theirs"))
    assert store.members(SHOP)[0].is_suspect
    store.take(sight(3, "ours"))
    assert not store.members(SHOP)[0].is_suspect


def test_a_suspect_and_a_secret_are_not_spoken_of(tmp_path: Path) -> None:
    before = Store(WHO)
    before.take(sight(1))
    Verdicts(tmp_path / "v", "me").write(before.judged())
    assert (tmp_path / "v").read_bytes() == b""
    before.applied(sight(2))
    ((member, substance),) = before.judged()
    secret = replace(member, key=ObjectKey("", "Secret", "ns", "a"))
    Verdicts(tmp_path / "v", "me").write([(secret, substance)])
    assert (tmp_path / "v").read_bytes() == b""


def test_a_file_that_is_missing_or_damaged_holds_no_verdict(tmp_path: Path) -> None:
    before = Store(WHO)
    before.applied(sight(1))
    verdicts = Verdicts(tmp_path / "v", "me")
    verdicts.write(before.judged())
    whole = (tmp_path / "v").read_bytes()
    for spoiled in (b"", whole[1:], whole[:-1], whole[::-1]):
        (tmp_path / "v").write_bytes(spoiled)
        assert after_a_restart(tmp_path / "v", sight(1))
    (tmp_path / "v").unlink()
    assert after_a_restart(tmp_path / "v", sight(1))
    assert not Verdicts(None, "me").holds(sight(1))
