"""What differs between two desired states, named as people name it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.documents import canonical, digest_of
from controller.engine.history.comparing import compare
from controller.model import ABSENT, Desired, Digest, Hidden, JsonValue, Manifest, ObjectKey, format_path
from tests.engine.make import ORIGIN, REVISION, placement


def desired(**objects: JsonValue) -> Desired:
    """Give a desired state of ConfigMaps (or Secrets, by their names) with these bodies."""
    manifests = tuple(
        Manifest(
            ObjectKey("", "Secret" if name.startswith("secret") else "ConfigMap", "shop", name),
            "v1",
            canonical(body),
            digest_of(canonical(body)),
            ORIGIN,
        )
        for name, body in objects.items()
    )
    return Desired(placement(), REVISION, manifests, Digest("sha256:d"), Digest("sha256:i"))


def fields(before: JsonValue, after: JsonValue) -> dict[str, tuple[Any, Any]]:
    found = compare(desired(a=before), desired(a=after))
    return {format_path(field.path): (field.before, field.after) for one in found for field in one.fields}


def test_objects_that_come_and_go_are_named() -> None:
    found = compare(desired(a={}, b={}), desired(b={}, c={}))
    assert [(one.key.name, one.before is None, one.after is None) for one in found] == [
        ("a", False, True),
        ("c", True, False),
    ]


def test_elements_of_a_list_are_known_by_their_names() -> None:
    web, log = {"name": "web", "image": "web:1", "ports": [{"containerPort": 80}]}, {"name": "log", "image": "log:1"}
    assert fields({"containers": [web, log]}, {"containers": [log, {**web, "image": "web:2"}]}) == {
        "containers[web].image": ("web:1", "web:2")
    }


def test_a_list_without_names_is_told_whole() -> None:
    assert fields({"args": ["a", "b"]}, {"args": ["b"]}) == {"args": (["a", "b"], ["b"])}


def test_null_false_and_absent_are_three_things() -> None:
    assert fields({"a": None}, {}) == {"a": (None, ABSENT)}
    assert fields({"a": 0}, {"a": False}) == {"a": (0, False)}


def test_values_of_a_secret_are_never_told() -> None:
    found = compare(
        desired(secret={"data": {"password": "b2xk"}, "type": "Opaque"}),
        desired(secret={"data": {"password": "bmV3", "user": "bWU="}, "type": "mine"}),
    )
    told = {format_path(field.path): (field.before, field.after) for field in found[0].fields}
    assert told == {
        "data.password": (Hidden(), Hidden()),
        "data.user": (ABSENT, Hidden()),
        "type": ("Opaque", "mine"),
    }


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["x", "y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "a", "b"]), inner, max_size=3),
    max_leaves=12,
)


@given(VALUES)
def test_a_state_does_not_differ_from_itself(value: Any) -> None:
    assert compare(desired(a=value), desired(a=value)) == ()


@given(VALUES, VALUES)
def test_there_and_back_are_the_same_fields_the_other_way_round(old: Any, new: Any) -> None:
    there, back = fields({"v": old}, {"v": new}), fields({"v": new}, {"v": old})
    assert {path: pair[::-1] for path, pair in there.items()} == back
