"""What single objects ask for by annotation, in our words and in those of Flux, Argo CD and Helm."""

from __future__ import annotations

from typing import Any

import pytest

from controller.model import Action, Result, Stalled, State
from controller.targets.kubernetes.options import Options, options_of, read_options
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api, ApiError
from tests.targets.kubernetes.placing import Body, config_map, deployment, manifest, placed, service

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("annotations", "options"),
    [
        ({}, Options()),
        ({"converge/prune": "false"}, Options(is_pruned=False)),
        ({"kustomize.toolkit.fluxcd.io/prune": "disabled"}, Options(is_pruned=False)),
        ({"argocd.argoproj.io/sync-options": "Validate=false, Prune=false"}, Options(is_pruned=False)),
        ({"argocd.argoproj.io/sync-options": "Delete=false"}, Options(is_pruned=False)),
        ({"helm.sh/resource-policy": "keep"}, Options(is_pruned=False)),
        ({"helm.sh/resource-policy": "keep", "converge/prune": "true"}, Options()),
        ({"converge/apply": "once"}, Options(is_applied_once=True)),
        ({"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}, Options(is_applied_once=True)),
        ({"converge/replace": "immutable"}, Options(is_replaced=True)),
        ({"kustomize.toolkit.fluxcd.io/force": "enabled"}, Options(is_replaced=True)),
        ({"argocd.argoproj.io/sync-options": "Force=true,Replace=true"}, Options(is_replaced=True)),
        ({"converge/wait": "false"}, Options(is_waited_for=False)),
        ({"argocd.argoproj.io/ignore-healthcheck": "true"}, Options(is_waited_for=False)),
        ({"argocd.argoproj.io/sync-wave": "-3"}, Options(wave=-3)),
        ({"argocd.argoproj.io/sync-wave": "-3", "converge/wave": "2"}, Options(wave=2)),
    ],
)
def test_annotations_of_ours_and_of_others_mean_the_same(annotations: dict[str, str], options: Options) -> None:
    body = config_map("a", "shop")
    body["metadata"]["annotations"] = annotations
    assert options_of(manifest(body)) == options
    assert read_options(body) == options


@pytest.mark.parametrize(
    ("name", "value"),
    [("converge/prune", "no"), ("converge/apply", "Once"), ("converge/replace", "true"), ("converge/wait", "")],
)
def test_what_means_nothing_is_told_with_its_place(name: str, value: str) -> None:
    body = noted(config_map("a", "shop"), name, value)
    with pytest.raises(Stalled, match=r"deploy/app\.yaml:1: metadata\.annotations.*means nothing\. Write"):
        options_of(manifest(body))
    assert read_options(body) == Options()


def noted(body: Body, name: str, value: str) -> Body:
    body["metadata"].setdefault("annotations", {})[name] = value
    return body


async def test_what_is_never_pruned_is_let_go_of_and_stays_as_it_is(access: KubeAccess) -> None:
    async with placed(access) as place, Api.connect(access) as api:
        kept = noted(config_map("kept", place.namespace, x="1"), "converge/prune", "false")
        await place.sync(kept, config_map("a", place.namespace, x="1"))
        plan = await place.plan(config_map("a", place.namespace, x="1"), commit="b")
        assert [(one.action, one.keeps) for one in plan.objects if one.key.name == "kept"] == [(Action.DELETE, True)]
        applied = await place.apply(plan)
        assert applied.failure is None
        assert {one.key.name: one.result for one in applied.outcomes}["kept"] is Result.PRUNED
        live = await api.get("v1", "ConfigMap", "kept")
        assert live["data"] == {"x": "1"}
        assert live["metadata"]["annotations"] == {"converge/prune": "false"}
        assert not live["metadata"].get("labels")
        assert {one["manager"] for one in live["metadata"]["managedFields"]} == {"converge-released"}
        assert (await place.plan(config_map("a", place.namespace, x="1"), commit="b")).is_empty
        place.entry(state=State.ABSENT)
        assert (await place.sync(commit="c")).failure is None
        assert (await api.get("v1", "ConfigMap", "kept"))["data"] == {"x": "1"}


async def test_an_application_may_go_and_leave_what_is_never_pruned(access: KubeAccess) -> None:
    async with placed(access) as place, Api.connect(access) as api:
        kept = noted(config_map("kept", place.namespace, x="1"), "helm.sh/resource-policy", "keep")
        await place.sync(kept, config_map("a", place.namespace, x="1"))
        place.entry(state=State.ABSENT)
        assert (await place.sync(commit="b")).failure is None
        assert (await api.get("v1", "ConfigMap", "kept"))["data"] == {"x": "1"}
        with pytest.raises(ApiError):
            await api.get("v1", "ConfigMap", "a")
        assert (await place.target.observe(place.placement)).objects == ()


async def test_what_was_let_go_of_can_be_taken_again(access: KubeAccess) -> None:
    async with placed(access) as place, Api.connect(access) as api:
        kept = noted(config_map("kept", place.namespace, x="1", y="1"), "converge/prune", "false")
        await place.sync(kept, config_map("a", place.namespace, x="1"))
        await place.sync(config_map("a", place.namespace, x="1"), commit="b")
        await place.sync(
            config_map("kept", place.namespace, x="2"), config_map("a", place.namespace, x="1"), commit="c"
        )
        live = await api.get("v1", "ConfigMap", "kept")
        assert live["data"] == {"x": "2"}
        assert (await place.target.observe(place.placement)).objects[1].key.name == "kept"


async def test_what_is_applied_once_is_created_and_left_alone(access: KubeAccess) -> None:
    async with placed(access) as place, Api.connect(access) as api:
        body = noted(config_map("a", place.namespace, x="1"), "converge/apply", "once")
        await place.sync(body)
        await api.patch(body, {"data": {"x": "theirs"}}, fieldManager="somebody")
        changed = noted(config_map("a", place.namespace, x="2"), "converge/apply", "once")
        place.sent.clear()
        assert (await place.plan(changed, commit="b")).is_empty
        assert not place.sent.requests
        await place.sync(changed, commit="b")
        assert (await api.get("v1", "ConfigMap", "a"))["data"] == {"x": "theirs"}


def immutable(name: str, namespace: str, **data: str) -> Body:
    return {**config_map(name, namespace, **data), "immutable": True}


async def test_an_immutable_field_is_refused_without_the_annotation(access: KubeAccess) -> None:
    async with placed(access) as place:
        await place.sync(immutable("a", place.namespace, x="1"))
        with pytest.raises(Stalled, match=r"can't be changed.*converge/replace"):
            await place.plan(immutable("a", place.namespace, x="2"), commit="b")


async def test_with_the_annotation_an_object_is_made_anew(access: KubeAccess) -> None:
    async with placed(access) as place, Api.connect(access) as api:
        await place.sync(immutable("a", place.namespace, x="1"))
        before = (await api.get("v1", "ConfigMap", "a"))["metadata"]["uid"]
        plan = await place.plan(
            noted(immutable("a", place.namespace, x="2"), "converge/replace", "immutable"), commit="b"
        )
        assert [one.action for one in plan.objects] == [Action.REPLACE]
        assert (await place.apply(plan)).failure is None
        live = await api.get("v1", "ConfigMap", "a")
        assert live["data"] == {"x": "2"}
        assert live["metadata"]["uid"] != before


async def test_a_wrong_manifest_is_never_replaced(access: KubeAccess) -> None:
    async with placed(access) as place, Api.connect(access) as api:
        await place.sync(service("web", place.namespace))
        wrong = noted(service("web", place.namespace, port=99999), "converge/replace", "immutable")
        with pytest.raises(Stalled, match="65535"):
            await place.plan(wrong, commit="b")
        assert await api.get("v1", "Service", "web")


def stateful(name: str, namespace: str, service_name: str) -> Body:
    body: dict[str, Any] = deployment(name, namespace)
    spec = {**body["spec"], "serviceName": service_name}
    return {**body, "kind": "StatefulSet", "spec": spec}


async def test_a_stateful_set_waits_for_a_yes_before_it_is_made_anew(access: KubeAccess) -> None:
    async with placed(access) as place:
        await place.sync(stateful("db", place.namespace, "one"))
        changed = noted(stateful("db", place.namespace, "two"), "converge/replace", "immutable")
        (one,) = (await place.plan(changed, commit="b")).objects
        assert one.action is Action.REPLACE
        assert "approveDeletions" in one.objection
        place.entry(approve_deletions=True)
        assert (await place.sync(changed, commit="b")).failure is None


async def test_later_waves_do_not_wait_for_what_asks_for_it(access: KubeAccess) -> None:
    claim: Body = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "never", "namespace": access.namespace, "annotations": {"converge/wait": "false"}},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "none-such",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    later = noted(config_map("later", access.namespace, x="1"), "argocd.argoproj.io/sync-wave", "1")
    async with placed(access) as place:
        assert (await place.sync(claim, later)).failure is None
