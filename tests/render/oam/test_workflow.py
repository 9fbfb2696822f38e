from __future__ import annotations

from typing import Any

import pytest

from controller.model import Invalid
from controller.render.oam import (
    ApplyComponents,
    AwaitApplication,
    Deploy,
    Group,
    HelmReference,
    Suspend,
    TerraformReference,
    Topology,
)

from .applications import application, objects_of, rendered, web

NORTH = {"name": "north", "type": "topology", "properties": {"clusters": ["n1", "n2", "n1"]}}
SOUTH = {"name": "south", "type": "topology", "properties": {"clusterLabelSelector": {"region": "south"}}}
BIG = {
    "name": "big",
    "type": "override",
    "properties": {"components": [{"traits": [{"type": "scaler", "properties": {"replicas": 9}}]}]},
}


def replicas(found: Any) -> list[int | None]:
    return [one.objects[0].body["spec"].get("replicas") for one in found.deployments]


def test_without_policies_everything_is_deployed_at_home() -> None:
    found = rendered(web())
    assert [(one.step, one.topology) for one in found.deployments] == [("deploy", None)]
    assert found.steps == (Deploy(name="deploy"),)


def test_without_a_workflow_every_topology_gets_all_overrides() -> None:
    found = rendered(web(), policies=[NORTH, BIG, SOUTH])
    assert [one.step for one in found.deployments] == ["deploy-north", "deploy-south"]
    assert replicas(found) == [9, 9]
    assert found.deployments[0].topology == Topology(name="north", clusters=("n1", "n2"))
    assert found.deployments[1].topology == Topology(name="south", labels={"region": "south"})


def test_overrides_alone_hold_at_home() -> None:
    assert replicas(rendered(web(), policies=[BIG])) == [9]


def test_a_topology_that_names_nothing_is_the_applications_own_cluster() -> None:
    found = rendered(web(), policies=[{"name": "here", "type": "topology", "properties": {}}])
    assert found.deployments[0].topology == Topology(name="here", clusters=("local",))


def test_a_deploy_step_uses_the_policies_that_it_names() -> None:
    steps = [
        {"name": "first", "type": "deploy", "properties": {"policies": ["north"]}},
        {"name": "ok", "type": "suspend", "properties": {"duration": "1m30s", "message": "look"}},
        {"name": "rest", "type": "deploy", "properties": {"policies": ["south", "big"], "auto": False}},
    ]
    found = rendered(web(), policies=[NORTH, SOUTH, BIG], workflow={"steps": steps})
    assert replicas(found) == [None, 9]
    first, pause, rest = found.steps
    assert isinstance(first, Deploy)
    assert not first.needs_approval
    assert pause == Suspend(name="ok", after=("first",), seconds=90, message="look")
    assert isinstance(rest, Deploy)
    assert (rest.needs_approval, rest.after, rest.overrides) == (True, ("ok",), ("big",))


def test_single_components_follow_the_steps_and_what_is_left_comes_last() -> None:
    steps = [
        {"name": "a", "type": "apply-component", "properties": {"component": "cache"}},
        {"name": "g", "type": "step-group", "subSteps": [
            {"name": "b", "type": "apply-component", "properties": {"component": "db", "cluster": "far"}},
            {"name": "wait", "type": "depends-on-app", "properties": {"name": "billing", "namespace": "pay"}},
        ]},
        {"name": "rest", "type": "apply-remaining"},
    ]  # fmt: skip
    found = rendered(web(), web("db"), web("cache"), workflow={"steps": steps})
    assert [(one.component, one.wave) for one in found.deployments[0].objects] == [("cache", 0), ("db", 1), ("web", 2)]
    group = found.steps[1]
    assert isinstance(group, Group)
    assert group.steps == (
        ApplyComponents(name="b", components=("db",), cluster="far"),
        AwaitApplication(name="wait", application="billing", namespace="pay"),
    )
    assert found.steps[2] == ApplyComponents(name="rest", after=("g",), components=("web",))


def test_steps_of_a_dag_wait_only_for_what_they_name() -> None:
    steps = [
        {"name": "a", "type": "apply-component", "properties": {"component": "web"}},
        {"name": "b", "type": "apply-component", "properties": {"component": "db"}},
        {"name": "c", "type": "suspend", "dependsOn": ["a", "b"], "if": "always", "timeout": "2h"},
    ]
    found = rendered(web(), web("db"), workflow={"mode": {"steps": "DAG"}, "steps": steps})
    assert [one.after for one in found.steps] == [(), (), ("a", "b")]
    assert found.steps[2].condition == "always"
    assert found.steps[2].timeout_seconds == 7200


def test_a_component_waits_for_what_it_depends_on() -> None:
    found = rendered(web("front", dependsOn=["api"]), web("api", dependsOn=["db"]), web("db"))
    assert {one.component: one.wave for one in found.deployments[0].objects} == {"front": 2, "api": 1, "db": 0}


def test_a_circle_of_dependencies_still_has_an_order() -> None:
    found = rendered(web("a", dependsOn=["b"]), web("b", dependsOn=["a"]))
    assert sorted(one.wave for one in found.deployments[0].objects) == [0, 1]


def test_values_of_others_go_where_inputs_say_and_unknown_ones_are_told() -> None:
    from controller.render.oam import render_application

    component = web(inputs=[
        {"from": "host", "parameterKey": "env[0].value"},
        {"from": "late", "parameterKey": "cpu"},
    ])  # fmt: skip
    component["properties"]["env"] = [{"name": "HOST", "value": "?"}]
    found = render_application(application(component), values={"host": "db.example.com"})
    container = found.objects[0]["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [{"name": "HOST", "value": "db.example.com"}]
    assert [one.field for one in found.warnings] == ["spec.components[0].inputs[1]"]


def test_charts_and_modules_are_references_for_other_renderers() -> None:
    chart = {
        "name": "cache",
        "type": "helm",
        "properties": {"url": "https://charts.example.com", "chart": "redis", "version": "18.x", "values": {"a": 1}},
    }
    module = {
        "name": "bucket",
        "type": "terraform",
        "properties": {"source": "modules/bucket", "variables": {"name": "b"}},
    }
    found = rendered(chart, module)
    assert found.objects == ()
    assert found.deployments[0].references == (
        HelmReference(
            component="cache",
            source="helm",
            url="https://charts.example.com",
            chart="redis",
            version="18.x",
            release="cache",
            namespace="",
            values={"a": 1},
        ),
        TerraformReference(component="bucket", source="modules/bucket", path="", hcl="", variables={"name": "b"}),
    )


def test_rules_become_the_handling_of_single_objects() -> None:
    def rule(kind: str, selector: dict[str, list[str]], **more: Any) -> dict[str, Any]:
        return {"name": kind, "type": kind, "properties": {"rules": [{"selector": selector, **more}]}}

    policies = [
        rule("take-over", {"resourceTypes": ["Deployment"], "componentNames": ["web"]}),
        rule("read-only", {"traitTypes": ["expose"]}),
        rule("shared-resource", {"resourceTypes": ["Service"]}),
        rule("garbage-collect", {"oamTypes": ["TRAIT"]}, strategy="never"),
        {"name": "once", "type": "apply-once", "properties": {"enable": True, "rules": [
            {"selector": {"componentTypes": ["webservice"], "resourceTypes": ["Deployment"]},
             "strategy": {"path": ["spec.replicas"]}},
        ]}},
    ]  # fmt: skip
    found = objects_of(
        rendered(web("web", {"type": "expose", "properties": {"port": [80]}}), web("db"), policies=policies)
    )
    deployment, service, other = (found[key].handling for key in ("Deployment web", "Service web", "Deployment db"))
    assert (deployment.take_over, deployment.ignored, deployment.collect) == (True, ("spec.replicas",), "onAppUpdate")
    assert (service.read_only, service.shared, service.collect, service.ignored) == (True, True, "never", ())
    assert (other.take_over, other.ignored) == (False, ("spec.replicas",))


def test_apply_once_without_rules_is_for_everything() -> None:
    once = {"name": "once", "type": "apply-once", "properties": {"enable": True}}
    assert objects_of(rendered(web(), policies=[once]))["Deployment web"].handling.apply_once


def test_an_override_may_add_drop_select_and_replace() -> None:
    patch = {
        "components": [
            {"name": "fresh", "type": "worker", "properties": {"image": "fresh:1"}},
            {"name": "db", "type": "worker", "properties": {"image": "other:1"}},
            {"name": "web", "properties": {"cmd": [], "env": [{"name": "A", "value": "b"}]},
             "traits": [{"type": "scaler", "disable": True}]},
        ],
        "selector": ["fresh", "web", "db"],
    }  # fmt: skip
    first = web("web", {"type": "scaler", "properties": {"replicas": 3}})
    first["properties"]["cmd"] = ["old"]
    found = rendered(first, web("db"), web("left"), policies=[{"name": "o", "type": "override", "properties": patch}])
    bodies = {key: one.body for key, one in objects_of(found).items()}
    assert list(bodies) == ["Deployment web", "Deployment db", "Deployment fresh"]
    container = bodies["Deployment web"]["spec"]["template"]["spec"]["containers"][0]
    assert (container["command"], container["env"]) == ([], [{"name": "A", "value": "b"}])
    assert "replicas" not in bodies["Deployment web"]["spec"]
    assert bodies["Deployment db"]["metadata"]["labels"]["workload.oam.dev/type"] == "worker"


def test_a_pattern_of_an_override_may_match_anywhere() -> None:
    patch = {"components": [{"name": "b*k", "traits": [{"type": "scaler", "properties": {"replicas": 2}}]}]}
    found = rendered(web("back"), web("feedback"), web("front"), policies=[
        {"name": "o", "type": "override", "properties": patch},
    ])  # fmt: skip
    assert [one.body["spec"].get("replicas") for one in found.deployments[0].objects] == [2, 2, None]


def test_a_broken_pattern_is_refused() -> None:
    patch = {"components": [{"name": "w(", "properties": {}}]}
    with pytest.raises(Invalid, match=r'"w\(" is no pattern'):
        rendered(web(), policies=[{"name": "o", "type": "override", "properties": patch}])


def test_a_topologys_namespace_moves_the_objects_but_no_namespace() -> None:
    space = {
        "name": "space",
        "type": "k8s-objects",
        "properties": {"objects": [{"apiVersion": "v1", "kind": "Namespace"}]},
    }
    policy = {"name": "t", "type": "topology", "properties": {"namespace": "other"}}
    found = objects_of(rendered(web(), space, policies=[policy]))
    assert found["Deployment web"].body["metadata"]["namespace"] == "other"
    assert "namespace" not in found["Namespace space"].body["metadata"]
