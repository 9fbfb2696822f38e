from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controller.config import contested, read_platform, violations
from controller.documents import Dialect, read, write
from controller.model import (
    ApplicationName,
    CommitId,
    Desired,
    Digest,
    EnvironmentName,
    Manifest,
    MemoryTree,
    ObjectKey,
    Origin,
    PlacementRef,
    Platform,
    RepositoryName,
    Revision,
    TargetName,
)

PATH = Path(__file__).parent / "cases" / "permissions.yaml"
CASES: Any = read(PATH.read_bytes(), path=PATH.name, dialect=Dialect.KUBERNETES)[0].value


def placement(text: str) -> PlacementRef:
    group, target = text.split("@")
    environment, application = group.split("/")
    return PlacementRef(EnvironmentName(environment), ApplicationName(application), TargetName(target))


def key_of(text: str) -> ObjectKey:
    kind, name = text.split()
    group, kind = kind.split("/")
    namespace, name = name.split("/")
    return ObjectKey("" if group == "core" else group, kind, namespace, name)


def desired(ref: str, *keys: str) -> Desired:
    origin = Origin(RepositoryName("shop"), "deploy/all.yaml", 7, CommitId("a" * 40))
    manifests = tuple(Manifest(key_of(key), "v1", b"{}", Digest("sha256:0"), origin) for key in keys)
    revision = Revision(CommitId("a" * 40), CommitId("b" * 40))
    return Desired(placement(ref), revision, manifests, Digest("sha256:0"), Digest("sha256:0"))


def platform(repository: dict[str, Any], target: dict[str, Any] | None = None) -> Platform:
    spec = {"installation": "3c9e0f0a-6d0e", "repositories": {"shop": {"url": "/srv/shop.git", **repository}}}
    entry = {"targets": {"t": target or {"kubernetes": {}}}, "applications": {"shop": {"repository": "shop"}}}
    files = {
        "converge.yaml": {"kind": "Platform", "metadata": {"name": "acme"}, "spec": spec},
        "environments/prod.yaml": {"kind": "Environment", "metadata": {"name": "prod"}, "spec": entry},
    }
    return read_platform(MemoryTree({path: write({"apiVersion": "converge/v1", **one}) for path, one in files.items()}))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_repository_touches_what_it_may(case: dict[str, Any]) -> None:
    repository = {"may": case["may"]} if "may" in case else {}
    found = violations(platform(repository), desired("prod/shop@t", case["key"]))
    assert [case["because"] in str(one) for one in found] == ([True] if "because" in case else [])


def test_a_violation_stands_at_the_object_s_own_line() -> None:
    found = violations(platform({}), desired("prod/shop@t", "core/Namespace /x"))
    assert str(found[0].where) == "deploy/all.yaml:7"
    assert "may.kinds at converge.yaml:" in found[0].advice


def test_what_the_target_says_of_a_kind_counts() -> None:
    here = desired("prod/shop@t", "example.com/Thing /x")
    assert violations(platform({}), here, is_namespaced=lambda _: True) == ()
    assert len(violations(platform({}), here, is_namespaced=lambda _: False)) == 1


def test_an_object_that_two_applications_ask_for_is_a_problem_of_both() -> None:
    found = contested(
        [desired("prod/a@t", "core/Secret x/s", "core/Secret x/a"), desired("prod/b@t", "core/Secret x/s")]
    )
    assert {str(ref): [one.what for one in problems] for ref, problems in found.items()} == {
        "prod/a@t": ["Secret x/s is asked for by prod/b@t too"],
        "prod/b@t": ["Secret x/s is asked for by prod/a@t too"],
    }


def test_the_same_object_on_two_targets_is_no_problem() -> None:
    assert contested([desired("prod/a@t", "core/Secret x/s"), desired("prod/b@u", "core/Secret x/s")]) == {}


def test_targets_are_told_apart_by_what_is_behind_their_names() -> None:
    both = [desired("dev/a@t", "core/Secret x/s"), desired("prod/a@t", "core/Secret x/s")]
    assert contested(both) == {}
    assert len(contested(both, target_of=lambda _: "one cluster")) == 2


LIMITED = {"kubernetes": {"namespaces": ["shop", "shop-data"]}}


@pytest.mark.parametrize(
    ("key", "because"),
    [
        ("core/Secret shop/x", ""),
        ("example.com/Thing shop-data/x", ""),
        ("core/ConfigMap shop-data/converge-dev-shop-0123456789abcdef", ""),
        ("core/Secret other/x", 'target "t" is limited to shop, shop-data'),
        ("core/Namespace /shop", "Namespace has no namespace"),
        ("core/ConfigMap shop/converge-dev-shop-0123456789abcdef", "such names are Converge's own there"),
        ("coordination.k8s.io/Lease shop/converge-0123456789abcdef0123456789abcdef", "such names are Converge's own"),
    ],
)
def test_a_target_that_is_limited_takes_objects_of_its_namespaces(key: str, because: str) -> None:
    found = violations(platform({"may": {"kinds": ["*"]}}, LIMITED), desired("prod/shop@t", key))
    assert [because in str(one) for one in found] == ([True] if because else [])
