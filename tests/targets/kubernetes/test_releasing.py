"""Fields that are left to others: an autoscaled workload never falls back to one replica, whatever happens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.model import Applied, Desired, Ignore, Plan
from controller.targets import next_end, release
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.fixtures.waiting import eventually
from tests.targets.kubernetes.placing import Body, Place, config_map, deployment, desired, placed

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def autoscaler(name: str, namespace: str) -> Body:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 2,
            "maxReplicas": 9,
        },
    }


def without_replicas(name: str, namespace: str) -> Body:
    body = deployment(name, namespace)
    del body["spec"]["replicas"]
    return body


def wanted(
    place: Place, *bodies: Body, rules: Iterable[Ignore] = (), now: datetime = NOW, commit: str = "a"
) -> Desired:
    return release(desired(place.placement, bodies, commit=commit), rules, now=now)


async def plan(place: Place, *bodies: Body, **how: Any) -> Plan:
    return await place.target.plan(wanted(place, *bodies, **how), place.application)


async def sync(place: Place, *bodies: Body, **how: Any) -> Applied:
    applied = await place.apply(await plan(place, *bodies, **how))
    assert applied.failure is None
    return applied


async def scale(api: Api, body: Body, replicas: int) -> None:
    """Scale as an autoscaler does."""
    await api.patch(body, {"spec": {"replicas": replicas}}, subresource="scale", fieldManager="kube-controller-manager")


@asynccontextmanager
async def replicas_of(access: KubeAccess, name: str) -> AsyncIterator[list[int]]:
    """Write down every number of replicas that a Deployment has while the block runs."""
    async with Api.connect(access) as api:
        seen = [(await api.get("apps/v1", "Deployment", name))["spec"]["replicas"]]
        first = await api.list("apps/v1", "Deployment")
        query = {"fieldSelector": f"metadata.name={name}", "resourceVersion": first["metadata"]["resourceVersion"]}
        async with api.watch("apps/v1", "Deployment", **query) as events:
            yield seen
            last = await api.patch(
                {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}},
                {"metadata": {"annotations": {"end": "of the test"}}},
            )
            async for event in events:
                seen.append(event["object"]["spec"]["replicas"])
                if event["object"]["metadata"]["resourceVersion"] == last["metadata"]["resourceVersion"]:
                    break


async def test_an_autoscaled_workload_starts_with_what_git_says_and_is_let_go_of(access: KubeAccess) -> None:
    async with placed(access) as place, Api.connect(access) as api:
        bodies = [deployment("web", place.namespace, replicas=3), autoscaler("web", place.namespace)]
        await sync(place, *bodies)
        async with replicas_of(access, "web") as seen:
            await scale(api, bodies[0], 5)
            await sync(place, *bodies)
            await sync(place, deployment("web", place.namespace, replicas=3, image="nginx:2"), bodies[1], commit="b")
        assert set(seen) == {3, 5}
        live = await place.target.observe(place.placement)
        (web,) = [one for one in live.objects if one.key.kind == "Deployment"]
        assert web.released == {"spec.replicas": "HorizontalPodAutoscaler web"}


async def test_an_autoscaler_that_comes_goes_and_comes_back_never_resets_the_number(access: KubeAccess) -> None:
    ns = access.namespace
    async with placed(access) as place, Api.connect(access) as api:
        await sync(place, deployment("web", ns, replicas=4))
        async with replicas_of(access, "web") as seen:
            await sync(place, deployment("web", ns, replicas=4), autoscaler("web", ns), commit="b")
            await sync(place, without_replicas("web", ns), autoscaler("web", ns), commit="c")
            await scale(api, deployment("web", ns), 6)
            await sync(place, without_replicas("web", ns), commit="d")
            await sync(place, without_replicas("web", ns), autoscaler("web", ns), commit="e")
        assert set(seen) <= {4, 6}
        async with replicas_of(access, "web") as seen:
            await sync(place, deployment("web", ns, replicas=3), commit="f")
        assert seen[-1] == 3
        assert set(seen) == {6, 3}


async def test_git_may_drop_replicas_in_the_commit_that_brings_the_autoscaler(access: KubeAccess) -> None:
    ns = access.namespace
    async with placed(access) as place:
        await sync(place, deployment("web", ns, replicas=4))
        async with replicas_of(access, "web") as seen:
            await sync(place, without_replicas("web", ns), autoscaler("web", ns), commit="b")
        assert set(seen) == {4}


async def test_after_a_restart_a_released_workload_costs_no_write_and_stays(access: KubeAccess) -> None:
    ns = access.namespace
    bodies = [deployment("web", ns, replicas=3), autoscaler("web", ns)]
    async with placed(access) as place, Api.connect(access) as api:
        await sync(place, *bodies)
        await scale(api, bodies[0], 5)
    async with placed(access) as place:
        assert (await plan(place, *bodies)).is_empty
        assert not place.sent.writes


async def test_an_autoscaler_that_git_does_not_know_is_found_before_a_number_is_taken_back(access: KubeAccess) -> None:
    ns = access.namespace
    body = deployment("web", ns, replicas=3)
    async with placed(access) as place, Api.connect(access) as api:
        await sync(place, body)
        await api.create(autoscaler("web", ns))
        async with replicas_of(access, "web") as seen:
            await scale(api, body, 7)
            await eventually(lambda: any(one.is_suspect for one in place.target._cache.members(place.placement)))
            await sync(place, body)
            await sync(place, deployment("web", ns, replicas=4, image="nginx:2"), commit="b")
            await sync(place, without_replicas("web", ns), commit="c")
        assert set(seen) == {3, 7}
        (web,) = (await place.target.observe(place.placement)).objects
        assert web.released == {}  # git says no number any more
    async with placed(access) as place:
        assert (await plan(place, without_replicas("web", ns), commit="c")).is_empty


async def test_an_ignored_field_keeps_its_live_value_and_comes_back_when_the_rule_ends(access: KubeAccess) -> None:
    ns = access.namespace
    rule = Ignore(fields=("data.x",), kinds=("ConfigMap",), name="a*", until=NOW + timedelta(days=1), reason="a test")
    async with placed(access) as place, Api.connect(access) as api:
        body = config_map("a", ns, x="1", y="1")
        await sync(place, body)
        await sync(place, body, rules=[rule])
        (one,) = (await place.target.observe(place.placement)).objects
        assert one.released == {"data.x": "a test, until 2026-01-02T00:00:00+00:00"}

        await api.patch(body, {"data": {"x": "by hand"}}, fieldManager="kubectl-edit")
        assert (await plan(place, body, rules=[rule])).is_empty
        await sync(place, config_map("a", ns, x="2", y="2"), rules=[rule], commit="b")
        assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"x": "by hand", "y": "2"}

        assert next_end([rule], now=NOW) == rule.until
        later = NOW + timedelta(days=2)
        assert next_end([rule], now=later) is None
        await sync(place, config_map("a", ns, x="2", y="2"), rules=[rule], now=later, commit="b")
        assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"x": "2", "y": "2"}
        await sync(place, config_map("a", ns, y="2"), commit="c")
        assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"y": "2"}


@pytest.mark.parametrize("days", [1, 2])
async def test_an_ignored_field_stays_when_managers_are_cleared_and_its_rule_moves(
    access: KubeAccess, days: int
) -> None:
    ns = access.namespace
    rule = Ignore(fields=("data.x",), kinds=("ConfigMap",), until=NOW + timedelta(days=1), reason="a test")
    async with placed(access) as place, Api.connect(access) as api:
        body = config_map("a", ns, x="1", y="1")
        await sync(place, body, rules=[rule])
        await api.patch(body, {"data": {"x": "by hand"}}, fieldManager="kubectl-edit")
        await api.patch(body, {"metadata": {"managedFields": [{}]}})
        await eventually(lambda: any(one.is_suspect for one in place.target._cache.members(place.placement)))
        moved = replace(rule, until=NOW + timedelta(days=days))
        await sync(place, body, rules=[moved])
        (one,) = (await place.target.observe(place.placement)).objects
        assert one.released == {"data.x": f"a test, until 2026-01-0{1 + days}T00:00:00+00:00"}
        assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"x": "by hand", "y": "1"}
        await sync(place, config_map("a", ns, x="1"), rules=[moved], commit="b")
        assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"x": "by hand"}


async def test_what_a_named_manager_took_stays_with_it(access: KubeAccess) -> None:
    ns = access.namespace
    rule = Ignore(managers=("*-operator",))
    async with placed(access) as place, Api.connect(access) as api:
        body = config_map("a", ns, x="1", y="1")
        await sync(place, body, rules=[rule])
        await api.patch(body, {"data": {"x": "tuned"}}, fieldManager="db-operator")
        edited = await api.patch(body, {"data": {"y": "edited"}}, fieldManager="kubectl-edit")
        version = edited["metadata"]["resourceVersion"]
        await eventually(lambda: place.target._cache.members(place.placement)[0].resource_version == version)
        await sync(place, body, rules=[rule])
        await eventually(lambda: not any(one.is_suspect for one in place.target._cache.members(place.placement)))
        assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"x": "tuned", "y": "1"}
        (one,) = (await place.target.observe(place.placement)).objects
        assert one.released == {"data.x": "an ignore rule"}


async def test_a_rule_for_one_field_of_a_list_element_leaves_the_rest_of_it_to_git(access: KubeAccess) -> None:
    ns = access.namespace
    rule = Ignore(fields=("spec.template.spec.containers[web].image",))
    async with placed(access) as place, Api.connect(access) as api:
        await sync(place, deployment("web", ns), rules=[])
        await sync(place, deployment("web", ns), rules=[rule])
        hand = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "nginx:hot"}]}}}}
        await api.patch(deployment("web", ns), hand, kind="strategic", fieldManager="kubectl-set")
        changed = deployment("web", ns, image="nginx:2")
        changed["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "2"}]
        await sync(place, changed, rules=[rule], commit="b")
        (container,) = (await api.get("apps/v1", "Deployment", "web"))["spec"]["template"]["spec"]["containers"]
        assert (container["image"], container["env"]) == ("nginx:hot", [{"name": "A", "value": "2"}])


async def test_the_rules_of_an_aggregated_role_are_the_control_planes(access: KubeAccess) -> None:
    name = f"{access.namespace}-all"
    role: Body = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"none": "such"}}]},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }
    async with placed(access) as place, Api.connect(access) as api:
        await sync(place, role)
        await api.patch(role, {"rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]})
        assert (await plan(place, role)).is_empty
        await api.delete(role)
