"""The marks on our objects."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.model import Element
from controller.targets.kubernetes.marking import footprint, was_named
from tests.targets.kubernetes.placing import deployment

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
bodies = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(names, below, max_size=4),
    max_leaves=20,
)


def test_a_footprint_knows_the_fields_of_its_body_whatever_list_they_are_in() -> None:
    print_ = footprint(deployment("web", "x"))
    element = Element((("name", "web"),))
    assert was_named(print_, ("spec", "replicas"))
    assert was_named(print_, ("spec", "template", "spec", "containers", element, "image"))
    assert not was_named(print_, ("spec", "paused"))
    assert not was_named(print_, ("spec", "template", "spec", "containers", element, "resources"))


@given(bodies, names)
def test_what_a_body_names_at_its_top_is_in_its_footprint(value: Any, name: str) -> None:
    assert was_named(footprint({name: value}), (name,))


def test_a_footprint_is_small_and_holds_no_value() -> None:
    print_ = footprint({"data": {"password": "canary"}})
    assert print_ == footprint({"data": {"password": "other"}})
    assert len(base64.b64decode(footprint(deployment("web", "x")))) < 90


def test_what_is_no_footprint_names_nothing() -> None:
    assert not was_named("", ("data",))
    assert not was_named("no base64!", ("data",))
