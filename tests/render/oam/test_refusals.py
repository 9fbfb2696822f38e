from __future__ import annotations

from typing import Any

import pytest

from controller.model import Invalid
from controller.render.oam import render_application

from .applications import CASES, application, from_yaml, located, rendered, web
from .compare import load


def refused(case: dict[str, Any]) -> str:
    component = web()
    written = dict(case.get("component", {}))
    if written.get("type", "webservice") == "webservice":
        written["properties"] = component["properties"] | written.get("properties", {})
    component |= written
    component["traits"] = [case["trait"]] if "trait" in case else []
    with pytest.raises(Invalid) as caught:
        render_application(application(component, **case.get("spec", {})))
    return str(caught.value)


@pytest.mark.parametrize("case", load(CASES / "refusals.yaml")[0], ids=lambda one: one["name"])
def test_a_refusal_names_what_is_wrong_and_what_to_do(case: dict[str, Any]) -> None:
    message = refused(case)
    assert [word for word in case["says"] if word not in message] == []


def test_every_problem_is_told_at_once_with_its_line() -> None:
    text = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components:
    - name: web
      type: webservise
    - name: job
      type: worker
      traits:
        - type: scalr
"""
    with pytest.raises(Invalid) as caught:
        render_application(from_yaml(text), locate=located(text))
    assert [str(one.where).rpartition(":")[0] or str(one.where) for one in caught.value.problems] == ["app.yaml"] * 2
    assert [one.where.line for one in caught.value.problems] == [7, 11]


def test_what_is_no_application_is_refused() -> None:
    with pytest.raises(Invalid, match="this is no Application"):
        render_application({"apiVersion": "core.oam.dev/v1alpha2", "kind": "Application"})


def test_a_topology_that_no_step_deploys_to_is_refused_with_the_nearest() -> None:
    policy = {"name": "north", "type": "topology", "properties": {"clusters": ["n"]}}
    with pytest.raises(Invalid, match=r'no step deploys to a topology "nroth".* Did you mean "north"'):
        render_application(application(web(), policies=[policy]), topology="nroth")


def test_an_unknown_parameter_that_is_like_no_other_is_a_warning_since_it_changes_nothing() -> None:
    component = web()
    component["properties"]["serviceMesh"] = True
    found = rendered(component)
    assert [one.field for one in found.warnings] == ["spec.components[0].properties.serviceMesh"]
    assert "serviceMesh" not in str(found.objects)


def test_fields_that_a_definition_passes_on_are_kept() -> None:
    component = web()
    source = {"resourceFieldRef": {"resource": "limits.cpu"}}
    component["properties"]["env"] = [{"name": "CPU", "valueFrom": source}]
    found = rendered(component)
    assert found.objects[0]["spec"]["template"]["spec"]["containers"][0]["env"][0]["valueFrom"] == source
    assert found.warnings == ()


def test_deprecated_and_silent_parts_are_warnings() -> None:
    step = {"name": "tell", "type": "notification", "properties": {}}
    trait = {"type": "service-binding", "properties": {"envMappings": {"A": {"secret": "s"}}}}
    found = rendered(web("web", trait), workflow={"steps": [step]})
    assert [one.advice for one in found.warnings] == [
        "Configure `notifications` of the environment instead.",
        "Use the trait storage with mountToEnv.",
    ]


def test_an_object_that_is_made_twice_is_a_warning_that_names_its_makers() -> None:
    component = web("web", {"type": "expose", "properties": {"port": [80]}})
    component["properties"]["ports"] = [{"port": 80, "expose": True}]
    (warning,) = rendered(component).warnings
    assert "the Service web is made twice, by web and the trait expose" in warning.what
