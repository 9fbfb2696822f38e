"""What is remembered of a repository: within bounds, and no longer than it is used."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controller.git.recent import Recent


def test_what_is_used_stays_through_every_age() -> None:
    recent = Recent[bytes](100, len)
    recent.put("used", b"12345")
    recent.put("unused", b"12345")
    for _ in range(5):
        recent.age()
        assert recent.get("used") == b"12345"
    assert "unused" not in recent


def test_what_nobody_asked_for_during_two_ages_is_forgotten() -> None:
    recent = Recent[bytes](100, len)
    recent.put("a", b"1")
    recent.age()
    assert "a" in recent
    recent.age()
    assert recent.get("a") is None


def test_the_oldest_goes_where_there_is_no_room() -> None:
    recent = Recent[bytes](10, len)
    for name in "abc":
        recent.put(name, b"1234")
    assert [name for name in "abc" if name in recent] == ["b", "c"]


def test_a_value_larger_than_the_bound_is_kept_alone() -> None:
    recent = Recent[bytes](10, len)
    recent.put("small", b"1")
    recent.put("large", bytes(100))
    assert recent.get("large") == bytes(100)
    assert "small" not in recent


@given(st.lists(st.sampled_from("abcdefgh") | st.sampled_from(["age", "clear"])))
def test_what_is_kept_is_what_was_put_and_never_over_the_bound(steps: list[str]) -> None:
    recent = Recent[bytes](10, len)
    sizes = {name: index for index, name in enumerate("abcdefgh")}
    for step in steps:
        if step == "age":
            recent.age()
        elif step == "clear":
            recent.clear()
        elif recent.get(step) is None:
            recent.put(step, step.encode() * sizes[step])
        kept = [name for name in sizes if name in recent]
        assert sum(sizes[name] for name in kept) <= 10
        assert all(recent.get(name) in {None, name.encode() * sizes[name]} for name in kept)
