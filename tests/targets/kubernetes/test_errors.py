"""What the server answers means what happens next; every case was recorded from a real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from controller.model import ConvergeError, Element, ObjectKey, Stalled, Transient, Unequipped, Waiting, format_path
from controller.targets.kubernetes.conflict_fields import conflict_path
from controller.targets.kubernetes.connection import Response
from controller.targets.kubernetes.errors import Coming, combined, refusal
from controller.targets.kubernetes.status import conflicts, is_dry_run_unsupported, is_missing_namespace, is_modified

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "refusals.yaml").read_text())


def response(case: dict[str, Any]) -> Response:
    if "text" in case:
        return Response(case["status"], case["text"].encode())
    details = {**case.get("details", {}), "causes": case.get("causes", [])}
    status = {"kind": "Status", "reason": case.get("reason", ""), "message": case["message"], "details": details}
    return Response(case["status"], orjson.dumps(status))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_refusal_means(case: dict[str, Any]) -> None:
    coming = Coming(**{name: frozenset(values) for name, values in case.get("coming", {}).items()})
    key = ObjectKey("", case.get("kind", "ConfigMap"), "x", "a")
    error = refusal(response(case), key, where="deploy/a.yaml:3", coming=coming)

    assert type(error).__name__ == case["means"]
    assert str(error).startswith(f"{key} (deploy/a.yaml:3): ")
    for text in case.get("says", []):
        assert text in str(error)
    assert "hides" not in case or case["hides"] not in str(error)
    if "retry_after_seconds" in case:
        assert isinstance(error, Transient)
        assert error.retry_after_seconds == case["retry_after_seconds"]


def named(name: str) -> Response:
    return response(next(case for case in CASES if case["name"] == name))


def test_conflicts_name_manager_subresource_and_field() -> None:
    found = conflicts(named("fields of another manager"))
    assert [(one.manager, one.subresource, one.field) for one in found] == [
        ("kube-controller-manager", "scale", ".spec.replicas"),
        ("kubectl-edit", "", ".spec.paused"),
    ]
    assert conflicts(named("an object that moved meanwhile")) == ()


def test_a_moved_object_is_told_from_a_taken_field_and_from_one_that_exists() -> None:
    assert is_modified(named("an object that moved meanwhile"))
    assert is_modified(named("a delete of an object that was made anew"))
    assert not is_modified(named("fields of another manager"))
    assert not is_modified(named("a predecessor that is still being deleted"))


def test_the_missing_namespace_is_named() -> None:
    assert is_missing_namespace(named("a namespace that is not there")) == "nope"
    assert is_missing_namespace(named("a kind that is not served")) == ""


def test_a_webhook_that_can_not_run_dry_is_recognised() -> None:
    message = 'admission webhook "x" does not support dry run'
    assert is_dry_run_unsupported(response({"status": 400, "reason": "BadRequest", "message": message}))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (".data.x", ("data", "x")),
        (".metadata.labels.app.kubernetes.io/name", ("metadata", "labels", "app.kubernetes.io/name")),
        (
            '.spec.containers[name="we]b"].image',
            ("spec", "containers", Element((("name", "we]b"),)), "image"),
        ),
        (
            '.spec.ports[port=80,protocol="TCP"].name',
            ("spec", "ports", Element((("port", 80), ("protocol", "TCP"))), "name"),
        ),
        ('.metadata.finalizers[="a.b/c"]', ("metadata", "finalizers", Element((("", "a.b/c"),)))),
        (".spec.args[0]", ("spec", "args", 0)),
        (".unknown.deeper", ("unknown", "deeper")),
    ],
)
def test_the_servers_way_to_write_a_field_is_read_with_the_body_at_hand(text: str, path: tuple[object, ...]) -> None:
    body = {
        "data": {"x": "1"},
        "metadata": {"labels": {"app": "a", "app.kubernetes.io/name": "b"}, "finalizers": ["a.b/c"]},
        "spec": {"containers": [{"name": "we]b", "image": "i"}], "ports": [{"port": 80, "name": "n"}], "args": ["x"]},
    }
    assert conflict_path(text, body) == path
    assert format_path(conflict_path(text, body))


def test_the_failure_of_a_stage_is_of_the_kind_that_needs_a_human_most_and_tells_all() -> None:
    errors: list[ConvergeError] = [Transient("one", retry_after_seconds=3), Waiting("two"), Stalled("three")]
    assert isinstance(combined(errors), Stalled)
    assert str(combined(errors)) == "one\ntwo\nthree"
    assert isinstance(combined(errors[:2]), Waiting)
    again = combined(errors[:1])
    assert isinstance(again, Transient)
    assert again.retry_after_seconds == 3


def test_what_only_lacks_a_namespace_is_looked_for_again() -> None:
    missing = Unequipped("namespace x does not exist")
    assert type(combined([missing, missing])) is Unequipped
    assert type(combined([missing, Waiting("w")])) is Unequipped
    assert type(combined([missing, Stalled("wrong")])) is Stalled
