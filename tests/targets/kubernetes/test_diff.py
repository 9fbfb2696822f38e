"""Field by field, what differs between two states of an object."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model import ABSENT, format_path
from controller.targets.kubernetes.diff import difference, shape_of

PORT = 'k:{"containerPort":80,"protocol":"TCP"}'
MANAGED: list[dict[str, Any]] = [
    {
        "manager": "converge",
        "fieldsV1": {
            "f:spec": {
                "f:containers": {'k:{"name":"web"}': {".": {}, "f:image": {}, "f:ports": {PORT: {".": {}}}}},
                "f:args": {},
                "f:tags": {'v:"a"': {}},
            }
        },
    }
]


def differences(live: dict[str, Any], answer: dict[str, Any]) -> dict[str, tuple[object, object]]:
    found = difference(live, answer, shape_of(MANAGED))
    return {format_path(one.path): (one.before, one.after) for one in found}


@pytest.mark.parametrize(
    ("live", "answer", "expected"),
    [
        ({"data": {"x": "1"}}, {"data": {"x": "1"}}, {}),
        ({"data": {"x": "1"}}, {"data": {"x": "2"}}, {"data.x": ("1", "2")}),
        ({}, {"data": {"x": "2"}}, {"data.x": (ABSENT, "2")}),
        ({"data": {"x": "1"}}, {}, {"data.x": ("1", ABSENT)}),
        ({"spec": {"a": None}}, {"spec": {}}, {"spec.a": (None, ABSENT)}),
        ({"spec": {"a": {}}}, {"spec": {}}, {}),
        ({"status": {"x": 1}}, {"status": {"x": 2}}, {}),
        ({"metadata": {"uid": "1", "generation": 1}}, {"metadata": {"uid": "2", "generation": 2}}, {}),
        (
            {"metadata": {"annotations": {"converge/digest": "1", "a": "1"}}},
            {"metadata": {"annotations": {"converge/digest": "2", "a": "2"}}},
            {"metadata.annotations.a": ("1", "2")},
        ),
        ({}, {"metadata": {"annotations": {"converge/digest": "2"}}}, {}),
        (
            {"spec": {"containers": [{"name": "x", "image": "1"}, {"name": "web", "image": "1"}]}},
            {"spec": {"containers": [{"name": "x", "image": "1"}, {"name": "web", "image": "2"}]}},
            {"spec.containers[web].image": ("1", "2")},
        ),
        (
            {"spec": {"containers": [{"name": "web"}]}},
            {"spec": {"containers": [{"name": "web"}, {"name": "new"}]}},
            {"spec.containers[new]": (ABSENT, {"name": "new"})},
        ),
        (
            {"spec": {"containers": [{"name": "other", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}},
            {"spec": {"containers": [{"name": "other", "ports": [{"containerPort": 81, "protocol": "TCP"}]}]}},
            {
                "spec.containers[other].ports[80,TCP]": ({"containerPort": 80, "protocol": "TCP"}, ABSENT),
                "spec.containers[other].ports[81,TCP]": (ABSENT, {"containerPort": 81, "protocol": "TCP"}),
            },
        ),
        (
            {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}},
            {"spec": {"containers": [{"name": "b"}, {"name": "a"}]}},
            {"spec.containers": ([{"name": "a"}, {"name": "b"}], [{"name": "b"}, {"name": "a"}])},
        ),
        ({"spec": {"args": ["a", "b"]}}, {"spec": {"args": ["b"]}}, {"spec.args": (["a", "b"], ["b"])}),
        ({"spec": {"tags": ["a", "b"]}}, {"spec": {"tags": ["a"]}}, {"spec.tags[b]": ("b", ABSENT)}),
        (
            {"spec": {"containers": [{"name": "a"}, {"name": "a"}]}},
            {"spec": {"containers": [{"name": "a"}]}},
            {"spec.containers": ([{"name": "a"}, {"name": "a"}], [{"name": "a"}])},
        ),
    ],
)
def test_what_differs(live: dict[str, Any], answer: dict[str, Any], expected: dict[str, tuple[object, object]]) -> None:
    assert differences(live, answer) == expected


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b"]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(["containers", "name", "x"]), below),
    max_leaves=12,
)


@given(VALUES)
def test_an_object_does_not_differ_from_itself(value: object) -> None:
    assert differences({"spec": value}, {"spec": value}) == {}


@given(VALUES, VALUES)
def test_a_difference_is_the_same_seen_from_the_other_side(one: object, other: object) -> None:
    there = difference({"spec": one}, {"spec": other}, shape_of(MANAGED))
    back = difference({"spec": other}, {"spec": one}, shape_of(MANAGED))
    assert sorted((repr(x.path), repr(x.before)) for x in there) == sorted((repr(x.path), repr(x.after)) for x in back)
