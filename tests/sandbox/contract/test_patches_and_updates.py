"""Replacements, the patches that are no apply, subresources: what changes, who is noted for it."""

from __future__ import annotations

from typing import Any

from tests.cluster.api import Api
from tests.sandbox.contract.objects import Object, config_map, deployment, entry, owned, settled


def container(live: Object) -> Any:
    return live["spec"]["template"]["spec"]["containers"][0]


async def test_a_create_owns_the_defaults_too(api: Api) -> None:
    live = await api.create(deployment(), fieldManager="maker")
    mine = owned(live, "maker", operation="Update")
    assert "f:revisionHistoryLimit" in mine["f:spec"]
    assert "." not in mine["f:spec"]


async def test_a_replacement_drops_what_it_does_not_name(api: Api) -> None:
    live = await api.create(config_map(x="1", y="2"))
    live = await api.replace({**live, "data": {"x": "1"}}, fieldManager="putter")
    assert live["data"] == {"x": "1"}
    assert entry(live, "putter", operation="Update") is None


async def test_a_replacement_with_the_same_content_writes_nothing(api: Api) -> None:
    live = await api.create(deployment())
    live = await settled(api)
    again = await api.replace(live)
    assert again["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]


async def test_a_replacement_keeps_what_the_server_gave(api: Api) -> None:
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]},
    }  # fmt: skip
    live = await api.create(service)
    again = await api.replace(service)
    assert again["spec"]["clusterIP"] == live["spec"]["clusterIP"]
    assert again["metadata"]["uid"] == live["metadata"]["uid"]


async def test_a_strategic_patch_merges_lists_by_their_keys(api: Api) -> None:
    body = deployment()
    container(body)["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    await api.create(body)
    change = {"name": "web", "env": [{"name": "B", "$patch": "delete"}, {"name": "C", "value": "3"}]}
    patch = {"spec": {"template": {"spec": {"containers": [change]}}}}
    live = await api.patch(body, patch, kind="strategic", fieldManager="patcher")
    assert sorted(one["name"] for one in container(live)["env"]) == ["A", "C"]
    assert container(live)["image"] == "nginx:1"


async def test_a_strategic_patch_replaces_a_strategy_whole(api: Api) -> None:
    await api.create(deployment())
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    live = await api.patch(deployment(), patch, kind="strategic")
    assert live["spec"]["strategy"] == {"type": "Recreate"}


async def test_a_merge_patch_removes_by_null(api: Api) -> None:
    await api.create(config_map(x="1", y="2"))
    live = await api.patch(config_map(), {"data": {"x": None, "z": "3"}}, fieldManager="patcher")
    assert live["data"] == {"y": "2", "z": "3"}
    assert owned(live, "patcher", operation="Update") == {"f:data": {"f:z": {}}}


async def test_a_json_patch_adds_replaces_and_removes(api: Api) -> None:
    await api.create(config_map(x="1", y="2"))
    operations = [
        {"op": "test", "path": "/data/x", "value": "1"},
        {"op": "replace", "path": "/data/x", "value": "9"},
        {"op": "remove", "path": "/data/y"},
        {"op": "add", "path": "/metadata/labels", "value": {"a/b": "c"}},
        {"op": "copy", "from": "/metadata/labels/a~1b", "path": "/data/z"},
    ]
    live = await api.patch(config_map(), operations, kind="json")
    assert (live["data"], live["metadata"]["labels"]) == ({"x": "9", "z": "c"}, {"a/b": "c"})


async def test_generations_count_changes_of_what_is_desired(api: Api) -> None:
    await api.create(deployment())
    live = await settled(api)
    assert live["metadata"]["generation"] == 1
    live = await api.patch(deployment(), {"metadata": {"labels": {"a": "b"}}})
    assert live["metadata"]["generation"] == 1
    live = await api.patch(deployment(), {"spec": {"replicas": 3}})
    assert live["metadata"]["generation"] == 2


async def test_the_scale_subresource_changes_replicas_alone(api: Api) -> None:
    await api.apply(deployment())
    scale = await api.get("apps/v1", "Deployment", "web", subresource="scale")
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 2})
    assert scale["status"]["selector"] == "app=web"
    await api.patch(deployment(), {"spec": {"replicas": 5}}, subresource="scale", fieldManager="scaler")
    live = await api.get("apps/v1", "Deployment", "web")
    assert live["spec"]["replicas"] == 5
    assert owned(live, "scaler", operation="Update", subresource="scale") == {"f:spec": {"f:replicas": {}}}


async def test_a_dry_run_of_every_kind_of_write_stores_nothing(api: Api) -> None:
    live = await api.create(config_map(x="1"))
    await api.create(config_map("other"), dryRun="All")
    await api.replace({**live, "data": {"x": "2"}}, dryRun="All")
    await api.patch(config_map(), {"data": {"x": "3"}}, dryRun="All")
    await api.patch(config_map(), [{"op": "remove", "path": "/data"}], kind="json", dryRun="All")
    assert await api.get("v1", "ConfigMap", "c") == live
    assert "other" not in {one["metadata"]["name"] for one in (await api.list("v1", "ConfigMap"))["items"]}


async def test_a_generated_name_is_completed(api: Api) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "c-"}}
    live = await api.create(body)
    assert live["metadata"]["name"].startswith("c-")
    assert len(live["metadata"]["name"]) == len("c-") + 5
