"""The algebra of field sets keeps the laws of sets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controller.sandbox.cluster.fieldset import (
    FieldSet,
    difference,
    insert,
    intersection,
    ordered,
    paths,
    union,
    without,
)

STEPS = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', "v:1"])
PATHS = st.sets(st.lists(STEPS, min_size=1, max_size=3).map(tuple), max_size=8)


def made(members: set[tuple[str, ...]]) -> FieldSet:
    root: FieldSet = {}
    for path in sorted(members):
        insert(root, path)
    return root


def shuffled(members: set[tuple[str, ...]]) -> FieldSet:
    root: FieldSet = {}
    for path in sorted(members, reverse=True):
        insert(root, path)
    return root


@given(PATHS)
def test_a_set_holds_what_was_put_in(members: set[tuple[str, ...]]) -> None:
    assert set(paths(made(members))) == members


@given(PATHS)
def test_the_order_of_putting_in_is_irrelevant(members: set[tuple[str, ...]]) -> None:
    assert ordered(made(members)) == ordered(shuffled(members))


@given(PATHS, PATHS)
def test_union_intersection_and_difference_are_those_of_sets(a: set[tuple[str, ...]], b: set[tuple[str, ...]]) -> None:
    assert set(paths(union(made(a), made(b)))) == a | b
    assert set(paths(intersection(made(a), made(b)))) == a & b
    assert set(paths(difference(made(a), made(b)))) == a - b


@given(PATHS, PATHS)
def test_without_takes_what_is_below_too(a: set[tuple[str, ...]], b: set[tuple[str, ...]]) -> None:
    left = {path for path in a if not any(path[: len(gone)] == gone for gone in b)}
    assert set(paths(without(made(a), made(b)))) == left


@given(PATHS, PATHS)
def test_no_operation_changes_its_operands(a: set[tuple[str, ...]], b: set[tuple[str, ...]]) -> None:
    one, other = made(a), made(b)
    for operation in (union, intersection, difference, without):
        operation(one, other)
    assert (one, other) == (made(a), made(b))
