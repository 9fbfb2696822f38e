"""What of an Application is a target's own, and when it has its turn there: rendered as a placement renders it."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from controller.documents import decode
from controller.model import (
    ApplicationName,
    GroupRef,
    Invalid,
)
from controller.render import (
    Surroundings,
    render,
)

from .applications import application, web
from .placements import AROUND, DEV, NORTH, PLACES, PROD, SOUTH, bodies, notes, placed, request


def topology(name: str, **properties: Any) -> dict[str, Any]:
    return {"name": name, "type": "topology", "properties": properties}


def rules(kind: str, **rule: Any) -> dict[str, Any]:
    return {"name": kind, "type": kind, "properties": {"rules": [{"selector": {"componentNames": ["web"]}, **rule}]}}


def deploy(name: str, *policies: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "deploy", "properties": {"policies": [*policies], **more}}


BIG = {
    "name": "big",
    "type": "override",
    "properties": {"components": [{"traits": [{"type": "scaler", "properties": {"replicas": 9}}]}]},
}
BY_NAME, BY_LABEL = topology("first", clusters=["north"]), topology("rest", clusterLabelSelector={"region": "south"})


class TestWhere:
    def test_a_topology_by_name_or_label_decides_which_targets_get_the_application(self) -> None:
        for policy, target, other in ((BY_NAME, NORTH, SOUTH), (BY_LABEL, SOUTH, NORTH)):
            body = application(web(), policies=[policy])
            assert list(bodies(placed(body, target))) == ["Deployment web"]
            empty = placed(body, other)
            assert empty.desired.manifests == ()
            assert [f"nothing of it goes to the target {other}" in one.what for one in empty.warnings] == [True]

    def test_a_deploy_step_overrides_for_its_targets_alone(self) -> None:
        steps = [deploy("a", "first"), deploy("b", "rest", "big")]
        body = application(
            web(), policies=[BY_NAME, BY_LABEL, BIG], workflow={"mode": {"steps": "DAG"}, "steps": steps}
        )
        assert "replicas" not in bodies(placed(body, NORTH))["Deployment web"]["spec"]
        assert bodies(placed(body, SOUTH))["Deployment web"]["spec"]["replicas"] == 9

    def test_a_topologys_namespace_is_where_the_objects_go(self) -> None:
        found = placed(application(web(), policies=[topology("t", clusters=["north"], namespace="other")]))
        assert [one.key.namespace for one in found.desired.manifests] == ["other"]

    def test_a_topology_of_another_environment_is_no_mistake(self) -> None:
        found = placed(application(web(), policies=[BY_NAME, topology("dev", clusters=["kind"])]))
        assert list(bodies(found)) == ["Deployment web"]

    @pytest.mark.parametrize(
        ("policy", "says"),
        [
            (topology("t", clusters=["nroth"]), r'clusters\[0\]: no target .* called "nroth"\. Did you mean "north"'),
            (
                topology("t", clusterLabelSelector={"region": "soth"}),
                r"clusterLabelSelector: no target .* region: soth\. Did you mean region: south",
            ),
        ],
    )
    def test_a_topology_that_no_target_fits_is_refused_with_the_nearest(self, policy: Any, says: str) -> None:
        with pytest.raises(Invalid, match=says):
            placed(application(web(), policies=[policy]))

    def test_a_topology_may_allow_that_no_target_fits(self) -> None:
        policy = topology("t", clusterLabelSelector={"region": "moon"}, allowEmpty=True)
        assert placed(application(web(), policies=[policy])).desired.manifests == ()

    def test_single_components_go_where_their_steps_say(self) -> None:
        steps = [
            {"name": "a", "type": "apply-component", "properties": {"component": "db", "cluster": "north"}},
            {"name": "b", "type": "apply-component", "properties": {"component": "web"}},
        ]
        body = application(web(), web("db"), web("left"), workflow={"steps": steps})
        assert list(bodies(placed(body, NORTH))) == ["Deployment db", "Deployment web"]
        assert list(bodies(placed(body, SOUTH))) == ["Deployment web"]

    def test_what_the_platform_has_is_read_only_by_who_asks_for_it(self) -> None:
        assert placed(application(web())).surroundings is None
        asked = application(web(), policies=[BY_NAME])
        more = Surroundings(places=PLACES | {DEV: {}}, applications=AROUND.applications)
        one, other = render(request(asked)), render(request(asked, around=more))
        assert None not in (one.surroundings, other.surroundings)
        assert one.surroundings != other.surroundings
        assert one.desired.inputs != other.desired.inputs


class TestWhen:
    STEPS = [deploy("a", "first"), {"name": "look", "type": "suspend"}, deploy("b", "rest")]  # noqa: RUF012

    def test_a_later_step_waits_for_the_targets_of_the_earlier_ones(self) -> None:
        body = application(web(), policies=[BY_NAME, BY_LABEL], workflow={"steps": self.STEPS})
        assert placed(body, NORTH).desired.behind.targets == ()
        assert placed(body, SOUTH).desired.behind.targets == (NORTH,)

    def test_what_comes_after_a_suspend_waits_for_a_yes_and_nothing_else_does(self) -> None:
        body = application(web(), policies=[BY_NAME, BY_LABEL], workflow={"steps": self.STEPS})
        assert notes(placed(body, NORTH), "Deployment web") == {}
        assert notes(placed(body, SOUTH), "Deployment web") == {"converge/approve": "true"}

    def test_a_suspend_with_a_duration_gives_its_yes_by_itself(self) -> None:
        pause = {"name": "look", "type": "suspend", "properties": {"duration": "1m30s"}}
        body = application(web(), workflow={"steps": [pause, deploy("a")]})
        assert notes(placed(body), "Deployment web") == {"converge/approve": "90s"}

    def test_a_deploy_that_is_not_automatic_waits_for_a_yes(self) -> None:
        body = application(web(), workflow={"steps": [deploy("a", auto=False)]})
        assert notes(placed(body), "Deployment web") == {"converge/approve": "true"}

    def test_a_yes_that_another_target_waited_for_is_not_asked_for_again(self) -> None:
        steps = [{"name": "look", "type": "suspend"}, deploy("a", "first"), deploy("b", "rest")]
        body = application(web(), policies=[BY_NAME, BY_LABEL], workflow={"steps": steps})
        assert notes(placed(body, NORTH), "Deployment web") == {"converge/approve": "true"}
        assert notes(placed(body, SOUTH), "Deployment web") == {}

    def test_what_a_later_step_repeats_keeps_its_turn_and_needs_no_second_yes(self) -> None:
        steps = [deploy("a", "first"), {"name": "look", "type": "suspend"}, deploy("b", "all")]
        policies = [BY_NAME, topology("all", clusters=["north", "south"])]
        body = application(web(), policies=policies, workflow={"steps": steps})
        assert notes(placed(body, NORTH), "Deployment web") == {}
        assert placed(body, NORTH).desired.behind.targets == ()
        assert notes(placed(body, SOUTH), "Deployment web") == {"converge/approve": "true"}

    def test_deployments_to_one_target_follow_each_other_in_waves(self) -> None:
        steps = [deploy("a", "here"), deploy("b", "there")]
        policies = [topology("here", namespace="one"), topology("there", namespace="two")]
        found = placed(application(web(), web("db"), policies=policies, workflow={"steps": steps}))
        waves = {
            one.key.namespace: decode(one.body)["metadata"].get("annotations", {}).get("converge/wave")  # type: ignore[index,call-overload,union-attr]
            for one in found.desired.manifests
        }
        assert waves == {"one": None, "two": "1"}

    def test_another_application_is_waited_for_by_its_group(self) -> None:
        wait = {"name": "w", "type": "depends-on-app", "properties": {"name": "billing"}}
        found = placed(application(web(), workflow={"steps": [wait, deploy("a")]}))
        assert found.desired.behind.groups == (GroupRef(PROD, ApplicationName("billing")),)

    @pytest.mark.parametrize(
        ("name", "says"), [("biling", 'no application "biling".*Did you mean "billing"'), ("shop", "wait for itself")]
    )
    def test_an_application_that_can_t_be_waited_for_is_refused(self, name: str, says: str) -> None:
        wait = {"name": "w", "type": "depends-on-app", "properties": {"name": name}}
        with pytest.raises(Invalid, match=says):
            placed(application(web(), workflow={"steps": [wait, deploy("a")]}))

    def test_steps_of_a_group_stand_side_by_side_unless_it_says_otherwise(self) -> None:
        group = {"name": "g", "type": "step-group", "subSteps": [deploy("a", "first"), deploy("b", "rest")]}
        policies = [BY_NAME, BY_LABEL]
        beside = application(web(), policies=policies, workflow={"steps": [group]})
        behind = application(web(), policies=policies, workflow={"mode": {"subSteps": "StepByStep"}, "steps": [group]})
        assert placed(beside, SOUTH).desired.behind.targets == ()
        assert placed(behind, SOUTH).desired.behind.targets == (NORTH,)

    def test_two_targets_that_come_before_each_other_are_refused(self) -> None:
        steps = [deploy("a", "first"), deploy("b", "rest"), deploy("c", "first", "big")]
        with pytest.raises(Invalid, match="each deployed to before the other"):
            placed(application(web(), policies=[BY_NAME, BY_LABEL, BIG], workflow={"steps": steps}))


class TestWhether:
    """A step's `if`: what git can tell decides, and what it can't is refused."""

    GIVEN: ClassVar[dict[str, Any]] = {"inputs": [{"from": "size"}]}
    GIVER: ClassVar[dict[str, Any]] = web(outputs=[{"name": "size", "valueFrom": "output.metadata.name"}])

    def steps(self, condition: str, **more: Any) -> dict[str, Any]:
        return {"steps": [deploy("a", "first"), deploy("b", "rest", "big") | {"if": condition} | more]}

    @pytest.mark.parametrize(
        ("condition", "holds"),
        [
            ("always", True),
            ('context.appName == "shop"', True),
            ('context.appName != "shop"', False),
            ('context.namespace == "shop" && !(context.appName == "x" || false)', True),
            ('context.appLabels.tier == "gold"', False),
            ('context.appLabels["tier"] == "silver"', True),
            ('inputs.size == "web"', True),
            ('inputs.size == "other"', False),
            ('status.a.phase == "succeeded"', True),
            ('status["a"].succeeded && context.appName == "other"', False),
            ('status.a.phase != "failed"', True),
            ("!status.a.skipped", True),
        ],
    )
    def test_what_git_can_tell_decides(self, condition: str, *, holds: bool) -> None:
        body = application(self.GIVER, policies=[BY_NAME, BY_LABEL, BIG], workflow=self.steps(condition, **self.GIVEN))
        body["metadata"]["labels"] = {"tier": "silver"}
        found = placed(body, SOUTH)
        assert [one.key.name for one in found.desired.manifests] == (["web"] if holds else [])
        assert found.desired.behind.targets == ((NORTH,) if holds else ())

    @pytest.mark.parametrize(
        ("condition", "says"),
        [
            ('status.a.phase == "failed"', "only for what failed.*hook of failures"),
            ("status.a.failed || status.a.timeout", "only for what failed"),
            ("status.c.succeeded", "no step c before b.*Known are a"),
            ('context.spanID == "x"', "context.spanID is known only in a cluster"),
            ('inputs.other == "x"', "has no input other"),
            ('parameter.x == "y"', "can't be told from git"),
            ("context.appName", "neither true nor false"),
            ("context.appName ==", "is not read"),
            ("a ~ b", "is not read"),
            ('("x" == "x"', "is not read"),
        ],
    )
    def test_what_it_can_t_is_refused(self, condition: str, says: str) -> None:
        body = application(self.GIVER, policies=[BY_NAME, BY_LABEL, BIG], workflow=self.steps(condition, **self.GIVEN))
        with pytest.raises(Invalid, match=says):
            placed(body)

    def test_a_step_that_is_left_out_keeps_the_order_of_those_beside_it(self) -> None:
        steps = [deploy("a", "first"), {"name": "ask", "type": "suspend", "if": "false"}, deploy("c", "rest")]
        found = placed(application(web(), policies=[BY_NAME, BY_LABEL], workflow={"steps": steps}), SOUTH)
        assert found.desired.behind.targets == (NORTH,)
        assert notes(found, "Deployment web") == {}

    def test_a_group_that_is_left_out_takes_its_steps_along(self) -> None:
        group = {"name": "g", "type": "step-group", "if": "false", "subSteps": [deploy("a")]}
        after = deploy("b") | {"if": "status.a.skipped"}
        assert placed(application(web(), workflow={"steps": [group]})).desired.manifests == ()
        assert len(placed(application(web(), workflow={"steps": [group, after]})).desired.manifests) == 1


class TestHow:
    @pytest.mark.parametrize(
        ("policy", "expected"),
        [
            (rules("take-over"), {"converge/adopt": "takeOver"}),
            (rules("shared-resource"), {"converge/share": "true"}),
            (rules("garbage-collect", strategy="never"), {"converge/prune": "false"}),
            (rules("garbage-collect", strategy="onAppDelete"), {"converge/prune": "withApplication"}),
            (rules("resource-update", strategy={"op": "replace"}), {"converge/replace": "immutable"}),
            (
                {"name": "once", "type": "apply-once", "properties": {"enable": True}},
                {"converge/ignore": "*"},
            ),
            (
                {"name": "once", "type": "apply-once", "properties": {"enable": True, "rules": [
                    {"selector": {"componentNames": ["web"]}, "strategy": {"path": ["spec.replicas"]}},
                    {"strategy": {"path": ["spec.paused"], "affect": "onStateKeep"},
                     "selector": {"resourceTypes": ["Deployment"]}},
                ]}},
                {"converge/ignore": "spec.replicas\nspec.paused while held"},
            ),
        ],
        ids=lambda one: one.get("type", ""),
    )  # fmt: skip
    def test_a_policy_becomes_what_any_object_may_ask_for(self, policy: Any, expected: dict[str, str]) -> None:
        assert notes(placed(application(web(), policies=[policy])), "Deployment web") == expected

    def test_what_is_read_only_is_neither_written_nor_deleted(self) -> None:
        found = placed(application(web(), web("db"), policies=[rules("read-only")]))
        assert list(bodies(found)) == ["Deployment db"]
        assert [one.name for one in found.desired.spared] == ["web"]

    def test_paths_that_even_git_shall_not_reach_are_refused(self) -> None:
        strategy = {"path": ["spec.replicas"], "affect": "onUpdate"}
        once = {"enable": True, "rules": [{"selector": {"componentNames": ["web"]}, "strategy": strategy}]}
        with pytest.raises(Invalid, match="affect: onUpdate"):
            placed(application(web(), policies=[{"name": "once", "type": "apply-once", "properties": once}]))
