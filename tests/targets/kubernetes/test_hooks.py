"""Hooks: before and after the waves, on failure; in our words, Argo CD's and Helm's. A Job runs once per content."""

from __future__ import annotations

from typing import Any

import pytest

from controller.model import Action, Result, Stalled
from controller.targets.hooks import Phase, phase_of
from controller.targets.releasing import release
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.targets.kubernetes.observing import SHOP
from tests.targets.kubernetes.placing import Body, config_map, deployment, desired, manifest, placed
from tests.targets.kubernetes.test_releasing import NOW, plan, sync

pytestmark = pytest.mark.slow


def job(name: str, namespace: str, *, image: str = "tool:1", **annotations: str) -> Body:
    names = {name.replace("__", "/").replace("_", "-"): value for name, value in annotations.items()}
    container = {"name": "run", "image": image}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace, "annotations": names},
        "spec": {"backoffLimit": 0, "template": template},
    }


@pytest.mark.parametrize(
    ("annotations", "phase"),
    [
        ({}, Phase.ORDINARY),
        ({"converge/hook": "before"}, Phase.BEFORE),
        ({"converge/hook": "after", "helm.sh/hook": "pre-install"}, Phase.AFTER),
        ({"argocd.argoproj.io/hook": "PreSync"}, Phase.BEFORE),
        ({"argocd.argoproj.io/hook": "PostSync,SyncFail"}, Phase.AFTER),
        ({"argocd.argoproj.io/hook": "SyncFail"}, Phase.FAILURE),
        ({"argocd.argoproj.io/hook": "Skip"}, Phase.NEVER),
        ({"argocd.argoproj.io/hook": "Sync"}, Phase.ORDINARY),
        ({"helm.sh/hook": "pre-install, pre-upgrade"}, Phase.BEFORE),
        ({"helm.sh/hook": "post-upgrade"}, Phase.AFTER),
        ({"helm.sh/hook": "test"}, Phase.NEVER),
        ({"helm.sh/hook": "crd-install"}, Phase.ORDINARY),
        ({"helm.sh/hook": "something-new"}, Phase.ORDINARY),
    ],
)
def test_hooks_of_ours_and_of_others_mean_the_same(annotations: dict[str, str], phase: Phase) -> None:
    body = config_map("a", "shop")
    body["metadata"]["annotations"] = annotations
    assert phase_of(manifest(body)) is phase


def test_a_hook_of_ours_that_means_nothing_is_told() -> None:
    with pytest.raises(Stalled, match=r'app\.yaml:1: .*converge/hook.*"sometimes" means nothing'):
        phase_of(manifest(job("a", "shop", converge__hook="sometimes")))


async def until_done(api: Api, name: str) -> dict[str, Any]:
    def is_done(one: dict[str, Any] | None) -> bool:
        conditions = ((one or {}).get("status") or {}).get("conditions") or ()
        return any(each["type"] == "Complete" and each["status"] == "True" for each in conditions)

    found = await api.until("batch/v1", "Job", name, is_done)
    assert found is not None
    return found


async def test_hooks_run_before_and_after_what_they_stand_beside(access: KubeAccess) -> None:
    ns = access.namespace
    bodies = [
        job("last", ns, **{"argocd.argoproj.io__hook": "PostSync"}),
        deployment("web", ns),
        job("first", ns, converge__hook="before"),
    ]
    async with placed(access) as place, Api.connect(access) as api:
        await sync(place, *bodies)
        patched = [one.path.rsplit("/", 1)[-1] for one in place.sent.writes if one.method == "PATCH"]
        assert patched == ["first", "web", "last"]
        await until_done(api, "first")
        await until_done(api, "last")


async def test_a_hook_runs_once_per_content_and_anew_for_another(access: KubeAccess) -> None:
    ns = access.namespace
    async with placed(access) as place, Api.connect(access) as api:
        await sync(place, job("migrate", ns, converge__hook="before"), config_map("a", ns, x="1"))
        first = (await until_done(api, "migrate"))["metadata"]["uid"]
        await sync(place, job("migrate", ns, converge__hook="before"), config_map("a", ns, x="2"), commit="b")
        assert (await api.get("batch/v1", "Job", "migrate"))["metadata"]["uid"] == first
        changed = job("migrate", ns, image="tool:2", converge__hook="before")
        planned = await plan(place, changed, config_map("a", ns, x="2"), commit="c")
        assert {one.key.kind: one.action for one in planned.objects}["Job"] is Action.REPLACE
        assert (await place.apply(planned)).failure is None
        assert (await until_done(api, "migrate"))["metadata"]["uid"] != first


async def test_a_failed_hook_stops_what_comes_after_it_at_once_and_the_failure_hook_runs_once(
    access: KubeAccess,
) -> None:
    ns = access.namespace
    never = job("first", ns, image="fail.example/crash/tool:1", converge__hook="before")
    bodies = [never, config_map("a", ns, x="1"), job("tell", ns, converge__hook="failure")]
    async with placed(access) as place, Api.connect(access) as api:
        place.policy(health_seconds=60)
        planned = await plan(place, *bodies)
        assert "tell" not in {one.key.name for one in planned.objects}
        applied = await place.apply(planned)
        assert isinstance(applied.failure, Stalled)
        assert "a hook that failed: Job.batch" in str(applied.failure)
        results = {one.key.name: one.result for one in applied.outcomes}
        assert results == {"first": Result.CREATED, "a": Result.SKIPPED, "tell": Result.CREATED}
        told = (await api.get("batch/v1", "Job", "tell"))["metadata"]["uid"]
        again = await place.apply(await plan(place, *bodies))
        assert isinstance(again.failure, Stalled)
        assert (await api.get("batch/v1", "Job", "tell"))["metadata"]["uid"] == told


def test_a_failure_hook_is_another_one_for_each_desired_state() -> None:
    hook = job("tell", "shop", converge__hook="failure")
    one = release(desired(SHOP, [hook, config_map("a", "shop", x="1")]), (), now=NOW)
    other = release(desired(SHOP, [hook, config_map("a", "shop", x="2")]), (), now=NOW)
    assert [each.key.name for each in one.manifests] == ["a"]
    assert one.on_failure[0].digest != other.on_failure[0].digest
