"""Drift on a real control plane: how it is told, and how it is taken back."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from controller.engine.gate import Situation, permit
from controller.model import (
    Action,
    Adopt,
    Cause,
    OnDrift,
    Permitted,
    Plan,
    Transient,
)
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.fixtures.waiting import eventually
from tests.targets.kubernetes.placing import Body, Place, config_map, definition, deployment, placed, widget

pytestmark = pytest.mark.cluster


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

    await eventually(lambda: suspects(place))


def suspects(place: Place) -> list[object]:
    return [one for one in place.target._cache.members(place.placement) if one.is_suspect]


async def test_a_removed_field_is_drift_without_an_author(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        body = config_map("a", place.namespace, x="1", y="1")
        await place.sync(body)
        await api.patch(body, {"data": {"y": None}})
        await drifted(place)
        (one,) = (await place.plan(body)).objects

        assert [(change.path, change.editor) for change in one.changes] == [(("data", "y"), None)]


async def test_marks_that_somebody_wrote_over_are_taken_back(cluster: KubeAccess, api: Api) -> None:
    nonsense = {
        "annotations": {"converge/digest": "nonsense", "converge/fields": "?"},
        "labels": {"applyset.kubernetes.io/part-of": "applyset-nobody"},
    }
    async with placed(cluster) as place:
        body = config_map("a", place.namespace, x="1")
        await place.sync(body)
        before = (await api.get("v1", "ConfigMap", "a"))["metadata"]
        await api.patch(body, {"metadata": nonsense}, fieldManager="mallory")
        await drifted(place)
        newer = config_map("a", place.namespace, x="2")
        plan = await place.plan(newer, commit="b")
        assert [one.objection for one in plan.objects] == [""]
        assert (await place.apply(plan)).failure is None
        await api.patch(body, {"metadata": {"annotations": {"converge/digest": "nonsense"}}}, fieldManager="mallory")
        await drifted(place)
        assert (await place.apply(await place.plan(newer, commit="b"))).failure is None
        after = await api.get("v1", "ConfigMap", "a")
        assert after["data"] == {"x": "2"}
        assert after["metadata"]["labels"] == before["labels"]
        assert after["metadata"]["annotations"].keys() == before["annotations"].keys()
        assert (await place.plan(newer, commit="b")).is_empty


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("is_pending", [False, True])
async def test_what_somebody_replaced_without_our_marks_is_taken_back(
    cluster: KubeAccess, api: Api, *, is_restarted: bool, is_pending: bool
) -> None:
    installation = f"i-{cluster.namespace}"
    async with placed(cluster) as place:
        place.policy(adopt=Adopt.REFUSE)
        body = config_map("a", place.namespace, x="1")
        await place.sync(body)
        await api.replace(config_map("a", place.namespace, x="hacked", y="more"), fieldManager="kubectl-replace")
        await drifted(place)
        if not is_restarted:
            await taken_back(place, api, is_pending=is_pending)
    if is_restarted:
        async with placed(cluster, installation=installation) as place:
            place.policy(adopt=Adopt.REFUSE)
            await taken_back(place, api, is_pending=is_pending)


async def taken_back(place: Place, api: Api, *, is_pending: bool) -> None:
    body = config_map("a", place.namespace, x="2" if is_pending else "1")
    plan = await place.plan(body, commit="b" if is_pending else "a")
    causes = {change.cause for one in plan.objects for change in one.changes if change.path[0] == "data"}
    assert causes == {Cause.PENDING if is_pending else Cause.DRIFT}
    assert (await place.apply(plan)).failure is None
    assert (await api.get("v1", "ConfigMap", "a"))["data"]["x"] == ("2" if is_pending else "1")
    assert (await place.plan(body, commit="b" if is_pending else "a")).is_empty


async def test_what_was_deleted_after_our_label_was_taken_off_is_made_anew(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        body = config_map("a", place.namespace, x="1")
        await place.sync(body)
        await api.patch(body, {"metadata": {"labels": {"converge/installation": None}}})
        await drifted(place)
        await api.delete(body)  # no watch of ours tells of it
        with pytest.raises(Transient, match="deleted while we looked"):
            await place.plan(body)
        assert (await place.sync(body)).failure is None
        assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"x": "1"}


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


async def test_the_last_field_of_a_map_is_taken_back_also_where_git_changes_it_meanwhile(
    cluster: KubeAccess, api: Api
) -> None:
    """All that is left of ours in a `spec` without a schema is the map itself, as if we held it whole."""
    async with custom_kind(api) as group, placed(cluster) as place:
        body = widget(group, place.namespace, size=1)
        await place.sync(body)
        await api.patch(body, {"spec": {"size": 9}}, fieldManager="mallory")
        await drifted(place)
        body = widget(group, place.namespace, size=2)
        plan = await place.plan(body, commit="b")
        (change,) = plan.objects[0].changes
        assert (change.cause, change.editor and change.editor.manager) == (Cause.DRIFT, "mallory")
        assert (await place.apply(plan)).failure is None
        assert (await api.get(f"{group}/v1", "Widget", "w"))["spec"] == {"size": 2}
        assert (await place.plan(body, commit="b")).is_empty


@asynccontextmanager
async def custom_kind(api: Api) -> AsyncIterator[str]:
    """Serve Widgets without a schema, in a group of the test's own, and give that."""
    made = definition(group := f"g{secrets.token_hex(4)}.example.com")
    await api.create(made)
    await api.until(made["apiVersion"], made["kind"], made["metadata"]["name"], is_established)
    try:
        yield group
    finally:
        await api.delete(made)


def is_established(live: Body | None) -> bool:
    conditions = (live or {}).get("status", {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


async def test_a_field_that_another_holds_with_us_is_changed_by_a_plan_that_says_so(
    cluster: KubeAccess, api: Api
) -> None:
    async with placed(cluster) as place:
        ns = place.namespace
        body = config_map("a", ns, x="1", y="1")
        await place.sync(body)
        await api.apply(config_map("a", ns, x="1"), manager="somebody")
        plan = await place.plan(config_map("a", ns, x="2", y="1"), commit="b")
        (change,) = plan.objects[0].changes
        assert (change.path, change.before, change.after) == (("data", "x"), "1", "2")
        assert (await place.apply(plan)).failure is None
        assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"x": "2", "y": "1"}


async def test_held_drift_stays_while_the_rest_is_applied(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        ns = place.namespace
        body = config_map("a", ns, x="1", y="1")
        await place.sync(body)
        await api.patch(body, {"data": {"x": "edited"}}, fieldManager="mallory")
        await drifted(place)
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


SPOILT = {
    "digest": {"annotations": {"converge/digest": "nonsense"}},
    "footprint": {"annotations": {"converge/fields": "?"}},
    "no footprint": {"annotations": {"converge/fields": None}},
    "owner": {"annotations": {"converge/owner": "nobody"}},
    "ApplySet": {"labels": {"applyset.kubernetes.io/part-of": "applyset-nobody"}},
    "label": {"labels": {"converge/installation": "nobody"}},
    "no label": {"labels": {"converge/installation": None}},
    "digest and footprint": {"annotations": {"converge/digest": "nonsense", "converge/fields": "?"}},
}


@pytest.mark.slow
@pytest.mark.parametrize("is_restarted", [False, True])
async def test_drift_that_is_only_reported_comes_to_rest_whatever_mark_is_spoiled_beside_it(
    cluster: KubeAccess, api: Api, *, is_restarted: bool
) -> None:
    namespace, installation = cluster.namespace, f"i-{cluster.namespace}"
    names = {name: f"a{number}" for number, name in enumerate(SPOILT)}

    def bodies(y: str) -> list[Body]:
        return [config_map(name, namespace, x="1", y=y) for name in names.values()]

    async with placed(cluster, installation=installation) as place:
        place.policy(drift=OnDrift.REPORT)
        await place.sync(*bodies("1"))
        for name, body in zip(SPOILT, bodies("1"), strict=True):
            spoilt = {"data": {"x": "edited"}, "metadata": SPOILT[name]}
            await api.patch(body, spoilt, fieldManager="mallory")
        await eventually(lambda: len(suspects(place)) == len(names))
        if not is_restarted:
            await comes_to_rest(place, bodies("2"))
    if is_restarted:
        async with placed(cluster, installation=installation) as place:
            place.policy(drift=OnDrift.REPORT)
            await comes_to_rest(place, bodies("2"))
    for name in names.values():
        live = await api.get("v1", "ConfigMap", name)
        assert live["data"]["y"] == "2"
        assert {"converge/installation", "applyset.kubernetes.io/part-of"} <= live["metadata"]["labels"].keys()


async def comes_to_rest(place: Place, bodies: list[Body]) -> None:
    """Sync as the engine does, under the policy; then nothing is left to do, and what drifted is told."""
    situation = Situation(application=place.application)
    plan = await place.plan(*bodies, commit="b")
    assert [one.objection for one in plan.objects if one.objection] == []
    applied = await place.apply(permit(plan, situation).permitted)
    assert applied.failure is None
    wanted = {one.digest for one in place.desired(*bodies).manifests}
    await eventually(lambda: {one.digest for one in place.target._cache.members(place.placement)} == wanted)
    verdict = permit(await place.plan(*bodies, commit="b"), situation)
    assert verdict.permitted.is_empty
    assert not verdict.is_refused
