"""What git no longer says, on a real control plane: what goes, what stays, and why."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from controller.model import Action, InstallationId, ObjectPlan, Permitted, Plan, Result, State, Transient, Waiting
from controller.targets.kubernetes.labels import APPLYSET_GROUP_KINDS_ANNOTATION, parent_key
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api, ApiError
from tests.fixtures.waiting import eventually
from tests.targets.kubernetes.placing import Place, config_map, deployment, placed, service

pytestmark = pytest.mark.cluster


def gated(plan: Plan) -> Permitted:
    """Hold back what carries an objection, as the gate does."""
    return Permitted(
        replace(
            plan, objects=tuple(replace(one, action=Action.NOTHING) if one.objection else one for one in plan.objects)
        )
    )


def deletions(plan: Plan) -> dict[str, ObjectPlan]:
    return {one.key.name: one for one in plan.objects if one.action is Action.DELETE}


async def names(api: Api, kind: str = "ConfigMap") -> set[str]:
    listed = await api.list("v1", kind)
    return {one["metadata"]["name"] for one in listed["items"]} - {"kube-root-ca.crt"}


async def test_what_git_drops_goes_last_with_preconditions(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        ns = place.namespace
        await place.sync(config_map("a", ns, x="1"), config_map("b", ns, x="1"))
        place.sent.clear()
        applied = await place.sync(config_map("a", ns, x="2"), commit="b")

        assert [(one.key.name, one.result) for one in applied.outcomes] == [
            ("a", Result.CONFIGURED),
            ("b", Result.PRUNED),
        ]
        request = next(one for one in place.sent.requests if one.method == "DELETE")
        assert b'"uid":"' in request.body
        assert b'"resourceVersion":"' in request.body
        assert await names(api) == {"a"}


async def test_a_kind_is_forgotten_with_its_last_object_however_the_server_answers(
    cluster: KubeAccess, api: Api
) -> None:
    """To the deletion of a Service it answers with the Service, not with a Status."""
    async with placed(cluster) as place:
        ns = place.namespace
        await place.sync(config_map("a", ns, x="1"), service("web", ns))
        await place.sync(config_map("a", ns, x="2"), commit="b")
        observation = await place.target.observe(place.placement)
        assert [one.key.kind for one in observation.objects] == ["ConfigMap"]
        parent = parent_key(InstallationId(f"i-{ns}"), place.placement)
        live = await api.get("v1", "ConfigMap", parent.name, namespace=parent.namespace)
        assert live["metadata"]["annotations"][APPLYSET_GROUP_KINDS_ANNOTATION] == "ConfigMap"


async def test_a_kind_that_a_killed_run_did_not_forget_is_a_loose_end_until_the_next_apply(
    cluster: KubeAccess, api: Api
) -> None:
    async with placed(cluster) as place:
        body = config_map("a", place.namespace, x="1")
        await place.sync(body)
        assert not (await place.target.observe(place.placement)).has_loose_ends
        parent = parent_key(InstallationId(f"i-{place.namespace}"), place.placement)
        named = {"metadata": {"annotations": {APPLYSET_GROUP_KINDS_ANNOTATION: "ConfigMap,Service"}}}
        where = {"apiVersion": "v1", "kind": "ConfigMap",
                 "metadata": {"name": parent.name, "namespace": parent.namespace}}  # fmt: skip
        await api.patch(where, named)
        async with asyncio.timeout(20):
            while not await has_loose_ends(place):  # noqa: ASYNC110  # a watch of the cluster's tells
                await asyncio.sleep(0.01)
        await place.sync(body)
        assert not await has_loose_ends(place)


async def has_loose_ends(place: Place) -> bool:
    try:
        return (await place.target.observe(place.placement)).has_loose_ends
    except Transient:
        return False  # the kind that the parent names now is being listed


async def test_an_empty_render_prunes_nothing(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        await place.sync(config_map("a", place.namespace, x="1"))
        place.entry(approve_deletions=True)
        plan = await place.plan(commit="b")
        assert "nothing was rendered" in deletions(plan)["a"].objection
        assert [one.result for one in (await place.apply(plan)).outcomes] == [Result.SKIPPED]
        assert await names(api) == {"a"}


async def test_more_than_the_limit_waits_for_a_yes(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        ns = place.namespace
        bodies = [config_map(f"c{index}", ns, x="1") for index in range(6)]
        await place.sync(*bodies)
        plan = await place.plan(*bodies[:2], commit="b")
        assert all("4 of 6 objects" in one.objection for one in deletions(plan).values())
        assert not any(one.objection for one in deletions(await place.plan(*bodies[:3], commit="b")).values())
        place.entry(approve_deletions=True)
        await place.sync(*bodies[:2], commit="b")
        assert await names(api) == {"c0", "c1"}


async def test_a_claim_and_a_namespace_never_go_without_a_yes(cluster: KubeAccess) -> None:
    name = f"{cluster.namespace}-mine"
    async with placed(cluster) as place:
        ns = place.namespace
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": ns},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await place.sync(config_map("a", ns, x="1"), claim, namespace)
        plan = await place.plan(config_map("a", ns, x="1"), commit="b")
        assert "approveDeletions" in deletions(plan)["data"].objection
        assert "approveDeletions" in deletions(plan)[name].objection
        place.entry(approve_deletions=True)
        plan = await place.plan(config_map("a", ns, x="1"), commit="b")
        assert not any(one.objection for one in plan.objects)
        applied = await place.apply(plan)
        assert [one.result for one in applied.outcomes[:2]] == [Result.PRUNED, Result.PRUNED]
        assert applied.outcomes[1].key.kind == "Namespace"  # in reverse order


async def test_a_renamed_generated_object_is_no_deletion_and_its_previous_version_stays(
    cluster: KubeAccess, api: Api
) -> None:
    async with placed(cluster) as place:
        place.policy(deletions_percent=0)
        ns = place.namespace

        def generated(suffix: str) -> dict[str, object]:
            return config_map(f"settings-{suffix}", ns, x=suffix)

        await place.sync(generated("bbbbbbbbbb"))
        await place.sync(generated("cccccccccc"), commit="b")
        assert await names(api) == {"settings-bbbbbbbbbb", "settings-cccccccccc"}
        await place.sync(generated("dddddddddd"), commit="c")
        assert await names(api) == {"settings-cccccccccc", "settings-dddddddddd"}
        observation = await place.target.observe(place.placement)
        assert [one.key.name for one in observation.objects] == ["settings-dddddddddd"]
        place.sent.clear()
        assert (await place.plan(generated("dddddddddd"), commit="c")).is_empty
        await place.sync(generated("cccccccccc"), commit="d")  # rolled back
        assert await names(api) == {"settings-cccccccccc", "settings-dddddddddd"}


async def test_nothing_is_pruned_before_what_was_written_is_healthy(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        place.policy(health_seconds=1)
        ns = place.namespace
        await place.sync(config_map("old", ns, x="1"), config_map("other", ns, x="1"))
        stuck = deployment("web", ns)
        stuck["spec"]["template"]["spec"]["nodeSelector"] = {"no": "where"}
        applied = await place.sync(config_map("other", ns, x="1"), stuck, commit="b")

        assert isinstance(applied.failure, Waiting)
        assert await names(api) == {"old", "other"}
        await place.sync(config_map("other", ns, x="1"), commit="c")
        assert await names(api) == {"other"}


async def test_an_absent_application_goes_whole_with_its_parent_last(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        ns = place.namespace
        bodies = [config_map("a", ns, x="1"), service("web", ns), deployment("web", ns)]
        await place.sync(*bodies)
        place.entry(state=State.ABSENT)
        applied = await place.sync(*bodies, commit="b")

        assert applied.failure is None
        assert [one.key.kind for one in applied.outcomes] == ["Deployment", "Service", "ConfigMap", "ConfigMap"]
        assert applied.outcomes[-1].key.namespace == "converge-system"
        assert await place.target.placements() == ()
        with pytest.raises(ApiError):
            await api.get("apps/v1", "Deployment", "web")


async def test_a_finalizer_that_holds_an_object_is_named_at_the_deadline_and_the_parent_stays(
    cluster: KubeAccess, api: Api
) -> None:
    async with placed(cluster) as place:
        place.policy(health_seconds=1)
        body = config_map("a", place.namespace, x="1")
        await place.sync(body)
        await api.patch(body, {"metadata": {"finalizers": ["example.com/never"]}})
        place.entry(state=State.ABSENT)
        applied = await place.sync(commit="b")
        assert isinstance(applied.failure, Waiting)
        assert "example.com/never" in str(applied.failure)
        assert await place.target.placements() == (place.placement,)

        await api.patch(body, {"metadata": {"finalizers": None}})
        await eventually(lambda: not place.target._cache.members(place.placement))
        again = await place.sync(commit="b")
        assert again.failure is None
        assert await place.target.placements() == ()


async def test_an_object_that_moved_is_deleted_only_while_it_is_ours(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        ns = place.namespace
        bodies = [config_map("keep", ns, x="1"), config_map("a", ns, x="1"), config_map("b", ns, x="1")]
        await place.sync(*bodies)
        plan = await place.plan(bodies[0], commit="b")
        await api.patch(bodies[1], {"metadata": {"annotations": {"note": "harmless"}}})
        await api.patch(bodies[2], {"metadata": {"annotations": {"converge/owner": None}}})
        applied = await place.apply(plan)

        results = {one.key.name: one.result for one in applied.outcomes}
        assert results["a"] is Result.PRUNED
        assert results["b"] is Result.FAILED
        assert await names(api) == {"keep", "b"}


async def test_prune_false_leaves_everything(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        place.policy(prune=False)
        ns = place.namespace
        await place.sync(config_map("a", ns, x="1"), config_map("b", ns, x="1"))
        applied = await place.sync(config_map("a", ns, x="1"), commit="b")
        assert applied.is_complete
        assert await names(api) == {"a", "b"}


async def test_a_copy_of_ours_that_another_controller_made_is_never_pruned(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        ns = place.namespace
        await place.sync(config_map("a", ns, x="1"))
        live = await api.get("v1", "ConfigMap", "a")
        copy = {**config_map("copy", ns, x="1")}
        copy["metadata"] |= {key: live["metadata"][key] for key in ("labels", "annotations")}
        await api.create(copy)
        await place.sync(config_map("a", ns, x="2"), commit="b")
        assert await names(api) == {"a", "copy"}


async def test_a_finished_job_that_its_ttl_took_is_not_run_again(cluster: KubeAccess, api: Api) -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate", "namespace": cluster.namespace},
        "spec": {
            "ttlSecondsAfterFinished": 0,
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}},
        },
    }
    async with placed(cluster) as place:
        await place.sync(job)
        await eventually(lambda: not place.target._cache.members(place.placement))
        assert (await place.plan(job)).is_empty
        observation = await place.target.observe(place.placement)
        assert [(str(one.health), one.digest) for one in observation.objects] == [
            ("Healthy", place.desired(job).manifests[0].digest)
        ]
    async with placed(cluster) as place:
        assert (await place.plan(job)).is_empty
