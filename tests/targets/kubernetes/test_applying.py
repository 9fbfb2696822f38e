"""Plans and applies on a real control plane: what is sent, what is there afterwards."""

from __future__ import annotations

import base64

import pytest

from controller.model import (
    Cause,
    Digest,
    Result,
    Revision,
    Stalled,
)
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.targets.kubernetes.placing import config_map, deployment, desired, placed, service

pytestmark = pytest.mark.cluster


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


async def test_without_preflight_a_first_sync_sends_one_request_per_object_and_two_for_the_parent(
    cluster: KubeAccess,
) -> None:
    async with placed(cluster) as place:
        place.policy(preflight=False)
        plan = await place.plan(config_map("a", place.namespace, x="1"), service("web", place.namespace))
        place.sent.clear()
        assert (await place.apply(plan)).is_complete
        assert len([one for one in place.sent.without_lease if one != "POST namespaces"]) == 4
