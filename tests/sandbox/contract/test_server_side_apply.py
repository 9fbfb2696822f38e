"""Server-side apply: what it creates, changes, removes, refuses, and when it writes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.access import KubeAccess
from tests.cluster.api import Api, ApiError
from tests.sandbox.contract.objects import Object, config_map, deployment, entry, owned, settled

ELSEWHERE = "00000000-0000-4000-8000-000000000000"  # a uid that no object here has


async def test_the_first_apply_creates(api: Api, access: KubeAccess) -> None:
    live = await api.apply(config_map(x="1"))
    assert live["metadata"]["namespace"] == access.namespace
    assert owned(live, "converge") == {"f:data": {"f:x": {}}}


async def test_the_same_apply_again_writes_nothing(api: Api) -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "0.5"}}
    await api.apply(body)
    first = await settled(api)
    again = await api.apply(body)
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert entry(again, "converge") == entry(first, "converge")


async def test_a_dry_run_says_what_would_be_and_stores_nothing(api: Api) -> None:
    planned = await api.apply(config_map(x="1"), dry_run=True)
    assert planned["data"] == {"x": "1"}
    assert (await api.list("v1", "ConfigMap", labelSelector="!no", fieldSelector="metadata.name=c"))["items"] == []
    first = await api.apply(config_map(x="1"))
    planned = await api.apply(config_map(x="2"), dry_run=True)
    assert planned["data"] == {"x": "2"}
    assert planned["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert (await api.get("v1", "ConfigMap", "c"))["data"] == {"x": "1"}


async def test_a_field_that_we_no_longer_apply_goes(api: Api) -> None:
    await api.apply(config_map(x="1", y="2"))
    live = await api.apply(config_map(x="1"))
    assert live["data"] == {"x": "1"}


async def test_a_field_that_others_own_too_stays_when_we_let_go_of_it(api: Api) -> None:
    await api.apply(config_map(x="1", y="2"))
    await api.apply(config_map(y="2"), manager="other")
    live = await api.apply(config_map(x="1"))
    assert live["data"] == {"x": "1", "y": "2"}
    assert owned(live, "other") == {"f:data": {"f:y": {}}}


async def test_a_required_field_let_go_of_goes_back_to_its_default(api: Api) -> None:
    await api.apply(deployment(replicas=3))
    body = deployment()
    del body["spec"]["replicas"]
    live = await api.apply(body)
    assert live["spec"]["replicas"] == 1


async def test_a_handover_keeps_the_value(api: Api) -> None:
    await api.apply(deployment(replicas=3))
    released = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 3}}
    await api.apply(released, manager="converge-released")
    body = deployment()
    del body["spec"]["replicas"]
    live = await api.apply(body)
    assert live["spec"]["replicas"] == 3
    assert owned(live, "converge-released") == {"f:spec": {"f:replicas": {}}}


async def test_an_equal_value_is_shared_without_a_conflict(api: Api) -> None:
    await api.apply(config_map(x="1"))
    live = await api.apply(config_map(x="1"), manager="other")
    assert owned(live, "converge") == owned(live, "other") == {"f:data": {"f:x": {}}}


async def test_a_manager_that_applies_nothing_more_is_forgotten(api: Api) -> None:
    await api.apply(config_map(x="1"))
    live = await api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}})
    assert "data" not in live
    assert entry(live, "converge") is None


async def test_a_conflict_names_every_field_and_owner(api: Api) -> None:
    await api.apply(config_map(x="1", y="1"), manager="one")
    await api.patch(config_map(), {"data": {"z": "1"}}, fieldManager="two")
    with pytest.raises(ApiError) as refused:
        await api.apply(config_map(x="2", y="2", z="2"))
    error = refused.value
    assert (error.code, error.reason) == (409, "Conflict")
    assert error.message == (
        'Apply failed with 3 conflicts: conflicts with "one":\n- .data.x\n- .data.y\n'
        'conflicts with "two" using v1:\n- .data.z'
    )
    assert {(cause["reason"], cause["field"]) for cause in error.causes} == {
        ("FieldManagerConflict", ".data.x"),
        ("FieldManagerConflict", ".data.y"),
        ("FieldManagerConflict", ".data.z"),
    }


async def test_force_takes_the_field_and_leaves_the_loser_the_rest(api: Api) -> None:
    await api.apply(config_map(x="1", y="1"), manager="one")
    live = await api.apply(config_map(x="2"), force=True)
    assert live["data"] == {"x": "2", "y": "1"}
    assert owned(live, "one") == {"f:data": {"f:y": {}}}
    live = await api.apply(config_map(x="2", y="2"), force=True)
    assert entry(live, "one") is None


async def test_list_elements_merge_by_their_keys_and_others_keep_their_places(api: Api) -> None:
    def body(*names: str) -> Object:
        one = deployment()
        one["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": name, "value": name} for name in names]
        return one

    await api.apply(body("A", "B", "C"))
    await api.apply(body("X"), manager="other")
    live = await api.apply(body("C", "A"))
    assert [one["name"] for one in env(live)] == ["C", "X", "A"]


def env(live: Object) -> list[Any]:
    found: list[Any] = live["spec"]["template"]["spec"]["containers"][0]["env"]
    return found


async def test_an_atomic_list_is_one_field(api: Api) -> None:
    body = {
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"},
        "spec": {"rules": [{"host": "a.example"}, {"host": "b.example"}]},
    }  # fmt: skip
    live = await api.apply(body)
    assert owned(live, "converge") == {"f:spec": {"f:rules": {}}}


async def test_a_null_is_owned_and_not_stored(api: Api) -> None:
    body = deployment()
    body["spec"]["paused"] = None
    live = await api.apply(body)
    assert "paused" not in live["spec"]
    assert "f:paused" in owned(live, "converge")["f:spec"]


async def test_string_data_is_folded_and_owned_where_it_was_written(api: Api) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"x": "1"}}
    live = await api.apply(body)
    assert live["data"] == {"x": "MQ=="}
    assert "stringData" not in live
    assert owned(live, "converge") == {"f:stringData": {"f:x": {}}}


async def test_an_unforced_apply_of_a_moved_version_is_a_conflict(api: Api) -> None:
    live = await api.apply(config_map(x="1"))
    await api.apply(config_map(x="2"))
    stale = config_map(x="3")
    stale["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
    with pytest.raises(ApiError) as refused:
        await api.apply(stale)
    assert (refused.value.code, refused.value.reason) == (409, "Conflict")
    assert refused.value.causes == []


async def test_status_applied_to_the_object_itself_is_ignored(api: Api) -> None:
    body = deployment()
    body["status"] = {"replicas": 7}
    live = await api.apply(body)
    assert "f:status" not in owned(live, "converge")
    assert live["status"].get("replicas", 0) != 7


async def test_a_set_merges_by_value(api: Api) -> None:
    body = config_map(x="1")
    body["metadata"]["finalizers"] = ["example.com/one"]
    await api.apply(body)
    other = config_map()
    del other["data"]
    other["metadata"]["finalizers"] = ["example.com/two"]
    live = await api.apply(other, manager="other")
    assert live["metadata"]["finalizers"] == ["example.com/one", "example.com/two"]
    assert owned(live, "other") == {"f:metadata": {"f:finalizers": {'v:"example.com/two"': {}}}}
    live = await api.apply(config_map(x="1"))
    assert live["metadata"]["finalizers"] == ["example.com/two"]
    await api.patch(config_map(), {"metadata": {"finalizers": None}})


def with_uid(body: Object, uid: str) -> Object:
    return {**body, "metadata": {**body["metadata"], "uid": uid}}


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry", "written"])
async def test_a_uid_of_nothing_that_is_there_creates_nothing(api: Api, *, dry_run: bool) -> None:
    with pytest.raises(ApiError) as refused:
        await api.apply(with_uid(config_map(x="1"), ELSEWHERE), dry_run=dry_run)
    assert (refused.value.code, refused.value.reason) == (409, "Conflict")
    assert refused.value.causes == []
    assert (await api.list("v1", "ConfigMap", fieldSelector="metadata.name=c"))["items"] == []


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry", "written"])
@pytest.mark.parametrize("force", [True, False], ids=["forced", "unforced"])
async def test_a_uid_of_another_object_is_an_immutable_field(api: Api, *, force: bool, dry_run: bool) -> None:
    for body in (config_map(x="1"), deployment()):
        await api.apply(body)
        with pytest.raises(ApiError) as refused:
            await api.apply(with_uid(body, ELSEWHERE), force=force, dry_run=dry_run)
        error = refused.value
        assert (error.code, error.reason) == (422, "Invalid")
        assert {cause["field"] for cause in error.causes} == {"metadata.uid"}
        assert "field is immutable" in error.message


async def test_who_owns_a_field_is_said_before_a_uid_is_looked_at(api: Api) -> None:
    await api.apply(config_map(x="1"), manager="other")
    with pytest.raises(ApiError) as refused:
        await api.apply(with_uid(config_map(x="2"), ELSEWHERE))
    assert {cause["reason"] for cause in refused.value.causes} == {"FieldManagerConflict"}


async def test_a_uid_that_was_right_belongs_to_nobody_and_writes_nothing(api: Api) -> None:
    for body in (config_map(x="1"), deployment()):
        first = await api.apply(body) if body["kind"] == "ConfigMap" else await settled_apply(api, body)
        again = await api.apply(with_uid(body, first["metadata"]["uid"]))
        assert "f:uid" not in owned(again, "converge").get("f:metadata", {})
        assert owned(again, "converge") == owned(first, "converge")
        assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def settled_apply(api: Api, body: Object) -> Object:
    await api.apply(body)
    return await settled(api)
