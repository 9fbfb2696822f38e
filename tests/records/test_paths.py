"""Hostile names map to safe paths, and two names never to one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controller.model import ApplicationName, EnvironmentName, ObjectKey, PlacementRef, TargetName
from controller.records.paths import instance_path, kind_segment, segment, status_path
from tests.records.facts import HANGZHOU, Branch, manifest, moved, obj, report

HOSTILE = [
    "", ".", "..", "...", "a..b", ".git", ".GIT", "git~1", "-x", "_cluster", "_application", "a/b", "a\\b",
    "../../etc/passwd", "con", "nul.yaml", "com1", "a.", "a ", " a", "A", "a:b", "système", "服务", "\u202e", "\x00",
    "a\nb", "*", "a" * 253, "a" * 5000, "a~0123456789abcdef", "%2e%2e", "system:controller:foo", '"', "\ud800",
    "e\u0301", "\u00e9",
]  # fmt: skip
NAMES = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40), st.text("abAB./_-~:", max_size=6))


@pytest.mark.parametrize("name", ["web", "web-1", "a.b.c", "a_b", "0", "db-0.example.com", "a" * 200])
def test_an_ordinary_name_keeps_its_spelling(name: str) -> None:
    assert segment(name) == name


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_becomes_a_safe_one(name: str) -> None:
    safe(segment(name))


def safe(found: str) -> None:
    assert 0 < len(found.encode()) <= 200
    assert not set(found) & set('/\\:*?"<>|\0\n \t')
    assert found.isascii()
    assert found not in (".", "..")
    assert not found.startswith((".", "-", "_"))
    assert not found.endswith((".", " "))
    assert found.casefold() == found
    assert found.split(".", maxsplit=1)[0] not in ("con", "nul", "com1"), "Windows keeps these for itself"


@given(NAMES)
def test_every_name_becomes_a_safe_one(name: str) -> None:
    safe(segment(name))


@given(NAMES, NAMES)
@example("A", "a")
@example("\u00e9", "e\u0301")
@example("a/b", "a-b")
def test_two_names_never_share_a_path(one: str, other: str) -> None:
    assert (segment(one) == segment(other)) == (one == other)


@given(st.builds(ObjectKey, NAMES, NAMES, NAMES, NAMES), st.builds(ObjectKey, NAMES, NAMES, NAMES, NAMES))
def test_two_objects_never_share_a_path(one: ObjectKey, other: ObjectKey) -> None:
    paths = {instance_path(HANGZHOU, key) for key in (one, other)}
    assert (len(paths) == 1) == (
        (one.group_kind, one.namespace, one.name) == (other.group_kind, other.namespace, other.name)
    )
    assert all(path.count("/") == 6 and path.startswith("cmdb/prod/shop/hangzhou/") for path in paths)


def test_a_kind_is_written_as_everywhere() -> None:
    assert kind_segment(ObjectKey("apps", "Deployment", "x", "y")) == "Deployment.apps"
    assert kind_segment(ObjectKey("", "Service", "x", "y")) == "Service"
    assert kind_segment(ObjectKey("../x", "Service", "x", "y")).startswith("service-x~")


WRITTEN = NAMES.filter(bool)  # an environment, an application, a target and an object always have a name
PLACEMENTS = st.builds(
    PlacementRef, WRITTEN.map(EnvironmentName), WRITTEN.map(ApplicationName), WRITTEN.map(TargetName)
)


@given(PLACEMENTS, WRITTEN, NAMES)
def test_hostile_names_everywhere_are_recorded_once(placement: PlacementRef, name: str, namespace: str) -> None:
    branch = Branch()
    try:
        f"{placement}{name}{namespace}".encode()
    except UnicodeEncodeError:
        return  # no YAML, JSON or git holds half a character
    found = report(placement, objects=[obj(manifest("Role.x", name, namespace=namespace))])
    branch.record(moved(found))
    branch.overview()
    assert status_path(placement.group) in branch.files
    assert branch.record(moved(found, 1)) == {}
    assert branch.overview() == {}
    for path in branch.files:
        for part in path.split("/"):
            assert part not in ("", ".", "..")
            assert len(part.encode()) <= 255


def test_records_of_names_that_differ_in_case_lie_side_by_side() -> None:
    branch = Branch()
    objects: list[Any] = [obj(manifest("Role.x", name)) for name in ("web", "Web", "WEB")]
    branch.record(moved(report(objects=objects)))
    found = branch.names("cmdb/prod/shop/hangzhou/shop/Role.x")
    assert len({one.casefold() for one in found}) == 3
    assert "web.yaml" in found
