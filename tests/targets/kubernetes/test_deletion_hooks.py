"""Hooks of a deletion, which no render gives any more, and hooks that go when they ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.model import Action, Applied, Plan, Result, Stalled, State
from controller.targets.hooks import Ending, Phase, endings_of, phases_of
from controller.targets.kubernetes.kept_hooks import KeptHooks, pack_hooks, unpack_hooks
from controller.targets.releasing import release
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.targets.kubernetes.observing import SHOP
from tests.targets.kubernetes.placing import Body, Place, config_map, desired, manifest, placed
from tests.targets.kubernetes.test_hooks import job
from tests.targets.kubernetes.test_releasing import NOW, plan, sync

CRASHES = "fail.example/crash/tool:1"


def hook(name: str, namespace: str, when: str, *, image: str = "tool:1", policy: str = "") -> Body:
    body = job(name, namespace, image=image, converge__hook=when)
    body["metadata"]["annotations"] |= {"converge/hook-delete-policy": policy} if policy else {}
    return body


@pytest.mark.parametrize(
    ("annotations", "phases"),
    [
        ({"converge/hook": "before-delete"}, {Phase.BEFORE_DELETE}),
        ({"converge/hook": "after-delete"}, {Phase.AFTER_DELETE}),
        ({"argocd.argoproj.io/hook": "PostDelete"}, {Phase.AFTER_DELETE}),
        ({"argocd.argoproj.io/hook": "PreDelete"}, {Phase.BEFORE_DELETE}),
        ({"helm.sh/hook": "post-install,pre-delete"}, {Phase.AFTER, Phase.BEFORE_DELETE}),
        ({"helm.sh/hook": "post-delete"}, {Phase.AFTER_DELETE}),
    ],
)
def test_hooks_of_deletions_mean_the_same(annotations: dict[str, str], phases: set[Phase]) -> None:
    body = config_map("a", "shop")
    body["metadata"]["annotations"] = annotations
    assert phases_of(manifest(body)) == phases


@pytest.mark.parametrize(
    ("annotations", "endings"),
    [
        ({}, set()),
        ({"converge/hook-delete-policy": "hook-succeeded, hook-failed"}, {Ending.SUCCEEDED, Ending.FAILED}),
        ({"argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation"}, set()),
        ({"argocd.argoproj.io/hook-delete-policy": "HookSucceeded"}, {Ending.SUCCEEDED}),
        ({"helm.sh/hook-delete-policy": "before-hook-creation,hook-failed"}, {Ending.FAILED}),
    ],
)
def test_delete_policies_of_ours_and_of_others_mean_the_same(annotations: dict[str, str], endings: set[Ending]) -> None:
    body = config_map("a", "shop")
    body["metadata"]["annotations"] = annotations
    assert endings_of(manifest(body)) == endings


def test_a_delete_policy_of_ours_that_means_nothing_is_told() -> None:
    body = config_map("a", "shop")
    body["metadata"]["annotations"] = {"converge/hook-delete-policy": "sometimes"}
    with pytest.raises(Stalled, match=r'app\.yaml:1: .*hook-delete-policy.*"sometimes" means nothing'):
        endings_of(manifest(body))


def test_a_hook_of_a_sync_and_a_deletion_is_in_both_and_runs_in_each() -> None:
    both = config_map("a", "shop")
    both["metadata"]["annotations"] = {"helm.sh/hook": "post-install,pre-delete"}
    found = release(desired(SHOP, [both]), (), now=NOW)
    assert [one.key.name for one in found.manifests] == ["a"]
    assert [one.key.name for one in found.before_delete] == ["a"]
    assert found.before_delete[0].digest != found.manifests[0].digest


def test_a_secret_is_no_hook_of_a_deletion() -> None:
    secret: Body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}}
    secret["metadata"]["annotations"] = {"converge/hook": "before-delete"}
    with pytest.raises(Stalled, match=r"Secret shop/s .*can't be a hook of deletions"):
        release(desired(SHOP, [secret]), (), now=NOW)
    secret["metadata"]["annotations"] = {"helm.sh/hook": "pre-delete"}
    found = release(desired(SHOP, [secret]), (), now=NOW)
    assert (found.manifests, found.before_delete) == ((), ())


def test_what_a_parent_keeps_reads_as_it_was_written() -> None:
    before, after = manifest(job("a", "shop")), manifest(config_map("b", "shop", x="é"))
    assert unpack_hooks(pack_hooks([before], [after])) == KeptHooks((before,), (after,))
    assert pack_hooks([], []) == ""
    assert unpack_hooks("spoiled") == KeptHooks()


async def removal(place: Place) -> Plan:
    """Plan the removal of an application of which git says nothing any more."""
    place.entry(state=State.REMOVED)
    nothing = replace(desired(place.placement, []), before_delete=(), after_delete=())
    return await place.target.plan(nothing, place.application)


async def remove(place: Place) -> Applied:
    return await place.apply(await removal(place))


async def is_there(api: Api, kind: str, name: str) -> bool:
    found = await api.list("batch/v1" if kind == "Job" else "v1", kind, fieldSelector=f"metadata.name={name}")
    return bool(found["items"])


async def test_hooks_run_before_and_after_everything_goes_and_go_with_it(access: KubeAccess) -> None:
    ns = access.namespace
    bodies = [config_map("a", ns, x="1"), hook("first", ns, "before-delete"), hook("last", ns, "after-delete")]
    async with placed(access) as place:
        await sync(place, *bodies)
        assert [one.path for one in place.sent.writes if "/jobs" in one.path] == []
    async with placed(access, installation=f"i-{ns}") as place, Api.connect(access) as api:  # nothing is remembered
        applied = await remove(place)
        assert applied.failure is None
        order = [(one.method, one.path.rsplit("/", 1)[-1]) for one in place.sent.writes]
        assert order.index(("PATCH", "first")) < order.index(("DELETE", "a")) < order.index(("PATCH", "last"))
        observed = await place.target.observe(place.placement)
        assert observed.objects == ()
        assert await place.target.placements() == ()
        assert [await is_there(api, "Job", one) for one in ("first", "last")] == [False, False]


async def test_a_hook_that_fails_keeps_everything_and_says_so(access: KubeAccess) -> None:
    ns = access.namespace
    async with placed(access) as place, Api.connect(access) as api:
        await sync(place, config_map("a", ns, x="1"), hook("first", ns, "before-delete", image=CRASHES))
        for _ in range(2):  # it is not run again while it stands there
            applied = await remove(place)
            assert "deletes nothing before a hook that failed: Job.batch" in str(applied.failure)
            assert await is_there(api, "ConfigMap", "a")
        assert place.sent.count("PATCH", part="/jobs/first", is_dry=False) == 1


async def test_deletions_that_wait_for_a_yes_run_no_hook(access: KubeAccess) -> None:
    ns = access.namespace
    many = [config_map(f"a{number}", ns, x="1") for number in range(8)]
    async with placed(access) as place:
        await sync(place, *many, hook("first", ns, "before-delete"))
        planned = await removal(place)
        assert all(one.objection for one in planned.objects if one.key.name.startswith("a"))
        await place.apply(planned)
        assert [one for one in place.sent.writes if "/jobs" in one.path] == []


async def test_another_hook_alone_is_kept_in_the_place_of_the_one_before(access: KubeAccess) -> None:
    ns = access.namespace
    async with placed(access) as place, Api.connect(access) as api:
        await sync(place, config_map("a", ns, x="1"), hook("first", ns, "before-delete"))
        await sync(place, config_map("a", ns, x="1"), hook("second", ns, "before-delete"), commit="b")
        assert [one.key.name for one in (await removal(place)).before_delete] == ["second"]
        assert await is_there(api, "ConfigMap", "a")


async def test_a_hook_goes_when_it_succeeded_and_is_not_run_again(access: KubeAccess) -> None:
    ns = access.namespace
    bodies = [hook("migrate", ns, "before", policy="hook-succeeded"), config_map("a", ns, x="1")]
    async with placed(access) as place, Api.connect(access) as api:
        applied = await sync(place, *bodies)
        assert applied.failure is None
        assert [one.result for one in applied.outcomes if one.key.kind == "Job"] == [Result.CREATED, Result.PRUNED]
        assert not await is_there(api, "Job", "migrate")
        assert (await plan(place, *bodies)).is_empty
        observed = await place.target.observe(place.placement)
        assert not observed.has_loose_ends
        assert {one.key.name for one in observed.objects} == {"migrate", "a"}


def settings(namespace: str, policy: str, **data: str) -> Body:
    """Give a hook that does no work of its own: what the Job beside it reads."""
    body = config_map("settings", namespace, **data)
    body["metadata"]["annotations"] = {"helm.sh/hook": "pre-install,pre-upgrade", "helm.sh/hook-delete-policy": policy}
    return body


async def test_what_a_hook_reads_comes_and_goes_with_it(access: KubeAccess) -> None:
    ns = access.namespace
    ordinary = config_map("a", ns, x="1")
    read = settings(ns, "before-hook-creation,hook-succeeded")
    async with placed(access) as place, Api.connect(access) as api:
        for image in ("tool:1", "tool:2"):
            bodies = [read, hook("migrate", ns, "before", image=image, policy="hook-succeeded"), ordinary]
            planned = await plan(place, *bodies)
            assert {one.key.name: one.action for one in planned.objects if one.key.name != "a"} == {
                "settings": Action.CREATE,
                "migrate": Action.CREATE,
            }
            assert (await place.apply(planned)).failure is None
            assert not await is_there(api, "ConfigMap", "settings")
            assert not await is_there(api, "Job", "migrate")
            assert (await plan(place, *bodies)).is_empty
        observed = await place.target.observe(place.placement)
        assert not observed.has_loose_ends
        assert {one.key.name for one in observed.objects} == {"settings", "migrate", "a"}


async def test_what_a_failed_hook_read_goes_with_it_and_comes_back_for_the_next(access: KubeAccess) -> None:
    ns = access.namespace
    read = settings(ns, "hook-failed")
    failing = hook("migrate", ns, "before", image=CRASHES, policy="hook-failed")
    mended = hook("migrate", ns, "before", policy="hook-failed")
    async with placed(access) as place, Api.connect(access) as api:
        applied = await place.apply(await plan(place, read, failing, config_map("a", ns, x="1")))
        assert "a hook that failed: Job.batch" in str(applied.failure)
        assert not await is_there(api, "ConfigMap", "settings")
        assert not await is_there(api, "Job", "migrate")
        await sync(place, read, mended, config_map("a", ns, x="1"), commit="b")
        assert await is_there(api, "ConfigMap", "settings")
        assert await is_there(api, "Job", "migrate")


async def test_a_hook_of_any_kind_is_made_anew_for_another_content(access: KubeAccess) -> None:
    ns = access.namespace
    async with placed(access) as place, Api.connect(access) as api:
        await sync(place, settings(ns, "before-hook-creation", x="1"))
        first = (await api.get("v1", "ConfigMap", "settings"))["metadata"]["uid"]
        assert (await plan(place, settings(ns, "before-hook-creation", x="1"))).is_empty
        planned = await plan(place, settings(ns, "before-hook-creation", x="2"))
        assert [one.action for one in planned.objects] == [Action.REPLACE]
        assert (await place.apply(planned)).failure is None
        second = await api.get("v1", "ConfigMap", "settings")
        assert second["metadata"]["uid"] != first
        assert second["data"] == {"x": "2"}


async def test_a_failure_hook_goes_when_it_succeeded_and_is_told_once(access: KubeAccess) -> None:
    ns = access.namespace
    bodies = [hook("first", ns, "before", image=CRASHES), hook("tell", ns, "failure", policy="hook-succeeded")]
    async with placed(access) as place, Api.connect(access) as api:
        for _ in range(2):
            applied = await place.apply(await plan(place, *bodies, config_map("a", ns, x="1")))
            assert "a hook that failed: Job.batch" in str(applied.failure)
            assert not await is_there(api, "Job", "tell")
        assert place.sent.count("PATCH", part="/jobs/tell", is_dry=False) == 1


async def test_a_hook_that_failed_and_went_has_failed_all_the_same(access: KubeAccess) -> None:
    ns = access.namespace
    bodies = [hook("migrate", ns, "before", image=CRASHES, policy="hook-failed"), config_map("a", ns, x="1")]
    async with placed(access) as place, Api.connect(access) as api:
        for _ in range(2):
            applied = await place.apply(await plan(place, *bodies))
            assert "a hook that failed: Job.batch" in str(applied.failure)
            assert not await is_there(api, "Job", "migrate")
            assert not await is_there(api, "ConfigMap", "a")
        assert place.sent.count("PATCH", part="/jobs/migrate", is_dry=False) == 1
