from __future__ import annotations

from typing import Any

import pytest

from controller.model import Release, format_path
from controller.targets.kubernetes.handover import (
    annotation,
    handed_over,
    left_out,
    read_annotation,
    released_body,
    taken_back,
    without,
)

BODY: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "annotations": {"example.com/a": "1", "b": "2"}},
    "spec": {
        "replicas": 3,
        "template": {
            "spec": {
                "containers": [
                    {"name": "web", "image": "web:1", "args": ["a"], "resources": {"limits": {"cpu": "1"}}},
                    {"name": "side", "image": "side:1"},
                ]
            }
        },
    },
}
ENTRY = {
    "manager": "converge",
    "operation": "Apply",
    "apiVersion": "apps/v1",
    "fieldsV1": {
        "f:metadata": {"f:annotations": {"f:b": {}, "f:example.com/a": {}}},
        "f:spec": {
            "f:replicas": {},
            "f:template": {
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"web"}': {
                            ".": {}, "f:name": {}, "f:image": {}, "f:args": {},
                            "f:resources": {"f:limits": {"f:cpu": {}}},
                        },
                        'k:{"name":"side"}': {".": {}, "f:name": {}, "f:image": {}},
                    }
                }
            },
        },
    },
}  # fmt: skip


def paths(field: str, *managers: str, managed: tuple[dict[str, Any], ...] = (ENTRY,)) -> list[str]:
    return sorted(format_path(path) for path in left_out(BODY, [Release(field, managers, "x")], managed))


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("spec.replicas", ["spec.replicas"]),
        ("/spec/replicas", ["spec.replicas"]),
        ("spec.missing", []),
        ('metadata.annotations["example.com/a"]', ['metadata.annotations["example.com/a"]']),
        ("/metadata/annotations/example.com~1a", ['metadata.annotations["example.com/a"]']),
        ("spec.template.spec.containers[web].image", ["spec.template.spec.containers[web].image"]),
        ("spec.template.spec.containers[name=web].image", ["spec.template.spec.containers[web].image"]),
        ("/spec/template/spec/containers/0/image", ["spec.template.spec.containers[web].image"]),
        (
            "spec.template.spec.containers[*].image",
            ["spec.template.spec.containers[side].image", "spec.template.spec.containers[web].image"],
        ),
        ("/spec/template/spec/containers/0/args/0", ["spec.template.spec.containers[web].args"]),  # atomic
        ("metadata.name", []),
        ("kind", []),
    ],
)
def test_a_rule_finds_fields_by_path_and_by_pointer(field: str, found: list[str]) -> None:
    assert paths(field) == found


def test_a_rule_of_managers_finds_what_they_hold_and_no_more() -> None:
    theirs = {"manager": "my-operator", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    assert paths("", "*-operator", managed=(ENTRY, theirs)) == ["spec.replicas"]
    assert paths("spec", "*-operator", managed=(ENTRY, theirs)) == ["spec"]
    assert paths("", "*", "!my-*", managed=(ENTRY, theirs)) == []
    assert paths("", "*", managed=(ENTRY,)) == []


def test_a_body_is_sent_without_what_is_left_out_and_without_maps_that_are_empty_for_it() -> None:
    left = left_out(BODY, [Release("spec.template.spec.containers[web].resources.limits.cpu", (), "x")], [ENTRY])
    container = without(BODY, left)["spec"]["template"]["spec"]["containers"][0]
    assert container == {"name": "web", "image": "web:1", "args": ["a"]}
    assert BODY["spec"]["template"]["spec"]["containers"][0]["resources"]


def test_a_hand_over_begins_with_the_live_values_of_what_is_ours() -> None:
    live = {**BODY, "spec": {**BODY["spec"], "replicas": 7}}
    releases = [Release("spec.replicas", (), "x"), Release("/spec/template/spec/containers/1", (), "x")]
    assert released_body(live, "apps/v1", handed_over(live, [ENTRY], releases)) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 7, "template": {"spec": {"containers": [{"name": "side", "image": "side:1"}]}}},
    }


def test_what_is_not_ours_needs_no_hand_over_and_what_is_ours_again_is_taken_back() -> None:
    released = {**ENTRY, "manager": "converge-released", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:paused": {}}}}
    ours = {**ENTRY, "fieldsV1": {"f:spec": {"f:template": {}}}}
    assert handed_over(BODY, [ours, released], [Release("spec.replicas", (), "x")]) == {}
    assert taken_back([ours, released]) is None
    again = {**ENTRY, "fieldsV1": {"f:spec": {"f:template": {}, "f:replicas": {}}}}
    assert taken_back([again, released]) == {"f:spec": {"f:paused": {}}}


def test_the_annotation_tells_what_is_left_out_and_why() -> None:
    left = left_out(BODY, [Release("spec.replicas", (), "HorizontalPodAutoscaler web")], [ENTRY])
    assert read_annotation(annotation(left)) == {"spec.replicas": "HorizontalPodAutoscaler web"}
    assert annotation({}) == ""
    assert read_annotation("{spoiled") == {}
