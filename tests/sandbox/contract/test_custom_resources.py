"""Custom resources: served once their definition is there, kept to its schema, owned by its list keys."""

from __future__ import annotations

import secrets

import pytest

from tests.cluster.access import KubeAccess
from tests.cluster.api import Api, ApiError
from tests.cluster.kubectl import Kubectl
from tests.sandbox.contract.definitions import GROUP, define, definition, widget
from tests.sandbox.contract.objects import owned


@pytest.fixture(autouse=True)
async def defined(api: Api) -> None:
    await define(api)


async def test_defaults_come_in_and_belong_to_nobody(api: Api) -> None:
    live = await api.apply(widget())
    assert live["spec"] == {"size": 1, "color": "red"}
    assert owned(live, "converge") == {"f:spec": {"f:size": {}}}
    assert live["metadata"]["generation"] == 1


async def test_lists_are_known_by_the_definitions_keys(api: Api) -> None:
    await api.apply(widget(parts=[{"name": "a", "count": 1}]))
    body = widget(parts=[{"name": "b", "count": 2}])
    del body["spec"]["size"]
    live = await api.apply(body, manager="other")
    assert [one["name"] for one in live["spec"]["parts"]] == ["a", "b"]
    assert owned(live, "other") == {"f:spec": {"f:parts": {'k:{"name":"b"}': {".": {}, "f:count": {}, "f:name": {}}}}}


async def test_other_lists_are_one_field_and_free_fields_are_many(api: Api) -> None:
    live = await api.apply(widget(tags=["a", "b"], free={"x": {"y": 1}, "z": [1]}))
    assert owned(live, "converge")["f:spec"] == {
        "f:size": {}, "f:tags": {}, "f:free": {"f:x": {".": {}, "f:y": {}}, "f:z": {}},
    }  # fmt: skip


async def test_unknown_fields_are_dropped_from_a_create(api: Api) -> None:
    live = await api.create(widget(foo=1))
    assert "foo" not in live["spec"]


async def test_status_is_written_through_its_subresource_only(api: Api) -> None:
    body = {**widget(), "status": {"phase": "Ready"}}
    live = await api.create(body)
    assert "status" not in live
    live = await api.patch(body, {"status": {"phase": "Ready"}, "spec": {"size": 9}}, subresource="status")
    assert (live["status"], live["spec"]["size"], live["metadata"]["generation"]) == ({"phase": "Ready"}, 1, 1)
    live = await api.patch(body, {"status": {"phase": "Gone"}, "spec": {"size": 9}})
    assert (live["status"], live["spec"]["size"], live["metadata"]["generation"]) == ({"phase": "Ready"}, 9, 2)


async def test_strategic_patches_are_not_for_custom_resources(api: Api) -> None:
    await api.apply(widget())
    with pytest.raises(ApiError) as refused:
        await api.patch(widget(), {"spec": {"size": 2}}, kind="strategic")
    assert (refused.value.code, refused.value.reason) == (415, "UnsupportedMediaType")


async def test_kubectl_prints_the_definitions_columns(api: Api, kubectl: Kubectl) -> None:
    await api.apply(widget(size=7))
    printed = await kubectl("get", "wd")
    header, row = (line.split() for line in printed.out.splitlines())
    assert (header[:2], row[:2]) == (["NAME", "SIZE"], ["w", "7"])


async def test_a_definition_goes_with_its_objects(api: Api, access: KubeAccess) -> None:
    group = f"g{secrets.token_hex(4)}.example.com"
    body = definition(group=group, kind="Gadget")
    body["spec"]["names"]["shortNames"] = []
    await define(api, body)
    gadget = {"apiVersion": f"{group}/v1", "kind": "Gadget", "metadata": {"name": "g"}, "spec": {"size": 1}}
    path = f"/apis/{group}/v1/namespaces/{access.namespace}/gadgets"
    await api.request("POST", path, body=gadget)
    await api.delete(body)
    await api.until(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", f"gadgets.{group}", lambda live: live is None
    )


async def test_a_definition_is_discovered(api: Api) -> None:
    resources = (await api.request("GET", f"/apis/{GROUP}/v1"))["resources"]
    assert {one["name"] for one in resources} >= {"widgets", "widgets/status"}
