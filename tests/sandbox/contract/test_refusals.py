"""What is refused, and how it is said: clients sort refusals by code, reason and causes, people read the messages."""

from __future__ import annotations

import os
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.access import KubeAccess
from tests.cluster.api import PATCH_TYPES, Api, ApiError
from tests.sandbox.contract.definitions import define
from tests.sandbox.contract.objects import Object, config_map, deployment, masked

FILE = Path(__file__).parent / "cases" / "refusals.yaml"
ANSWERS = FILE.with_name("refusals.answers.yaml")
CASES: list[Object] = yaml.safe_load(FILE.read_text())


def answers() -> dict[str, Object]:
    found: dict[str, Object] = (yaml.safe_load(ANSWERS.read_text()) if ANSWERS.exists() else None) or {}
    return found


def record(name: str, answer: Object) -> None:
    ANSWERS.write_text(yaml.safe_dump({**answers(), name: answer}, sort_keys=True, width=110))


async def send(api: Api, case: Object) -> Any:
    """Send one case's request."""
    verb = next(one for one in ("apply", "create", "replace", "patch", "get") if one in case)
    body: Any = case[verb]
    if verb == "get":
        return await api.request("GET", body.format(ns=api.access.namespace))
    query = {"fieldManager": case.get("manager", "contract"), **case.get("query", {"dryRun": "All"})}
    target = config_map("there") if verb == "patch" else body
    meta = target["metadata"]
    name = "" if verb == "create" else meta["name"]
    path = await api.path(target["apiVersion"], target["kind"], name, namespace=meta.get("namespace", ""))
    if "path" in case:
        path = case["path"].format(ns=api.access.namespace)
    method = {"apply": "PATCH", "create": "POST", "replace": "PUT", "patch": "PATCH"}[verb]
    media = PATCH_TYPES.get(case.get("type", verb), "application/json")
    return await api.request(method, path, query=query, body=body, headers={"Content-Type": media})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
async def test_a_refusal_has_the_real_servers_code_reason_and_words(api: Api, access: KubeAccess, case: Object) -> None:
    await api.apply(config_map("there", x="1"), manager="other")
    await api.apply(deployment("there"), manager="other")
    if "Widget" in str(case):
        await define(api)
    with pytest.raises(ApiError) as refused:
        await send(api, case)
    error = refused.value
    answer = masked(
        {
            "code": error.code,
            "reason": error.reason,
            "message": in_order(error.message),
            "fields": [cause["field"] for cause in error.causes],
        },
        namespace=access.namespace,
    )
    if os.environ.get("CONVERGE_RECORD") == "1" and access.ca:
        record(case["name"], answer)
        return
    assert answer == answers()[case["name"]]


def in_order(message: str) -> str:
    """Sort what the server says of each field: it goes through a Go map, whose order is another each time."""
    first, *rest = message.split("\n")
    return "\n".join([first, *sorted(rest)])


async def expect(code: int, reason: str, request: Awaitable[Any]) -> ApiError:
    with pytest.raises(ApiError) as refused:
        await request
    assert (refused.value.code, refused.value.reason) == (code, reason)
    return refused.value


async def test_nothing_new_comes_into_a_namespace_that_ends(api: Api, access: KubeAccess) -> None:
    held = config_map("held", x="1")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await api.apply(held)
    await api.delete({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": access.namespace}})
    error = await expect(403, "Forbidden", api.apply(config_map("late")))
    assert [cause["reason"] for cause in error.causes] == ["NamespaceTerminating"]
    await api.patch(held, {"metadata": {"finalizers": None}})


async def test_a_wrong_token_is_refused(access: KubeAccess) -> None:
    stranger = KubeAccess(
        server=access.server, kubeconfig=access.kubeconfig, ca=access.ca, token="wrong", namespace=access.namespace
    )
    async with Api.connect(stranger) as api:
        await expect(401, "Unauthorized", api.request("GET", "/api/v1/namespaces"))
