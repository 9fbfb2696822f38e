"""Field sets: what is ours, what was lost, who holds it, in which order lists stand. Laws and small tables."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model import Editor, format_path
from controller.targets.kubernetes.ownership import (
    EMPTY,
    FieldSet,
    baseline,
    editor_of,
    field_set,
    is_as_applied,
    lost,
    match_elements,
    misordered_lists,
    missing_leaves,
    owned,
)

NAMES = st.sampled_from(["a", "b", "c", "app.kubernetes.io/name", "x y"])
SCALARS = st.one_of(st.text(max_size=4), st.integers(-9, 9), st.booleans())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.dictionaries(NAMES, inner, min_size=1, max_size=3),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)


def applied(value: Any) -> dict[str, Any]:
    """Give the fieldsV1 of whoever applied this, maps granular and lists atomic, as for an untyped object."""
    if not isinstance(value, dict):
        return {}
    return {f"f:{name}": applied(inner) for name, inner in value.items()}


def entry(tree: dict[str, Any], manager: str = "converge", operation: str = "Apply", **more: str) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": tree, **more}


class TestLaws:
    @given(OBJECTS)
    def test_who_applied_an_object_covers_it(self, body: dict[str, Any]) -> None:
        body.pop("status", None)
        fields = applied(body)
        assert missing_leaves(body, fields) == ()
        assert misordered_lists(body, body, fields) == ()
        assert is_as_applied(body, body, [entry(applied(body))])

    @given(OBJECTS)
    def test_a_set_loses_nothing_against_itself_and_everything_against_none(self, body: dict[str, Any]) -> None:
        fields = field_set(applied(body))
        assert lost(fields, fields) == ()
        assert {path[0] for path in lost(fields, EMPTY)} == set(body)
        assert lost(EMPTY, fields) == ()

    @given(OBJECTS, NAMES, SCALARS)
    def test_fields_of_others_do_not_move_the_baseline(self, body: dict[str, Any], name: str, value: Any) -> None:
        managed = [entry(applied(body))]
        grown = {**copy.deepcopy(body), f"other-{name}": value}
        both = [*managed, entry({f"f:other-{name}": {}}, manager="other")]
        assert baseline(grown, both) == baseline(body, managed)

    @given(OBJECTS, NAMES, SCALARS, SCALARS)
    def test_a_value_of_ours_moves_the_baseline(self, body: dict[str, Any], name: str, before: Any, after: Any) -> None:
        ours = {**body, name: before}
        managed = [entry(applied(ours))]
        moved = {**body, name: after}
        is_same = before == after and type(before) is type(after)
        assert (baseline(moved, managed) == baseline(ours, managed)) is is_same


KEYED = {
    "f:spec": {
        "f:ports": {
            'k:{"port":53,"protocol":"TCP"}': {".": {}, "f:port": {}},
            'k:{"port":53,"protocol":"UDP"}': {".": {}, "f:port": {}, "f:protocol": {}},
        },
        "f:finalizers": {'v:"one"': {}, 'v:"two"': {}},
        "f:command": {},
    }
}
TCP, UDP = {"port": 53}, {"port": 53, "protocol": "UDP"}


class TestLists:
    def test_a_merge_key_that_is_left_out_is_a_default(self) -> None:
        desired = {"spec": {"ports": [TCP, UDP], "finalizers": ["one", "two"], "command": ["a", "b"]}}
        assert missing_leaves(desired, KEYED) == ()

    def test_the_element_that_says_all_keys_chooses_first(self) -> None:
        assert match_elements([TCP, UDP], KEYED["f:spec"]["f:ports"]) == list(KEYED["f:spec"]["f:ports"])
        only_udp = {key: value for key, value in KEYED["f:spec"]["f:ports"].items() if "UDP" in key}
        assert match_elements([TCP, UDP], only_udp) == ["", 'k:{"port":53,"protocol":"UDP"}']

    def test_an_element_that_is_not_ours_is_named_by_its_merge_keys(self) -> None:
        desired = {"spec": {"ports": [{"port": 80}], "finalizers": ["three"]}}
        found = missing_leaves(desired, KEYED)
        assert list(map(format_path, found)) == ["spec.ports[80]", "spec.finalizers[three]"]

    def test_a_list_of_which_nothing_is_ours_is_named_itself(self) -> None:
        desired = {"spec": {"volumes": [{"name": "a"}], "replicas": 1}}
        found = missing_leaves(desired, KEYED)
        assert list(map(format_path, found)) == ["spec.volumes", "spec.replicas"]

    @pytest.mark.parametrize(
        ("live", "expected"),
        [
            ([{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}], []),
            ([{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}], ["spec.ports"]),
            ([{"port": 53, "protocol": "TCP"}, {"port": 9, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}], []),
        ],
        ids=["as desired", "the other way round", "an element of somebody else between"],
    )
    def test_only_the_order_of_our_own_elements_counts(self, live: list[Any], expected: list[str]) -> None:
        desired = {"spec": {"ports": [TCP, UDP]}}
        found = misordered_lists(desired, {"spec": {"ports": live}}, KEYED)
        assert list(map(format_path, found)) == expected

    def test_the_hash_keeps_live_order_and_skips_elements_of_others(self) -> None:
        tcp, udp = {"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}
        other = {"port": 9, "protocol": "TCP"}

        def of(*ports: dict[str, Any]) -> bytes:
            return baseline({"spec": {"ports": list(ports)}}, [entry(KEYED)]).values

        assert of(tcp, udp) == of(tcp, other, udp)
        assert of(tcp, udp) != of(udp, tcp)
        assert of(tcp, udp) != of(tcp)


class TestStripped:
    @pytest.mark.parametrize(
        "body",
        [
            {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a", "namespace": "b"}},
            {"status": {"phase": "x"}},
            {"spec": {"a": None, "b": {}, "c": [], "d": {"e": None}}},
            {"metadata": {"annotations": {}}},
        ],
        ids=["identity", "status", "null and empty", "empty annotations"],
    )
    def test_what_a_server_never_stores_or_owns_is_not_asked_for(self, body: dict[str, Any]) -> None:
        assert missing_leaves(body, {}) == ()

    def test_a_label_that_is_lost_is_named(self) -> None:
        body = {"metadata": {"name": "a", "labels": {"a.b/c": "1", "d": "2"}}}
        found = missing_leaves(body, {"f:metadata": {"f:labels": {"f:d": {}}}})
        assert list(map(format_path, found)) == ['metadata.labels["a.b/c"]']


EARLY, LATE = "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z"


class TestEditors:
    def test_ours_is_the_apply_to_the_object_itself(self) -> None:
        tree = {"f:spec": {"f:a": {}}}
        managed = [
            entry({"f:status": {}}, operation="Update"),
            entry({"f:spec": {}}, subresource="scale"),
            entry({"f:other": {}}, manager="other"),
            entry(tree),
        ]
        assert owned(managed) == field_set(tree)
        assert owned(managed, "other") == field_set({"f:other": {}})
        assert owned(managed[:1]) == EMPTY

    def test_of_several_holders_the_last_to_write_is_named(self) -> None:
        tree = {"f:spec": {"f:a": {}}}
        managed = [
            entry(tree, "old", "Update", time=EARLY),
            entry(tree, "new", "Update", time=LATE, subresource="scale"),
            entry(tree, "timeless", "Update"),
            entry({"f:spec": {"f:b": {}}}, "elsewhere", "Update", time=LATE),
        ]
        expected = Editor("new", "Update", datetime(2026, 11, 21, 11, tzinfo=UTC), "scale")
        assert editor_of(managed, ("spec", "a")) == expected
        assert editor_of(managed, ("spec", "a"), exclude={"new", "old"}) == Editor("timeless", "Update", None)
        assert editor_of(managed, ("spec", "c")) is None

    def test_who_holds_an_atomic_value_holds_what_is_in_it(self) -> None:
        managed = [entry({"f:spec": {"f:command": {}}}, "kubectl-edit", "Update", time=LATE)]
        found = editor_of(managed, ("spec", "command", 0))
        assert found is not None
        assert found.manager == "kubectl-edit"

    def test_an_element_is_found_by_the_keys_that_are_said(self) -> None:
        managed = [entry(KEYED, "kubectl-edit", "Update", time=LATE)]
        (path,) = lost(field_set({"f:spec": {"f:ports": {'k:{"port":53,"protocol":"UDP"}': {}}}}), EMPTY)
        assert path == ("spec",)
        (inner,) = missing_leaves({"spec": {"ports": [UDP]}}, {"f:spec": {"f:ports": {'k:{"port":1}': {}}}})
        assert format_path(inner) == "spec.ports[53]"
        assert editor_of(managed, inner) is not None


def test_the_same_fields_are_the_same_set_whatever_their_order() -> None:
    assert field_set({"f:a": {}, "f:b": {}}) == field_set({"f:b": {}, "f:a": {}})
    assert not FieldSet()
    assert field_set({}) == EMPTY
