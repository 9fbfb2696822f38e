"""What of an Application is a target's own, and when it has its turn there: rendered as a placement renders it."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from controller.documents import canonical, decode, write
from controller.model import (
    PLATFORM,
    ApplicationName,
    CommitId,
    Digest,
    EnvironmentName,
    GroupRef,
    Invalid,
    MemoryTree,
    PlacementRef,
    RepositoryName,
    Revision,
    Stalled,
    TargetName,
)
from controller.render import (
    NO_FACTS,
    ChartArchive,
    ChartHead,
    ChartTemplate,
    ClusterFacts,
    Needed,
    Place,
    Rendered,
    RenderRequest,
    Result,
    Surroundings,
    head_of,
    render,
)
from controller.render.terraform import render_workspace

from .applications import application, web

PROD, DEV = EnvironmentName("prod"), EnvironmentName("dev")
NORTH, SOUTH, CLOUD = TargetName("north"), TargetName("south"), TargetName("cloud")
PLACES = {
    PROD: {
        NORTH: Place({"region": "north"}),
        SOUTH: Place({"region": "south"}),
        CLOUD: Place({}, is_cluster=False),
    },
    DEV: {TargetName("kind"): Place({"region": "desk"})},
}
HOST = "https://charts.example.com/stable"
AROUND = Surroundings(places=PLACES, applications={PROD: (ApplicationName("billing"), ApplicationName("shop"))})


def request(body: Any, target: TargetName = NORTH, *, around: Surroundings = AROUND, **files: bytes) -> RenderRequest:
    files = {"deploy/app.yaml": write(body), **{path.replace("__", "/"): data for path, data in files.items()}}
    return RenderRequest(
        placement=PlacementRef(PROD, ApplicationName("shop"), target),
        revision=Revision(CommitId("a" * 40), CommitId("b" * 40)),
        application=MemoryTree(files, RepositoryName("shop")),
        path="deploy",
        platform=MemoryTree({"converge.yaml": b""}, PLATFORM),
        namespace="shop",
        targets=(NORTH, SOUTH, CLOUD),
        surroundings=around,
    )


def placed(body: Any, target: TargetName = NORTH) -> Rendered:
    return render(request(body, target))


def bodies(found: Rendered) -> dict[str, Any]:
    return {f"{one.key.kind} {one.key.name}": decode(one.body) for one in found.desired.manifests}


def notes(found: Rendered, name: str) -> dict[str, str]:
    metadata = bodies(found)[name]["metadata"]
    return {key: one for key, one in metadata.get("annotations", {}).items() if key.startswith("converge/")}


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


class TestValues:
    def test_a_value_of_another_component_is_read_from_what_it_renders_to(self) -> None:
        giver = web("db", outputs=[{"name": "host", "valueFrom": 'output.metadata.name + "." + context.namespace'}])
        giver["properties"]["ports"] = [{"port": 5432, "expose": True}]
        giver["outputs"].append({"name": "port", "valueFrom": "outputs.webserviceExpose.spec.ports[0].name"})
        taker = web(inputs=[
            {"from": "host", "parameterKey": "env[0].value"}, {"from": "port", "parameterKey": "env[1].value"},
        ])  # fmt: skip
        taker["properties"]["env"] = [{"name": "HOST", "value": ""}, {"name": "PORT", "value": ""}]
        body = bodies(placed(application(taker, giver) | {"metadata": {"name": "shop", "namespace": "pay"}}))
        env = body["Deployment web"]["spec"]["template"]["spec"]["containers"][0]["env"]
        assert [one["value"] for one in env] == ["db.pay", "port-5432"]
        assert body["Deployment web"]["metadata"]["annotations"]["converge/wave"] == "1"

    @pytest.mark.parametrize(
        ("expression", "source", "says"),
        [
            ("output.status.podIP", "host", "nothing that the component renders to"),
            ("output.metadata.name", "hots", 'no component has an output "hots".*"host"'),
        ],
    )
    def test_a_value_that_only_a_cluster_knows_is_refused(self, expression: str, source: str, says: str) -> None:
        giver = web("db", outputs=[{"name": "host", "valueFrom": expression}])
        taker = web(inputs=[{"from": source, "parameterKey": "env[0].value"}])
        with pytest.raises(Invalid, match=says):
            placed(application(taker, giver))

    def test_a_circle_of_values_is_refused(self) -> None:
        one = web("a", inputs=[{"from": "y", "parameterKey": "cpu"}],
                  outputs=[{"name": "x", "valueFrom": "output.metadata.name"}])  # fmt: skip
        other = web("b", inputs=[{"from": "x", "parameterKey": "cpu"}],
                    outputs=[{"name": "y", "valueFrom": "output.metadata.name"}])  # fmt: skip
        with pytest.raises(Invalid, match="takes a value in from"):
            placed(application(one, other))


class TestModules:
    HCL = 'variable "name" {}\noutput "bucket" { value = var.name }\n'
    PLACE = {"type": "terraform", "name": "bucket"}  # noqa: RUF012

    def test_a_module_in_the_repository_is_the_terraform_targets_workspace(self) -> None:
        module = self.PLACE | {"properties": {"source": "modules/bucket", "variables": {"name": "assets"}}}
        asked = request(application(web(), module), CLOUD, **{"modules__bucket__main.tf": self.HCL.encode()})
        (found,) = render_workspace(asked).desired.manifests
        body = decode(found.body)
        assert isinstance(body, dict)
        assert (body["root"], body["variables"]) == ("modules/bucket", {"name": "assets"})

    def test_configuration_in_the_application_is_a_workspace_too(self) -> None:
        module = self.PLACE | {"properties": {"hcl": self.HCL, "variables": {"name": "assets"}}}
        (found,) = render_workspace(request(application(web(), module), CLOUD)).desired.manifests
        body = decode(found.body)
        assert isinstance(body, dict)
        assert body["files"] == {"deploy/bucket/main.tf": self.HCL}
        assert found.origin.path == "deploy/app.yaml"

    def test_a_cluster_leaves_the_module_to_the_terraform_target(self) -> None:
        module = self.PLACE | {"properties": {"hcl": self.HCL}}
        assert list(bodies(placed(application(web(), module)))) == ["Deployment web"]

    def test_a_module_without_a_terraform_target_is_refused(self) -> None:
        module = self.PLACE | {"properties": {"hcl": self.HCL}}
        around = Surroundings(places={PROD: {NORTH: Place()}})
        with pytest.raises(Invalid, match="no terraform target"):
            render(request(application(web(), module), around=around))

    def test_a_module_that_is_not_in_the_repository_is_refused(self) -> None:
        module = self.PLACE | {"properties": {"source": "https://git.example.com/modules.git"}}
        with pytest.raises(Invalid, match="there is no folder"):
            render_workspace(request(application(module), CLOUD))


class TestOthers:
    URL = "https://git.example.com/shop.git"
    FILES = {  # noqa: RUF012
        "base/kustomization.yaml": b"resources: [c.yaml]\nnamePrefix: a-\n",
        "base/c.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
        "charts/web/Chart.yaml": b"apiVersion: v2\nname: web\nversion: 1.0.0\n",
    }

    def asked(self, **component: Any) -> RenderRequest:
        body = application(web(), {"name": "beside", **component})
        files = {path.replace("/", "__"): data for path, data in self.FILES.items()}
        around = replace(AROUND, charts={f"{HOST}#redis": "reader"})
        return replace(request(body, around=around, **files), url=self.URL.removesuffix(".git"))

    def test_a_kustomization_of_the_repository_is_built_in_its_place(self) -> None:
        properties = {"url": self.URL, "path": "./base", "targetNamespace": "other"}
        found = render(self.asked(type="kustomize", properties=properties, dependsOn=["web"]))
        beside = next(one for one in found.desired.manifests if one.key.kind == "ConfigMap")
        assert (beside.key.name, beside.key.namespace, beside.origin.path) == ("a-c", "other", "base/c.yaml")
        assert notes(found, "ConfigMap a-c") == {"converge/wave": "1"}

    def test_a_chart_of_the_repository_is_asked_of_helm_with_the_components_values(self) -> None:
        properties = {"repoType": "git", "url": self.URL, "chart": "charts/web", "values": {"a": 1}}
        with pytest.raises(Needed) as caught:
            render(replace(self.asked(type="helm", properties=properties), prepared={ClusterFacts().digest: NO_FACTS}))
        (need,) = caught.value.needs
        assert isinstance(need, ChartTemplate)
        assert (need.release, need.path, [data for _, data in need.values]) == ("beside", "charts/web", [b'{"a":1}'])

    @pytest.mark.parametrize("version", ["^18.2", "18.x", "18.2", "*", ">=18 <19", f"~18.2@sha256:{'0' * 64}"])
    def test_a_range_of_versions_is_looked_up_and_its_digest_pinned(self, version: str) -> None:
        asked = self.from_host(version)
        with pytest.raises(Needed) as caught:
            render(asked)
        (head,) = caught.value.needs
        assert isinstance(head, ChartHead)
        assert (head.url, head.versions, head.credential) == (f"{HOST}#redis", version, "reader")
        assert (head.where.path, head.where.line > 1) == ("deploy/app.yaml", True)
        with pytest.raises(Needed) as caught:
            render(replace(asked, prepared={head.digest: head_of("18.2.3", "sha256:abc")}))
        (archive,) = caught.value.needs
        assert isinstance(archive, ChartArchive)
        assert archive.version == "18.2.3@sha256:abc"

    @pytest.mark.parametrize("version", ["18.2.3", "v18.2.3", f"18.2.3@sha256:{'0' * 64}"])
    def test_one_version_is_fetched_without_looking_it_up(self, version: str) -> None:
        with pytest.raises(Needed) as caught:
            render(self.from_host(version))
        (archive,) = caught.value.needs
        assert isinstance(archive, ChartArchive)
        assert archive.version == version

    def test_what_a_range_led_to_is_noted_on_its_objects_and_an_input(self) -> None:
        first, second = self.made("^18", "18.2.3"), self.made("^18", "18.2.4")
        assert first.follows == ("redis 18.2.3 sha256:18.2.3",)
        assert notes(first, "ConfigMap r") == {"converge/chart": "redis 18.2.3 sha256:18.2.3"}
        assert notes(first, "Deployment web") == {}
        assert first.desired.inputs != second.desired.inputs
        plain = self.made("18.2.3", "")
        assert plain.follows == ()
        assert notes(plain, "ConfigMap r") == {}

    def test_what_several_components_need_is_asked_for_at_once(self) -> None:
        with pytest.raises(Needed) as caught:
            render(self.from_host("^18", "^17", "16.0.0"))
        assert [type(one) for one in caught.value.needs] == [ChartHead, ChartHead, ChartArchive]

    def from_host(self, *versions: str) -> RenderRequest:
        properties = [{"url": HOST, "chart": "redis", "version": one} for one in versions]
        components = [{"name": f"r{n}", "type": "helm", "properties": one} for n, one in enumerate(properties)]
        around = replace(AROUND, charts={f"{HOST}#redis": "reader"})
        return request(application(web(), *components), around=around)

    def made(self, version: str, newest: str) -> Rendered:
        """Render as the engine does, with a chart of one ConfigMap."""
        asked = self.from_host(version)
        prepared: dict[Digest, Result | Stalled] = {}
        while True:
            try:
                return render(replace(asked, prepared=prepared))
            except Needed as needed:
                for need in needed.needs:
                    match need:
                        case ChartHead():
                            prepared[need.digest] = head_of(newest, f"sha256:{newest}")
                        case ChartArchive():
                            chart = base64.b64encode(b"apiVersion: v2\nname: redis\nversion: 18.2.3\n").decode()
                            prepared[need.digest] = canonical({"Chart.yaml": chart})
                        case ChartTemplate():
                            text = (
                                b"---\n# Source: redis/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: r}\n"
                            )
                            prepared[need.digest] = text
                        case _:
                            prepared[need.digest] = NO_FACTS

    @pytest.mark.parametrize(
        ("component", "says"),
        [
            ({"type": "helm", "properties": {"url": "https://charts.example.com", "chart": "redis"}}, "names no chart"),
            ({"type": "helm", "properties": {"repoType": "git", "url": "https://x", "chart": "a"}}, "lies outside"),
            (
                {"type": "helm", "properties": {"url": HOST, "chart": "redis", "version": "new"}},
                "no version, and no range",
            ),
            ({"type": "kustomize", "properties": {"url": "https://git.example.com/else", "path": "base"}}, "outside"),
            ({"type": "kustomize", "properties": {"url": URL, "path": "bse"}}, "holds no kustomization"),
            ({"type": "helm", "properties": {"repoType": "git", "url": URL, "chart": "base"}}, "holds no chart"),
        ],
    )
    def test_what_can_t_be_made_here_is_refused_with_what_to_do(self, component: dict[str, Any], says: str) -> None:
        with pytest.raises(Invalid, match=says):
            render(self.asked(**component))
