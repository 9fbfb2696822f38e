"""Laws of merging, comparing and removing, over values of a Deployment's shape."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.sandbox.cluster.comparing import compare
from controller.sandbox.cluster.fieldset import paths
from controller.sandbox.cluster.merging import merge, remove
from controller.sandbox.cluster.schema import builtin_kinds
from controller.sandbox.cluster.typed import field_set, with_named_fields

SHAPE = next(kind.shape for kind in builtin_kinds() if kind.kind == "Deployment")
WORDS = st.sampled_from(["a", "b", "c"])


def env(names: list[str], value: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name in names]


@st.composite
def deployments(draw: st.DrawFn) -> dict[str, Any]:
    container = {"name": "web", "image": draw(WORDS), "env": env(draw(st.lists(WORDS, unique=True)), draw(WORDS))}
    body: dict[str, Any] = {
        "metadata": {"labels": draw(st.dictionaries(WORDS, WORDS, min_size=1))},
        "spec": {"replicas": draw(st.integers(0, 3)), "template": {"spec": {"containers": [container]}}},
    }
    if draw(st.booleans()):
        body["spec"]["selector"] = {"matchLabels": draw(st.dictionaries(WORDS, WORDS))}
    return body


@given(deployments())
def test_a_value_does_not_differ_from_itself(one: dict[str, Any]) -> None:
    assert compare(one, one, SHAPE).is_same


@given(deployments())
def test_applying_a_value_to_itself_changes_nothing(one: dict[str, Any]) -> None:
    assert merge(one, one, SHAPE) == one


@given(deployments(), deployments())
def test_applying_twice_is_applying_once(live: dict[str, Any], applied: dict[str, Any]) -> None:
    once = merge(live, applied, SHAPE)
    assert merge(once, applied, SHAPE) == once


@given(deployments(), deployments())
def test_after_an_apply_every_applied_field_is_there(live: dict[str, Any], applied: dict[str, Any]) -> None:
    merged = merge(live, applied, SHAPE)
    assert isinstance(merged, dict)
    assert set(paths(field_set(applied, SHAPE))) <= set(paths(field_set(merged, SHAPE)))


@given(deployments(), deployments())
def test_what_differs_is_named_from_both_sides(old: dict[str, Any], new: dict[str, Any]) -> None:
    there, back = compare(old, new, SHAPE), compare(new, old, SHAPE)
    assert set(paths(there.added)) == set(paths(back.removed))
    assert set(paths(there.modified)) == set(paths(back.modified))


@given(deployments())
def test_removing_everything_leaves_nothing(one: dict[str, Any]) -> None:
    assert remove(one, with_named_fields(field_set(one, SHAPE), SHAPE), SHAPE) is None
