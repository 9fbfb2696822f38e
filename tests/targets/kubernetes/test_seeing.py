"""What is read of an object without decoding it whole, and how small it is kept."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model import ObjectKey, Transient
from controller.targets.kubernetes.packing import pack, unpack
from controller.targets.kubernetes.seeing import Sight, is_newer, see, see_answer

OBJECT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "uid": "u-1",
        "resourceVersion": "7",
        "generation": 1,
        "labels": {"a": "b"},
        "annotations": {"converge/digest": "sha256:1"},
        "managedFields": [
            {"manager": "converge", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": {"f:spec": {}}},
            {
                "manager": "kcm",
                "operation": "Update",
                "subresource": "status",
                "time": "t",
                "fieldsV1": {"f:status": {}},
            },
        ],
    },
    "spec": {"replicas": 1},
    "status": {"replicas": 1},
}


def seen(*path: str, value: Any = None) -> Sight:
    """See the object, with one part of it replaced."""
    body = json.loads(json.dumps(OBJECT))
    if path:
        part = body
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = value
    return see_answer(json.dumps(body).encode())


def test_what_an_object_is_and_who_applied_it() -> None:
    sight = seen()
    assert sight.key == ObjectKey("apps", "Deployment", "shop", "web")
    assert (sight.uid, sight.resource_version, sight.applied_as) == ("u-1", "7", "apps/v1")
    assert (sight.digest, sight.owner, sight.is_terminating) == ("sha256:1", None, False)
    assert seen("metadata", "deletionTimestamp", value="2026-01-01T00:00:00Z").is_terminating
    assert seen("metadata", "managedFields", value=[]).applied_as == ""


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("status",), {"replicas": 9}),
        (("metadata", "resourceVersion"), "8"),
        (("metadata", "generation"), 2),
        (("metadata", "managedFields"), OBJECT["metadata"]["managedFields"][:1]),
    ],
    ids=["status", "resourceVersion", "generation", "another manager's entry"],
)
def test_what_no_verdict_depends_on_leaves_the_substance(path: tuple[str, ...], value: Any) -> None:
    assert seen(*path, value=value).substance == seen().substance


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec",), {"replicas": 2}),
        (("data",), {"a": "b"}),
        (("metadata", "labels"), {"a": "c"}),
        (("metadata", "annotations"), {}),
        (("metadata", "finalizers"), ["x"]),
        (("metadata", "ownerReferences"), [{"uid": "x"}]),
        (("metadata", "managedFields"), []),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else "",
)
def test_what_a_verdict_may_depend_on_changes_the_substance(path: tuple[str, ...], value: Any) -> None:
    assert seen(*path, value=value).substance != seen().substance


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"metadata": 3}', b'{"metadata": {"labels": 1}}'])
def test_what_is_no_object_is_transient(raw: bytes) -> None:
    with pytest.raises(Transient):
        see(msgspec.Raw(raw), group="", kind="X", api_version="v1")
    with pytest.raises(Transient):
        see_answer(raw)


@pytest.mark.parametrize(
    ("one", "other", "expected"), [("10", "9", True), ("9", "10", False), ("9", "9", False), ("x", "9", True)]
)
def test_versions_are_compared_as_numbers(one: str, other: str, expected: object) -> None:
    assert is_newer(one, other) is expected


@pytest.mark.slow
@given(st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.integers(-5, 5) | st.text(), st.lists)))
def test_what_is_packed_comes_back(value: Any) -> None:
    assert unpack(pack(value)) == value


def test_an_ordinary_object_is_kept_in_a_fraction_of_its_size() -> None:
    assert len(pack(OBJECT)) < len(json.dumps(OBJECT)) / 3
