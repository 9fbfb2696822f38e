"""Deletes: preconditions, finalizers, what goes with an object and what stays, the end of a namespace."""

from __future__ import annotations

import pytest

from tests.cluster.access import KubeAccess
from tests.cluster.api import Api, ApiError
from tests.sandbox.contract.objects import Object, config_map, deployment, settled

UID = "00000000-0000-0000-0000-000000000000"


async def test_a_delete_of_another_objects_uid_is_a_conflict(api: Api) -> None:
    await api.apply(config_map())
    with pytest.raises(ApiError) as refused:
        await api.delete(config_map(), uid=UID)
    assert (refused.value.code, refused.value.reason) == (409, "Conflict")
    assert "the UID in the precondition" in refused.value.message


async def test_a_delete_of_an_old_version_is_a_conflict(api: Api) -> None:
    live = await api.apply(config_map(x="1"))
    await api.apply(config_map(x="2"))
    with pytest.raises(ApiError) as refused:
        await api.delete(config_map(), resource_version=live["metadata"]["resourceVersion"])
    assert (refused.value.code, refused.value.reason) == (409, "Conflict")
    assert "the ResourceVersion in the precondition" in refused.value.message


async def test_a_delete_that_names_uid_and_version_deletes(api: Api) -> None:
    meta = (await api.apply(config_map()))["metadata"]
    answer = await api.delete(config_map(), uid=meta["uid"], resource_version=meta["resourceVersion"])
    assert (answer["status"], answer["details"]["uid"]) == ("Success", meta["uid"])
    with pytest.raises(ApiError) as refused:
        await api.get("v1", "ConfigMap", "c")
    assert refused.value.code == 404


async def test_a_dry_delete_deletes_nothing(api: Api) -> None:
    await api.apply(config_map())
    await api.delete(config_map(), dry_run=True)
    assert await api.get("v1", "ConfigMap", "c")


async def test_a_dry_run_in_the_query_is_not_read_when_there_is_a_body(api: Api) -> None:
    await api.apply(config_map())
    await api.request(
        "DELETE", await api.path_of(config_map()), query={"dryRun": "All"}, body={"kind": "DeleteOptions"}
    )
    await api.until("v1", "ConfigMap", "c", lambda live: live is None)
    await api.apply(config_map())
    await api.request("DELETE", await api.path_of(config_map()), query={"dryRun": "All"})
    assert await api.get("v1", "ConfigMap", "c")


async def test_a_finalizer_holds_an_object(api: Api) -> None:
    body = config_map(x="1")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    await api.apply(body)
    answer = await api.delete(body)
    assert answer["metadata"]["deletionTimestamp"]
    live = await api.patch(body, {"data": {"x": "2"}})
    assert live["data"] == {"x": "2"}
    await api.patch(body, {"metadata": {"finalizers": None}})
    await api.until("v1", "ConfigMap", "c", lambda live: live is None)


def owned_by(owner: Object, name: str) -> Object:
    body = config_map(name)
    body["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
    ]
    return body


async def test_what_an_object_owns_goes_with_it(api: Api) -> None:
    owner = await api.apply(config_map("owner"))
    await api.apply(owned_by(owner, "child"))
    await api.delete(owner)
    await api.until("v1", "ConfigMap", "child", lambda live: live is None)


async def test_what_is_orphaned_stays(api: Api) -> None:
    owner = await api.apply(config_map("owner"))
    await api.apply(owned_by(owner, "child"))
    await api.until("v1", "ConfigMap", "child", lambda live: live)
    await api.delete(owner, propagation="Orphan")
    await api.until("v1", "ConfigMap", "owner", lambda live: live is None)
    child = await api.get("v1", "ConfigMap", "child")
    assert "ownerReferences" not in child["metadata"]


async def test_in_the_foreground_the_owner_goes_last(api: Api) -> None:
    await api.apply(deployment())
    await settled(api)
    await api.delete(deployment(), propagation="Foreground")
    await api.until("apps/v1", "Deployment", "web", lambda live: live is None)
    assert (await api.list("apps/v1", "ReplicaSet"))["items"] == []


async def test_a_child_of_an_owner_that_was_never_there_goes(api: Api) -> None:
    owner = {"metadata": {"name": "ghost", "uid": UID}}
    await api.apply(owned_by(owner, "child"))
    await api.until("v1", "ConfigMap", "child", lambda live: live is None)


async def test_a_deployment_takes_its_pods_with_it(api: Api) -> None:
    await api.apply(deployment())
    await settled(api)
    pods = (await api.list("v1", "Pod"))["items"]
    assert len(pods) == 2
    await api.delete(deployment())
    for pod in pods:
        await api.until("v1", "Pod", pod["metadata"]["name"], lambda live: live is None)


async def test_a_namespace_ends_with_everything_in_it(api: Api, access: KubeAccess) -> None:
    await api.apply(deployment())
    await settled(api)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": access.namespace}}
    answer = await api.delete(namespace)
    assert answer["status"]["phase"] == "Terminating"
    await api.until("v1", "Namespace", access.namespace, lambda live: live is None, seconds=60)
    assert (await api.list("apps/v1", "Deployment"))["items"] == []


async def test_many_are_deleted_by_their_label(api: Api) -> None:
    for name in "ab":
        body = config_map(name)
        body["metadata"]["labels"] = {"many": "yes"}
        await api.apply(body)
    await api.apply(config_map("other"))
    await api.request("DELETE", await api.path("v1", "ConfigMap"), query={"labelSelector": "many=yes"})
    left = {one["metadata"]["name"] for one in (await api.list("v1", "ConfigMap"))["items"]}
    assert left >= {"other"}
    assert not left & {"a", "b"}
