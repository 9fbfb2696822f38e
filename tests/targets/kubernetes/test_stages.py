"""In which order things are written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model import Action, ObjectPlan, Stalled
from controller.targets.kubernetes.stages import pruning_order, stages_of, turn_of
from tests.targets.kubernetes.placing import config_map, deployment, manifest, service

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "b", "namespace": "n"},
}
WEBHOOK = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "w"},
}
CUSTOM = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "c", "namespace": "n"}}
BODIES: list[dict[str, Any]] = [
    WEBHOOK,
    deployment("web", "n"),
    CUSTOM,
    deployment("late", "n", wave=5),
    deployment("early", "n", wave=-1),
    service("web", "n"),
    BINDING,
    config_map("a", "n", x="1"),
    NAMESPACE,
]


def plans(bodies: list[dict[str, Any]]) -> list[ObjectPlan]:
    made = [manifest(one) for one in bodies]
    return [ObjectPlan(key=one.key, action=Action.CREATE, manifest=one) for one in made]


def names(bodies: list[dict[str, Any]]) -> list[list[str]]:
    return [[one.key.name for one in stage.objects] for stage in stages_of(plans(bodies))]


def test_namespaces_come_first_then_waves_then_kinds_in_rank() -> None:
    assert names(BODIES) == [["n"], ["early"], ["a"], ["b"], ["web"], ["web", "c"], ["w"], ["late"]]


@given(st.permutations(BODIES))
def test_the_order_of_the_input_does_not_matter(bodies: list[dict[str, Any]]) -> None:
    assert names(bodies) == names(BODIES)


def test_pruning_goes_in_reverse() -> None:
    stages = [[one.key.name for one in stage] for stage in pruning_order(plans(BODIES[5:]))]
    assert stages == [["web"], ["b"], ["a"], ["n"]]


def test_a_wave_that_is_no_number_is_said_with_its_place() -> None:
    body = config_map("a", "n", x="1")
    body["metadata"]["annotations"] = {"converge/wave": "first"}
    with pytest.raises(Stalled, match=r'deploy/app.yaml:1: .*"first" is no whole number'):
        turn_of(manifest(body))
