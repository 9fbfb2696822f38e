"""Values that components take of each other: of what they render to, and of what Terraform gives out."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from controller.documents import canonical
from controller.model import Behind, Decrypting, Invalid, JsonValue, Secret, Taken, Waiting
from controller.render import NOT_GIVEN, Needed, Rendered, TakenOutput, render

from .applications import application, web
from .placements import CLOUD, SOUTH, bodies, placed, request


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
            ("output.status.podIP", "host", "known to the cluster alone.*DNS name of a Service"),
            ("output.spec.clusterIp", "host", "nothing that the component renders to"),
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

    @pytest.mark.parametrize(
        ("key", "into"),
        [
            ("properties.env[0].value", ["env", "HOST"]),
            ('labels["example.com/host"]', ["labels", "example.com/host"]),
            ("traits[0].properties.HOST", ["env", "HOST"]),
        ],
    )
    def test_a_key_names_a_property_or_one_of_a_trait(self, key: str, into: list[str]) -> None:
        giver = web("db", outputs=[{"name": "host", "valueFrom": "output.metadata.name"}])
        taker = web("web", {"type": "annotations", "properties": {}}, inputs=[{"from": "host", "parameterKey": key}])
        taker["properties"]["env"] = [{"name": "HOST"}]
        body = bodies(placed(application(taker, giver)))["Deployment web"]
        template = body["spec"]["template"]
        match into:
            case ["env", _] if key.startswith("traits"):
                assert body["metadata"]["annotations"]["HOST"] == "db"
            case ["env", _]:
                assert template["spec"]["containers"][0]["env"] == [{"name": "HOST", "value": "db"}]
            case [_, name]:
                assert template["metadata"]["labels"][name] == "db"

    def test_a_step_that_applies_one_component_gives_and_takes_for_it(self) -> None:
        def step(name: str, **said: Any) -> dict[str, Any]:
            return {"name": name, "type": "apply-component", "properties": {"component": name}, **said}

        taker = web()
        taker["properties"]["env"] = [{"name": "HOST"}]
        steps = [
            step("db", outputs=[{"name": "host", "valueFrom": "output.metadata.name"}]),
            step("web", inputs=[{"from": "host", "parameterKey": "env[0].value"}]),
        ]
        body = bodies(placed(application(taker, web("db"), workflow={"steps": steps})))["Deployment web"]
        assert body["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "HOST", "value": "db"}]


HCL = """
variable "name" {}
output "url" { value = var.name }
output "port" { value = 80 }
output "token" {
  value     = var.name
  sensitive = true
}
"""
GIVEN: Mapping[str, JsonValue | Secret] = {"url": "https://a", "port": 8080, "token": Secret(b'"s3cr3t-canary"')}


def bucket(said: Mapping[str, Any] | None = None, **outputs: str) -> dict[str, Any]:
    given = [{"name": name, "valueFrom": expression} for name, expression in outputs.items()]
    return {"name": "bucket", "type": "terraform", "properties": {"hcl": HCL, **(said or {})}, "outputs": given}


def taking(key: str, **properties: Any) -> dict[str, Any]:
    return web(inputs=[{"from": "x", "parameterKey": key}], properties={"image": "a:1", **properties})


def taking_raw(kind: str, key: str) -> dict[str, Any]:
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "keys"}}
    return {"name": "r", "type": "raw", "properties": body, "inputs": [{"from": "x", "parameterKey": key}]}


def made(body: Any, given: Mapping[str, JsonValue | Secret] = GIVEN, *, only_encrypted: bool = False) -> Rendered:
    """Render as the engine does, with what a terraform target gives out."""
    asked = replace(request(body), decryption=Decrypting(only_encrypted=only_encrypted))
    with pytest.raises(Needed) as caught:
        render(asked)
    prepared = {}
    for need in caught.value.needs:
        assert isinstance(need, TakenOutput)
        assert need.target == CLOUD
        value = given.get(need.output)
        is_as_it_is = isinstance(value, Secret)
        prepared[need.digest] = value if is_as_it_is else canonical(value) if need.output in given else NOT_GIVEN
    return render(replace(asked, prepared=prepared))


def env_of(found: Rendered) -> Any:
    return bodies(found)["Deployment web"]["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"]


class TestTerraform:
    @pytest.mark.parametrize(
        ("expression", "value"),
        [
            ("output.status.apply.outputs.url.value", "https://a"),
            ("outputs.url", "https://a"),
            ('output.status.apply.outputs["url"].value + "/" + context.name', "https://a/bucket"),
        ],
    )
    def test_an_output_of_a_module_is_taken_in(self, expression: str, value: str) -> None:
        found = made(application(bucket(x=expression), taking("env[0].value", env=[{"name": "URL"}])))
        assert env_of(found) == value
        assert found.desired.takes == (Taken(CLOUD, "url"),)
        assert found.desired.behind == Behind((CLOUD,))

    def test_what_is_not_known_yet_stands_as_a_symbol(self) -> None:
        body = application(bucket(x='"a " + outputs.url'), taking("env[0].value", env=[{"name": "URL"}]))
        found = made(body, {})
        assert env_of(found) == "(known after apply): cloud.url"
        assert found.desired.takes == (Taken(CLOUD, "url", is_known=False),)

    def test_a_number_that_is_not_known_yet_is_waited_for(self) -> None:
        body = application(bucket(x="outputs.port"), taking("ports[0].port"))
        with pytest.raises(Waiting, match=r"waits for the output cloud\.port"):
            made(body, {})
        service = bodies(made(body))["Deployment web"]["spec"]["template"]["spec"]["containers"][0]["ports"]
        assert service[0]["containerPort"] == 8080

    def test_a_mistake_beside_a_number_that_is_not_known_yet_is_told(self) -> None:
        body = application(bucket(x="outputs.port"), taking("ports[0].port", cpu=1))
        with pytest.raises(Invalid, match="cpu: a number") as caught:
            made(body, {})
        assert "port" not in str(caught.value)

    def test_an_output_that_the_module_lacks_is_told_with_the_nearest_name(self) -> None:
        body = application(bucket(x="output.status.apply.outputs.ulr.value"), taking("image"))
        with pytest.raises(Invalid, match=r'module of bucket has no output "ulr"\. Did you mean "url"'):
            placed(body)

    def test_what_comes_behind_a_module_waits_for_its_target_and_nothing_else_does(self) -> None:
        behind = placed(application(bucket(), web("web", dependsOn=["bucket"])), SOUTH)
        assert behind.desired.behind == Behind((CLOUD,))
        assert placed(application(bucket(), web())).desired.behind == Behind()

    def test_a_sensitive_output_goes_into_a_secrets_values(self) -> None:
        found = made(application(bucket(x="outputs.token"), taking_raw("Secret", "stringData.T")))
        assert base64.b64decode(bodies(found)["Secret keys"]["data"]["T"]) == b"s3cr3t-canary"

    @pytest.mark.parametrize(
        "taker",
        [
            taking("env[0].value", env=[{"name": "T"}]),
            taking_raw("ConfigMap", "data.T"),
            taking_raw("Secret", "data.T"),
            taking_raw("Secret", "metadata.labels.T"),
        ],
    )
    def test_a_sensitive_output_goes_nowhere_else(self, taker: dict[str, Any]) -> None:
        with pytest.raises(Invalid, match=r"cloud\.token is sensitive") as caught:
            made(application(bucket(x="outputs.token"), taker))
        assert "s3cr3t" not in str(caught.value)
        assert "deploy/app.yaml" in str(caught.value)

    @pytest.mark.parametrize("given", [{"url": "https://a"}, {}])
    def test_a_secret_of_outputs_is_none_that_stands_in_git_in_the_clear(self, given: dict[str, JsonValue]) -> None:
        module = bucket({"writeConnectionSecretToRef": {"name": "conn"}, "hcl": 'output "url" { value = 1 }\n'})
        found = made(application(module), given, only_encrypted=True)
        assert list(bodies(found)) == ["Secret conn"]

    def test_the_secret_that_a_module_names_takes_all_outputs_in(self) -> None:
        found = made(application(bucket({"writeConnectionSecretToRef": {"name": "conn", "namespace": "other"}})))
        secret = bodies(found)["Secret conn"]
        assert secret["metadata"]["namespace"] == "other"
        assert {name: base64.b64decode(one).decode() for name, one in secret["data"].items()} == {
            "url": "https://a", "port": "8080", "token": "s3cr3t-canary",
        }  # fmt: skip
