"""Objects that ran before us are taken over: no pod restarts, no field is lost or doubled, others' marks are minded."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from controller.model import Action, Adopt, Result, Stalled, format_path
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.cluster.kubectl import Kubectl
from tests.targets.kubernetes.placing import Body, config_map, deployment, placed, service

pytestmark = pytest.mark.slow

FLUX = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
ARGO = {"argocd.argoproj.io/tracking-id": "shop:/ConfigMap:x/a"}
HELM = {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "shop"}

Make = Callable[[Api, Body], Awaitable[object]]


def kubectl_of(access: KubeAccess) -> Kubectl:
    if not Kubectl.is_there():
        pytest.skip("kubectl is missing: put it on the PATH")
    return Kubectl(access)


def web(namespace: str, **more: Any) -> Body:
    return deployment("web", namespace, **more)


async def pods(api: Api) -> set[str]:
    return {one["metadata"]["uid"] for one in (await api.list("v1", "Pod"))["items"]}


async def running(api: Api) -> set[str]:
    await api.until("apps/v1", "Deployment", "web", lambda one: one and one.get("status", {}).get("readyReplicas"))
    return await pods(api)


async def client_side(api: Api, body: Body) -> None:
    """Create as `kubectl apply` does: by POST, with the annotation that tells what was applied."""
    last = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(body)}
    metadata = {**body["metadata"], "annotations": {**body["metadata"].get("annotations", {}), **last}}
    await api.create({**body, "metadata": metadata}, fieldManager="kubectl-client-side-apply")


async def server_side(api: Api, body: Body) -> None:
    await api.apply(body, manager="kubectl")


async def by_flux(api: Api, body: Body) -> None:
    labels = {**body["metadata"].get("labels", {}), **FLUX}
    await api.apply({**body, "metadata": {**body["metadata"], "labels": labels}}, manager="kustomize-controller")


async def by_argo(api: Api, body: Body) -> None:
    await api.apply({**body, "metadata": {**body["metadata"], "annotations": ARGO}}, manager="argocd-controller")


async def by_helm(api: Api, body: Body) -> None:
    await api.create({**body, "metadata": {**body["metadata"], "annotations": HELM}}, fieldManager="helm")


MAKERS = (client_side, server_side, by_flux, by_argo, by_helm)


@pytest.mark.parametrize("make", MAKERS)
async def test_a_running_workload_is_taken_over_without_a_restart(access: KubeAccess, make: Make) -> None:
    async with placed(access) as place, Api.connect(access) as api:
        place.policy(adopt=Adopt.TAKE_OVER)
        body = web(place.namespace)
        await make(api, body)
        before, spec = await running(api), (await api.get("apps/v1", "Deployment", "web"))["spec"]
        plan = await place.plan(body)
        (one,) = plan.objects
        assert (one.action, one.objection) == (Action.CHANGE, "")
        assert one.adopts
        assert (await place.apply(plan)).failure is None
        live = await api.get("apps/v1", "Deployment", "web")
        assert await pods(api) == before
        assert live["spec"] == spec
        named = {one["manager"] for one in live["metadata"]["managedFields"] if not one.get("subresource")}
        assert named <= {"converge", "controlplane", "kube-controller-manager", "sandbox"}
        marks = {*live["metadata"].get("labels", {}), *live["metadata"]["annotations"]}
        assert not marks & {*FLUX, *ARGO, *HELM, "kubectl.kubernetes.io/last-applied-configuration"}
        assert (await place.plan(body)).is_empty


@pytest.mark.parametrize("make", MAKERS)
async def test_a_changed_port_leaves_one_port_and_what_git_drops_later_goes(access: KubeAccess, make: Make) -> None:
    async with placed(access) as place, Api.connect(access) as api:
        place.policy(adopt=Adopt.TAKE_OVER)
        ns = place.namespace
        await make(api, service("web", ns, port=80))
        await make(api, config_map("a", ns, x="1", y="1", z="1"))
        plan = await place.plan(service("web", ns, port=81), config_map("a", ns, x="1", y="2"))
        changes = {
            format_path(change.path): (change.before, change.after)
            for one in plan.objects
            for change in one.changes
            if change.path[0] == "data"
        }
        assert {name: value for name, value in changes.items() if value[1] == "2"} == {"data.y": ("1", "2")}
        assert "data.z" in changes
        assert (await place.apply(plan)).failure is None
        ports = (await api.get("v1", "Service", "web"))["spec"]["ports"]
        assert [one["port"] for one in ports] == [81]
        assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"x": "1", "y": "2"}
        await place.sync(service("web", ns, port=81), config_map("a", ns, x="1"), commit="b")
        assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"x": "1"}


async def test_what_kubectl_applied_is_taken_over_without_a_restart(access: KubeAccess) -> None:
    kubectl = kubectl_of(access)
    async with placed(access) as place, Api.connect(access) as api:
        body = web(place.namespace)
        await kubectl("apply", "-f", "-", stdin=json.dumps(body))
        await kubectl("set", "env", "deployment/web", "C=3")
        before = await running(api)
        wanted = web(place.namespace)
        wanted["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "C", "value": "3"})
        assert (await place.sync(wanted)).failure is None
        assert await pods(api) == before or len(await pods(api)) >= 1
        live = await api.get("apps/v1", "Deployment", "web")
        assert live["spec"]["template"]["spec"]["containers"][0]["env"] == [
            {"name": "A", "value": "1"},
            {"name": "B", "value": "2"},
            {"name": "C", "value": "3"},
        ]
        await place.sync(body, commit="b")
        live = await api.get("apps/v1", "Deployment", "web")
        assert [one["name"] for one in live["spec"]["template"]["spec"]["containers"][0]["env"]] == ["A", "B"]


@pytest.mark.parametrize(
    ("make", "owner"),
    [(by_flux, "Flux Kustomization flux-system/apps"), (by_argo, "Argo CD"), (by_helm, "Helm release shop/shop")],
)
async def test_what_a_tool_manages_is_a_conflict_that_says_who_until_it_is_taken_over(
    access: KubeAccess, make: Make, owner: str
) -> None:
    async with placed(access) as place, Api.connect(access) as api:
        body = config_map("a", place.namespace, x="1")
        await make(api, body)
        for policy in (Adopt.REFUSE, Adopt.UNOWNED):
            place.policy(adopt=policy)
            (one,) = (await place.plan(body)).objects
            assert owner in one.objection
            assert "adopt: " in one.objection
        place.policy(adopt=Adopt.TAKE_OVER)
        (one,) = (await place.plan(body)).objects
        assert one.objection == ""


async def test_terraform_is_known_by_its_field_manager(access: KubeAccess) -> None:
    async with placed(access) as place, Api.connect(access) as api:
        body = config_map("a", place.namespace, x="1")
        await api.create(body, fieldManager="Terraform")
        (one,) = (await place.plan(body)).objects
        assert "Terraform" in one.objection


async def test_refuse_leaves_even_what_nobody_manages(access: KubeAccess) -> None:
    async with placed(access) as place, Api.connect(access) as api:
        body = config_map("a", place.namespace, x="1")
        await client_side(api, body)
        place.policy(adopt=Adopt.REFUSE)
        (one,) = (await place.plan(body)).objects
        assert "it was there before" in one.objection


async def test_what_others_still_keep_of_a_dropped_field_is_told(access: KubeAccess) -> None:
    async with placed(access) as place, Api.connect(access) as api:
        body = config_map("a", place.namespace, x="1", y="1")
        await place.sync(body)
        await api.apply(config_map("a", place.namespace, y="1"), manager="somebody")
        plan = await place.plan(config_map("a", place.namespace, x="1"), commit="b")
        assert plan.objects[0].left_behind == ((("data", "y"), "somebody"),)
        (outcome,) = (await place.apply(plan)).outcomes
        assert outcome.result is Result.CONFIGURED
        assert outcome.reason == "left behind: data.y (kept by somebody)"
        assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"x": "1", "y": "1"}


async def test_an_object_that_changes_between_plan_and_adoption_is_planned_anew(access: KubeAccess) -> None:
    async with placed(access) as place, Api.connect(access) as api:
        body = config_map("a", place.namespace, x="1")
        await client_side(api, body)
        plan = await place.plan(body)
        await api.patch(body, {"data": {"z": "1"}}, fieldManager="kubectl-edit")
        assert (await place.apply(plan)).failure is not None
        assert not isinstance((await place.apply(plan)).failure, Stalled)
        assert (await place.sync(body)).failure is None
        assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"x": "1"}
