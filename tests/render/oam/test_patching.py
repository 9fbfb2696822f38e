"""KubeVela's ways of merging a trait's patch, each by what it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model import Stalled
from controller.render.oam.patching import Each, Patch, Yielding, apply_patch, json_merge

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=3), JSON, max_size=4)


@given(OBJECTS)
def test_what_is_patched_with_itself_stays(body: object) -> None:
    assert apply_patch(body, Patch(body)) == body


@given(OBJECTS)
def test_a_patch_of_nothing_changes_nothing(body: object) -> None:
    assert apply_patch(body, Patch({})) == body
    assert json_merge(body, {}) == body


def test_elements_meet_by_key_and_new_ones_are_added() -> None:
    patch = Patch({"c": [{"name": "new"}, {"name": "b", "x": 1}]}, keys={"c": "name"})
    assert apply_patch({"c": [{"name": "a"}, {"name": "b"}]}, patch) == {
        "c": [{"name": "a"}, {"name": "b", "x": 1}, {"name": "new"}]
    }


def test_a_key_holds_for_the_lists_inside() -> None:
    base = {"c": [{"name": "a", "env": [{"name": "X", "value": "1"}]}]}
    patch = Patch({"c": [{"name": "a", "env": [{"name": "Y", "value": "2"}]}]}, keys={"c": "name"})
    found = apply_patch(base, patch)
    assert [one["name"] for one in found["c"][0]["env"]] == ["X", "Y"]


def test_elements_without_the_key_meet_by_position() -> None:
    patch = Patch({"c": [{"x": 1}]}, keys={"c": "name"})
    assert apply_patch({"c": [{"name": "a"}]}, patch) == {"c": [{"name": "a", "x": 1}]}


def test_a_shorter_list_contradicts_a_longer_one_unless_it_is_open() -> None:
    base = {"c": [{"name": "a"}, {"name": "b"}]}
    with pytest.raises(Stalled, match="has 2 elements already"):
        apply_patch(base, Patch({"c": [{"x": 1}]}))
    assert apply_patch(base, Patch({"c": [{"x": 1}]}, opened=frozenset({"c"})))["c"][0] == {"name": "a", "x": 1}


def test_a_scalar_that_is_another_already_is_a_contradiction() -> None:
    with pytest.raises(Stalled, match=r'a\.b is "1" already, and can\'t be "2" too'):
        apply_patch({"a": {"b": 1}}, Patch({"a": {"b": 2}}))


def test_true_is_not_one() -> None:
    with pytest.raises(Stalled, match="already"):
        apply_patch({"a": True}, Patch({"a": 1}))


def test_replaced_and_retained_fields_take_the_others_place() -> None:
    patch = Patch({"l": [3], "m": {"b": 2}}, replaced=frozenset({"l"}), retained=frozenset({"m"}))
    assert apply_patch({"l": [1, 2], "m": {"a": 1}}, patch) == {"l": [3], "m": {"b": 2}}


def test_a_patch_of_each_element_reaches_all() -> None:
    assert apply_patch({"c": [{"n": 1}, {"n": 2}]}, Patch({"c": Each({"x": 0})})) == {
        "c": [{"n": 1, "x": 0}, {"n": 2, "x": 0}]
    }
    assert apply_patch({}, Patch({"c": Each({"x": 0})})) == {"c": []}


def test_a_default_yields_to_what_is_there() -> None:
    patch = Patch({"v": [{"name": Yielding("workdir"), "emptyDir": {}}]}, keys={"v": "name"})
    assert apply_patch({}, patch) == {"v": [{"name": "workdir", "emptyDir": {}}]}
    assert apply_patch({"v": [{"name": "data"}]}, patch) == {"v": [{"name": "data", "emptyDir": {}}]}
