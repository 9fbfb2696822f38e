"""Plans and applies on a real control plane: what is sent, what is there afterwards."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace

import pytest

from controller.model import (
    Action,
    Cause,
    Digest,
    Health,
    Permitted,
    Plan,
    Result,
    Revision,
    Stalled,
    State,
    Transient,
    Waiting,
)
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.fixtures.waiting import eventually
from tests.targets.kubernetes.placing import Body, Place, config_map, deployment, desired, placed, service

pytestmark = pytest.mark.cluster


def actions(plan: Plan) -> dict[str, Action]:
    return {one.key.name: one.action for one in plan.objects}


async def test_a_first_sync_looks_once_and_writes_once_per_object_between_two_writes_of_the_parent(
    cluster: KubeAccess,
) -> None:
    async with placed(cluster) as place:
        plan = await place.plan(config_map("a", place.namespace, x="1"), service("web", place.namespace))
        place.sent.requests[:] = [one for one in place.sent.requests if one.method != "GET"]
        applied = await place.apply(plan)
        await place.target.observe(place.placement)

        assert applied.is_complete
        assert [one.result for one in applied.outcomes] == [Result.CREATED, Result.CREATED]
        parent = next(one for one in place.sent.without_lease if one.startswith("PUT converge-prod-shop-"))
        assert [one for one in place.sent.without_lease if one != "POST namespaces"] == [
            "POST configmaps (dry)",
            "POST services (dry)",
            "POST configmaps",
            "PATCH a",
            "PATCH web",
            parent,
        ]


async def test_an_update_sends_two_requests_per_changed_object_and_one_for_the_parent(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        ns = place.namespace
        await place.sync(config_map("a", ns, x="1"), config_map("b", ns, x="1"), service("web", ns))
        place.sent.clear()
        await place.sync(config_map("a", ns, x="2"), config_map("b", ns, x="1"), service("web", ns), commit="b")

        assert len(place.sent.without_lease) == 3
        assert place.sent.without_lease[:2] == ["PATCH a (dry)", "PATCH a"]


async def test_what_is_as_applied_costs_no_request_and_plans_nothing(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        bodies = [config_map("a", place.namespace, x="1"), service("web", place.namespace)]
        await place.sync(*bodies)
        place.sent.clear()
        plan = await place.plan(*bodies)
        applied = await place.apply(plan)

        assert plan.is_empty
        assert applied.is_complete
        assert place.sent.requests == []


async def test_after_a_restart_nothing_is_asked_or_written_for_what_is_as_applied(
    cluster: KubeAccess, api: Api
) -> None:
    ns = cluster.namespace
    bodies = [config_map("a", ns, x="1"), service("web", ns), deployment("web", ns)]
    async with placed(cluster) as place:
        await place.sync(*bodies)
        await api.until("apps/v1", "Deployment", "web", lambda one: one and one["status"].get("readyReplicas"))
    async with placed(cluster) as place:
        assert (await place.plan(*bodies)).is_empty
        assert not [one for one in place.sent.requests if one.method != "GET"]


async def test_a_field_that_git_drops_is_removed_and_one_that_others_added_stays(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        body = config_map("a", place.namespace, x="1", y="1")
        await place.sync(body)
        await api.patch(body, {"data": {"z": "theirs"}})
        await place.sync(config_map("a", place.namespace, x="1"), commit="b")

        assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"x": "1", "z": "theirs"}


async def test_a_pending_change_is_named_field_by_field(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        ns = place.namespace
        await place.sync(deployment("web", ns, image="nginx:1"))
        plan = await place.plan(deployment("web", ns, image="nginx:2", replicas=2), commit="b")

        (one,) = plan.objects
        assert {str(change.path[-1]): (change.before, change.after, change.cause) for change in one.changes} == {
            "image": ("nginx:1", "nginx:2", Cause.PENDING),
            "replicas": (1, 2, Cause.PENDING),
        }
        assert not one.force


async def test_a_hand_edit_is_drift_with_who_and_is_taken_back(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        body = deployment("web", place.namespace)
        await place.sync(body)
        patch = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "evil"}]}}}}
        await api.patch(body, patch, kind="strategic", fieldManager="mallory")
        await drifted(place)
        plan = await place.plan(body)

        (one,) = plan.objects
        (change,) = one.changes
        assert (change.before, change.after, change.cause) == ("evil", "nginx:1", Cause.DRIFT)
        assert change.editor is not None
        assert (change.editor.manager, change.editor.operation) == ("mallory", "Update")
        assert one.force
        assert (await place.apply(plan)).is_complete
        live = await api.get("apps/v1", "Deployment", "web")
        assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1"
        assert (await place.plan(body)).is_empty


async def drifted(place: Place) -> None:
    """Wait until the cache has seen that something moved."""

    def suspects() -> list[object]:
        return [one for one in place.target._cache.members(place.placement) if one.is_suspect]

    await eventually(suspects)


async def test_a_removed_field_is_drift_without_an_author(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        body = config_map("a", place.namespace, x="1", y="1")
        await place.sync(body)
        await api.patch(body, {"data": {"y": None}})
        await drifted(place)
        (one,) = (await place.plan(body)).objects

        assert [(change.path, change.editor) for change in one.changes] == [(("data", "y"), None)]


async def test_cleared_managers_are_taken_back_and_a_field_dropped_later_goes(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        body = config_map("a", place.namespace, x="1", y="1")
        await place.sync(body)
        await api.patch(body, {"metadata": {"managedFields": [{}]}})
        await drifted(place)
        plan = await place.plan(body)
        assert [change.path for change in plan.objects[0].changes] == [("metadata", "managedFields")]
        assert (await place.apply(plan)).is_complete
        managers = {one["manager"] for one in (await api.get("v1", "ConfigMap", "a"))["metadata"]["managedFields"]}
        await place.sync(config_map("a", place.namespace, x="1"), commit="b")

        assert managers == {"converge"}
        assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"x": "1"}


async def test_a_touch_that_changes_nothing_of_ours_is_no_drift(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        body = config_map("a", place.namespace, x="1")
        await place.sync(body)
        await api.patch(body, {"metadata": {"annotations": {"note": "theirs"}}})
        place.sent.clear()

        assert (await place.plan(body)).is_empty
        assert place.sent.without_lease == []


async def test_drift_and_pending_of_one_object_are_told_apart_also_after_a_restart(
    cluster: KubeAccess, api: Api
) -> None:
    ns = cluster.namespace
    async with placed(cluster) as place:
        body = config_map("a", ns, x="1", y="1", z="1")
        await place.sync(body)
        await api.patch(body, {"data": {"x": "edited"}}, fieldManager="mallory")
    async with placed(cluster) as place:
        plan = await place.plan(config_map("a", ns, x="1", y="2", z="1"), commit="b")
        (one,) = plan.objects
        assert {str(change.path[-1]): change.cause for change in one.changes} == {
            "x": Cause.DRIFT,
            "y": Cause.PENDING,
        }
        assert one.is_pending
        assert one.is_drifted
        assert (await place.apply(plan)).is_complete
    assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"x": "1", "y": "2", "z": "1"}


async def test_held_drift_stays_while_the_rest_is_applied(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        ns = place.namespace
        body = config_map("a", ns, x="1", y="1")
        await place.sync(body)
        await api.patch(body, {"data": {"x": "edited"}}, fieldManager="mallory")
        plan = await place.plan(config_map("a", ns, x="1", y="2"), commit="b")
        applied = await place.apply(holding(plan, ("data", "x")))

        assert applied.is_complete
        assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"x": "edited", "y": "2"}
        wanted = place.desired(config_map("a", ns, x="1", y="2"), commit="b").manifests[0].digest
        await eventually(lambda: place.target._cache.members(place.placement)[0].digest == wanted)
        again = await place.plan(config_map("a", ns, x="1", y="2"), commit="b")
        assert [(change.path, change.cause) for change in again.objects[0].changes] == [(("data", "x"), Cause.DRIFT)]


def holding(plan: Plan, *paths: tuple[str, ...]) -> Permitted:
    return Permitted(replace(plan, objects=tuple(replace(one, held=paths) for one in plan.objects)))


async def test_an_object_that_somebody_deleted_is_made_anew_as_drift(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        body = config_map("a", place.namespace, x="1")
        await place.sync(body)
        await api.delete(body)
        await eventually(lambda: not place.target._cache.members(place.placement))
        plan = await place.plan(body)

        assert [(one.action, one.cause) for one in plan.objects] == [(Action.CREATE, Cause.DRIFT)]
        assert (await place.apply(plan)).is_complete
        assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"x": "1"}


async def test_fields_that_were_never_ours_are_not_taken(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        body = config_map("a", place.namespace, x="1")
        await place.sync(body)
        await api.patch(body, {"data": {"y": "theirs"}}, fieldManager="autoscaler")
        (one,) = (await place.plan(config_map("a", place.namespace, x="1", y="ours"), commit="b")).objects

        assert "autoscaler manages data.y" in one.objection
        assert not one.force


@pytest.mark.parametrize(
    ("marks", "owner"),
    [
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, "Flux Kustomization"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:x/y"}}, "Argo CD"),
        ({"annotations": {"meta.helm.sh/release-name": "shop"}}, "Helm release"),
        ({"labels": {"applyset.kubernetes.io/part-of": "applyset-x-v1"}}, "ApplySet applyset-x-v1"),
    ],
)
async def test_what_another_tool_manages_is_refused_saying_whose_it_is(
    cluster: KubeAccess, api: Api, marks: dict[str, dict[str, str]], owner: str
) -> None:
    body = config_map("a", cluster.namespace, x="1")
    await api.create({**body, "metadata": {**body["metadata"], **marks}})
    async with placed(cluster) as place:
        (one,) = (await place.plan(body)).objects
        assert owner in one.objection


async def test_two_installations_never_touch_each_others_objects(cluster: KubeAccess) -> None:
    body = config_map("a", cluster.namespace, x="1")
    async with placed(cluster) as place:
        await place.sync(body)
    async with placed(cluster, installation=f"other-{cluster.namespace}") as other:
        (one,) = (await other.plan(body)).objects
        assert "another Converge installation" in one.objection


async def test_an_object_of_another_placement_stays_with_it(cluster: KubeAccess) -> None:
    body = config_map("a", cluster.namespace, x="1")
    async with placed(cluster) as place:
        await place.sync(body)
    async with placed(cluster, application="web") as other:
        (one,) = (await other.plan(body)).objects
        assert one.objection == "it belongs to prod/shop@hz"


async def test_an_unowned_object_that_agrees_is_adopted(cluster: KubeAccess, api: Api) -> None:
    body = config_map("a", cluster.namespace, x="1")
    await api.create(body)
    async with placed(cluster) as place:
        plan = await place.plan(body)
        (one,) = plan.objects
        assert (one.action, one.objection) == (Action.CHANGE, "")
        assert (await place.apply(plan)).is_complete
        assert (await place.plan(body)).is_empty


async def test_every_refusal_of_a_preflight_is_reported_and_nothing_is_written(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        ns = place.namespace
        odd = deployment("odd", ns)
        odd["spec"]["replicaz"] = 1
        bodies = [config_map("fine", ns, x="1"), odd, service("high", ns, port=99999)]
        with pytest.raises(Stalled) as caught:
            await place.plan(*bodies)

        assert "Deployment.apps" in str(caught.value)
        assert "spec.replicaz: field not declared in schema" in str(caught.value)
        assert "must be between 1 and 65535" in str(caught.value)
        assert "deploy/app.yaml:1" in str(caught.value)
        assert place.sent.writes == []


async def test_nothing_comes_after_the_first_failing_stage_and_every_failure_of_it_is_told(
    cluster: KubeAccess,
) -> None:
    async with placed(cluster) as place:
        place.policy(preflight=False)
        ns = place.namespace
        bodies = [service("one", ns, port=99999), service("two", ns, port=99998), deployment("web", ns)]
        applied = await place.sync(config_map("first", ns, x="1"), *bodies)

        results = {one.key.name: one.result for one in applied.outcomes}
        assert results == {
            "first": Result.CREATED,
            "one": Result.FAILED,
            "two": Result.FAILED,
            "web": Result.SKIPPED,
        }
        assert isinstance(applied.failure, Stalled)
        assert "99999" in str(applied.failure)
        assert "99998" in str(applied.failure)
        observation = await place.target.observe(place.placement)
        assert observation.applied is None


async def test_a_missing_namespace_is_stalled_unless_the_entry_creates_it(cluster: KubeAccess, api: Api) -> None:
    name = f"{cluster.namespace}-new"
    async with placed(cluster) as place:
        with pytest.raises(Stalled, match="createNamespace: true"):
            await place.plan(config_map("a", name, x="1"))
        place.entry(namespace=name, create_namespace=True)
        applied = await place.sync(config_map("a", name, x="1"))
        assert applied.is_complete
        plan = await place.plan()
        assert all(one.key.kind != "Namespace" for one in plan.objects)
    await api.request("DELETE", f"/api/v1/namespaces/{name}")


async def test_a_namespace_and_what_lives_in_it_come_in_one_revision(cluster: KubeAccess) -> None:
    name = f"{cluster.namespace}-own"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    async with placed(cluster) as place:
        applied = await place.sync(config_map("a", name, x="1"), namespace)
        assert applied.is_complete
        assert [one.key.kind for one in applied.outcomes] == ["Namespace", "ConfigMap"]


def definition(group: str) -> Body:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": "Widget", "plural": "widgets"},
            "scope": "Namespaced",
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}},
            ],
        },
    }


async def test_a_definition_and_its_objects_come_in_one_revision_and_go_in_one(cluster: KubeAccess, api: Api) -> None:
    group = f"{cluster.namespace}.example.com"
    metadata = {"name": "w", "namespace": cluster.namespace}
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": metadata, "spec": {"size": 1}}
    async with placed(cluster) as place:
        applied = await place.sync(widget, definition(group))
        assert applied.failure is None
        assert [one.key.kind for one in applied.outcomes] == ["CustomResourceDefinition", "Widget"]
        assert (await place.plan(widget, definition(group))).is_empty
        place.entry(state=State.ABSENT)
        gone = await place.sync(commit="b")
        assert gone.failure is None
        assert [one.key.kind for one in gone.outcomes] == ["Widget", "CustomResourceDefinition", "ConfigMap"]
        assert await place.target.placements() == ()


async def test_a_kind_that_nothing_defines_waits_for_its_definition(cluster: KubeAccess) -> None:
    body = {
        "apiVersion": "nobody.example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "x", "namespace": cluster.namespace},
    }
    async with placed(cluster) as place:
        with pytest.raises(Waiting, match=r"Thing\.nobody\.example\.com"):
            await place.plan(body)


async def test_a_later_wave_waits_for_the_health_of_the_earlier_one(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        ns = place.namespace
        order: list[str] = []

        def note(request: object) -> None:
            path = getattr(request, "path", "")
            if path.endswith("/deployments/second") and ("dryRun", "All") not in getattr(request, "query", ()):
                members = place.target._cache.members(place.placement)
                order.extend(str(one.health) for one in members if one.key.name == "first")

        place.sent.on_request = note
        applied = await place.sync(deployment("second", ns, wave=1), deployment("first", ns))

        assert applied.failure is None
        assert order == [Health.HEALTHY]


async def test_a_wave_that_does_not_become_healthy_is_said_at_the_deadline(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        place.policy(health_seconds=1)
        ns = place.namespace
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "never", "namespace": ns},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "",
                "volumeName": "none-such",
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }
        applied = await place.sync(claim, deployment("second", ns, wave=1))

        assert isinstance(applied.failure, Waiting)
        assert "never" in str(applied.failure)
        assert [one.result for one in applied.outcomes] == [Result.CREATED, Result.SKIPPED]


async def test_a_newer_commit_ends_a_wait(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        ns = place.namespace
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "never", "namespace": ns},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "none-such",
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }
        plan = await place.plan(claim, deployment("second", ns, wave=1))
        superseded = asyncio.Event()
        task = asyncio.create_task(place.target.apply(Permitted(plan), place.application, superseded=superseded))
        await eventually(lambda: place.sent.count("PATCH", part="never", is_dry=False))
        superseded.set()
        applied = await task

        assert isinstance(applied.failure, Transient)


async def test_an_object_that_moved_since_the_plan_is_looked_at_again(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        body = config_map("a", place.namespace, x="1", y="1")
        await place.sync(body)
        await api.patch(body, {"data": {"x": "edited"}}, fieldManager="mallory")
        await drifted(place)
        plan = await place.plan(body)
        await api.patch(body, {"metadata": {"annotations": {"note": "harmless"}}})
        assert (await place.apply(plan)).is_complete

        await api.patch(body, {"data": {"x": "edited"}}, fieldManager="mallory")
        await drifted(place)
        plan = await place.plan(body)
        await api.patch(body, {"data": {"y": "also"}}, fieldManager="mallory")
        applied = await place.apply(plan)
        assert isinstance(applied.failure, Transient)
        assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"x": "edited", "y": "also"}


async def test_secret_values_are_hidden_in_plans_and_refusals(cluster: KubeAccess) -> None:
    canary = base64.b64encode(b"canary-7431").decode()

    def secret(value: str) -> dict[str, object]:
        metadata = {"name": "s", "namespace": cluster.namespace}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"password": value}}

    async with placed(cluster) as place:
        await place.sync(secret(base64.b64encode(b"old").decode()))
        plan = await place.plan(secret(canary), commit="b")
        assert [str(change.after) for change in plan.objects[0].changes] == ["•••"]
        assert canary not in repr([one.changes for one in plan.objects])
        with pytest.raises(Stalled) as caught:
            await place.plan(secret("canary-7431 is no base64"), commit="c")
        assert "canary" not in str(caught.value)


async def test_the_hash_of_a_plan_tells_of_its_content_and_not_of_commits(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        ns = place.namespace
        await place.sync(config_map("a", ns, x="1"))
        one = await place.plan(config_map("a", ns, x="2"), commit="b")
        same = await place.plan(config_map("a", ns, x="2"), commit="c")
        other = await place.plan(config_map("a", ns, x="3"), commit="b")

        assert one.hash == same.hash
        assert one.hash != other.hash


async def test_an_observation_tells_the_revision_that_was_applied_whole(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        body = config_map("a", place.namespace, x="1")
        await place.sync(body)
        wanted = desired(place.placement, [body])
    async with placed(cluster) as place:
        await place.target.placements()
        await place.plan(body)
        observation = await place.target.observe(place.placement)

        assert observation.applied == Revision(wanted.revision.application, wanted.revision.platform)
        assert observation.applied_digest == Digest(wanted.digest)
        assert [one.digest for one in observation.objects] == [wanted.manifests[0].digest]


async def test_a_created_namespace_that_somebody_deleted_comes_back_with_what_was_in_it(
    cluster: KubeAccess, api: Api
) -> None:
    name = f"{cluster.namespace}-gone"
    async with placed(cluster) as place:
        place.entry(namespace=name, create_namespace=True)
        body = config_map("a", name, x="1")
        assert (await place.sync(body)).is_complete
        await api.request("DELETE", f"/api/v1/namespaces/{name}")
        await api.until("v1", "Namespace", name, lambda one: one is None)
        await eventually(lambda: not place.target._cache.members(place.placement))
        with pytest.raises((Transient, Waiting)):  # it has gone, or the server says for a moment that it still goes
            await place.plan(body)
        plan = await planned(place, body)
        assert [(one.key.kind, one.cause) for one in plan.objects] == [
            ("Namespace", Cause.PENDING),
            ("ConfigMap", Cause.DRIFT),
        ]
        assert (await place.apply(plan)).is_complete
    await api.request("DELETE", f"/api/v1/namespaces/{name}")


async def planned(place: Place, body: Body) -> Plan:
    """Plan until the server knows that a namespace has gone."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await place.plan(body)
            except (Transient, Waiting):
                await asyncio.sleep(0.02)


async def test_a_wave_that_is_no_number_stops_the_plan(cluster: KubeAccess) -> None:
    async with placed(cluster) as place:
        body = config_map("a", place.namespace, x="1")
        body["metadata"]["annotations"] = {"converge/wave": "soon"}
        with pytest.raises(Stalled, match="whole number"):
            await place.plan(body)


async def test_without_preflight_a_first_sync_sends_one_request_per_object_and_two_for_the_parent(
    cluster: KubeAccess,
) -> None:
    async with placed(cluster) as place:
        place.policy(preflight=False)
        plan = await place.plan(config_map("a", place.namespace, x="1"), service("web", place.namespace))
        place.sent.clear()
        assert (await place.apply(plan)).is_complete
        assert len([one for one in place.sent.without_lease if one != "POST namespaces"]) == 4


async def test_a_changed_definition_is_written_before_its_objects_are_looked_at(cluster: KubeAccess) -> None:
    group = f"{cluster.namespace}.example.com"
    strict = definition(group)
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    strict["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema
    wider = definition(group)
    wider_schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"size": {"type": "integer"}, "colour": {"type": "string"}}}
        },
    }
    wider["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = wider_schema
    metadata = {"name": "w", "namespace": cluster.namespace}
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": metadata, "spec": {"size": 1}}
    async with placed(cluster) as place:
        assert (await place.sync(widget, strict)).failure is None
        coloured = {**widget, "spec": {"size": 1, "colour": "red"}}
        assert (await place.sync(coloured, wider, commit="b")).failure is None
        place.entry(state=State.ABSENT)
        assert (await place.sync(commit="c")).failure is None
