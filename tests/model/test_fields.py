from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model import Element, FieldPath, format_path, parse_path

NAMES = st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]))
VALUES = st.text(st.characters(exclude_characters='"]', exclude_categories=["Cs"]), min_size=1) | st.integers()
ELEMENTS = st.lists(st.tuples(NAMES, VALUES | st.booleans()), min_size=1, max_size=3).map(
    lambda keys: Element(tuple(keys))
)


@given(st.lists(NAMES | st.integers() | ELEMENTS).map(tuple))
def test_what_is_read_of_a_written_path_is_written_the_same(path: FieldPath) -> None:
    assert format_path(parse_path(format_path(path))) == format_path(path)


@given(st.lists(NAMES | st.integers()).map(tuple))
def test_a_path_without_elements_comes_back_whole(path: FieldPath) -> None:
    assert parse_path(format_path(path)) == path


def test_an_element_comes_back_without_the_names_of_its_keys() -> None:
    assert parse_path("spec.ports[80,TCP].name") == ("spec", "ports", Element((("", "80"), ("", "TCP"))), "name")


def test_a_quoted_step_may_hold_dots() -> None:
    assert parse_path('metadata.labels["a.b/c"]') == ("metadata", "labels", "a.b/c")


@pytest.mark.parametrize("text", ["spec.", "spec..a", "a[", "a[]", 'a["b', "a]b", "[0]a", 'a["b"]c'])
def test_what_is_no_field_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is no field"):
        parse_path(text)
