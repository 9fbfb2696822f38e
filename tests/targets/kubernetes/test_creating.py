"""A creation is looked at by a dry POST only where that finds all that an apply would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from controller.model import Action, ConvergeError
from controller.targets.kubernetes.connection import Connection, Request, Response
from controller.targets.kubernetes.creating import BUILT_IN_GROUPS, MERGE_KEYS, Permissions, is_plain
from controller.targets.kubernetes.discovery import Resource
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.targets.kubernetes.observing import login_to
from tests.targets.kubernetes.placing import Body, config_map, manifest, placed

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "creations.yaml").read_text())
CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True)


def body_of(case: dict[str, Any], namespace: str = "x") -> Body:
    body: Body = {**case["body"]}
    body["metadata"] = {"name": "a", "namespace": namespace, **body.get("metadata", {})}
    return body


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_only_an_apply_refuses_is_not_plain(case: dict[str, Any]) -> None:
    assert is_plain(body_of(case), "") is case["is_plain"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [({"a": [1]}, True), ({"a": [{"host": "x"}]}, False), ({"a": [{"name": "x"}, {"name": "y"}]}, False)],
)
def test_the_lists_of_a_custom_resource_have_merge_keys_that_nobody_told(spec: Body, expected: object) -> None:
    assert is_plain({"metadata": {"name": "a"}, "spec": spec}, "example.com") is expected


@pytest.mark.cluster
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
async def test_every_refusal_is_found_by_the_plan(cluster: KubeAccess, case: dict[str, Any]) -> None:
    async with placed(cluster) as place:
        body = body_of(case, place.namespace)
        if case["says"]:
            with pytest.raises(ConvergeError, match=case["says"].replace("[", r"\[")):
                await place.plan(config_map("good", place.namespace, x="1"), body)
        else:
            plan = await place.plan(config_map("good", place.namespace, x="1"), body)
            assert [one.action for one in plan.objects] == [Action.CREATE, Action.CREATE]
            assert place.sent.count("PATCH") == 0
        assert place.sent.writes == []


@pytest.mark.cluster
async def test_an_object_that_is_there_already_is_judged_by_an_apply(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        body = config_map("a", place.namespace, x="1")
        await api.create({**body, "data": {"x": "theirs"}})
        plan = await place.plan(body)
        (one,) = plan.objects
        assert one.action is Action.CHANGE
        assert "never ours" in one.objection


@pytest.mark.cluster
async def test_every_merge_key_of_the_built_in_kinds_is_known(cluster: KubeAccess) -> None:
    async with Connection("t", login_to(cluster)) as connection:
        answer = await connection.send(Request("GET", "/openapi/v2"))
    unknown: dict[str, object] = {}

    def walk(node: Any, where: str) -> None:
        if isinstance(node, dict):
            keys = node.get("x-kubernetes-list-map-keys")
            if isinstance(keys, list) and not set(keys) & set(MERGE_KEYS):
                unknown[where] = keys
            for name, value in node.items():
                walk(value, f"{where}.{name}")

    for name, definition in orjson.loads(answer.body)["definitions"].items():
        is_applied = name.startswith("io.k8s.api.") and "Status" not in name and "Condition" not in name
        if is_applied and name.split(".")[3] not in {"resource", "flowcontrol"}:
            walk(definition, name)
    assert unknown == {}
    assert "resource.k8s.io" not in BUILT_IN_GROUPS


async def test_where_not_all_namespaces_are_ours_each_is_asked_once() -> None:
    asked: list[str] = []

    async def send(request: Request) -> Response:
        asked.append(orjson.loads(request.body)["spec"]["resourceAttributes"]["namespace"])
        return Response(201, orjson.dumps({"status": {"allowed": asked[-1] == "mine"}}))

    permissions = Permissions(send)
    assert await permissions.may_patch(CONFIG_MAPS, "mine")
    assert await permissions.may_patch(CONFIG_MAPS, "mine")
    assert not await permissions.may_patch(CONFIG_MAPS, "theirs")
    assert asked == ["", "mine", "theirs"]
    permissions.forget(manifest(config_map("a", "mine")).key)
    assert await permissions.may_patch(CONFIG_MAPS, "mine")
    assert asked == ["", "mine", "theirs", "", "mine"]


async def test_a_server_that_does_not_tell_says_no() -> None:
    async def send(_: Request) -> Response:
        return Response(404, b"404 page not found")

    assert not await Permissions(send).may_patch(CONFIG_MAPS, "x")
