"""From a merged commit to live objects and back to records, on real git and a real control plane."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from controller.engine import DriftFound, PlacementReconciled, PlatformRejected
from controller.model import Health, SyncStatus
from controller.runtime import Completed, bare_environment, run
from tests.cluster.api import Api, ApiError
from tests.fixtures.loop import Loop, config_map, deployment, dump

pytestmark = pytest.mark.slow


async def config(live: Api, name: str) -> Any:
    return (await live.get("v1", "ConfigMap", name))["data"]


async def test_a_first_commit_is_deployed_and_becomes_healthy(loop: Loop, live: Api) -> None:
    commit = await loop.host.create("shop", {"deploy/web.yaml": deployment("web", replicas=2)})
    await loop.platform({"shop": {}})
    async with loop.start():
        report = await loop.synced("shop", commit=commit)
        await loop.report("shop", health=Health.HEALTHY)
    web = await live.get("apps/v1", "Deployment", "web")
    assert web["status"]["readyReplicas"] == 2
    assert report.applied is not None


async def test_a_merged_change_is_applied_and_a_revert_rolls_it_back(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}})
    async with loop.start():
        await loop.synced("shop")
        change = await loop.host.commit("shop", {"deploy/a.yaml": config_map("a", x="2")})
        await loop.synced("shop", commit=change)
        assert await config(live, "a") == {"x": "2"}
        back = await loop.host.revert("shop", change)
        await loop.synced("shop", commit=back)
        assert await config(live, "a") == {"x": "1"}


async def test_what_leaves_git_is_pruned(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1"), "deploy/b.yaml": config_map("b", x="1")})
    await loop.platform({"shop": {}})
    async with loop.start():
        await loop.synced("shop")
        change = await loop.host.commit("shop", {"deploy/b.yaml": None})
        await loop.synced("shop", commit=change)
    assert await config(live, "a") == {"x": "1"}
    with pytest.raises(ApiError, match="not found"):
        await config(live, "b")


async def test_an_empty_repository_prunes_nothing(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}})
    async with loop.start():
        await loop.synced("shop")
        mark = loop.mark()
        await loop.host.commit("shop", {"deploy/a.yaml": None, "README.md": b"moved"})
        await loop.report("shop", SyncStatus.FAILED, since=mark)
    assert await config(live, "a") == {"x": "1"}


async def test_many_deletions_wait_for_a_yes_in_git(loop: Loop, live: Api) -> None:
    files = {f"deploy/{name}.yaml": config_map(name, x="1") for name in "abcdef"}
    await loop.host.create("shop", files)
    await loop.platform({"shop": {}})
    async with loop.start():
        await loop.synced("shop")
        mark = loop.mark()
        change = await loop.host.commit("shop", {f"deploy/{name}.yaml": None for name in "bcdef"})
        await loop.report("shop", SyncStatus.AWAITING_APPROVAL, since=mark)
        assert await config(live, "f") == {"x": "1"}
        await loop.platform({"shop": {"approveDeletions": True}})
        await loop.synced("shop", commit=change, since=loop.mark())
    with pytest.raises(ApiError, match="not found"):
        await config(live, "f")


async def test_a_hand_edit_is_named_with_its_author_and_taken_back(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/web.yaml": deployment("web", replicas=2)})
    await loop.platform({"shop": {}})
    async with loop.start():
        await loop.report("shop", health=Health.HEALTHY)
        mark = loop.mark()
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
        await live.patch(body, {"spec": {"replicas": 5}}, fieldManager="kubectl-edit")
        drift = await loop.until(DriftFound, since=mark)
        assert [(change.path, change.before, change.after) for change in drift.changes] == [
            (("spec", "replicas"), 5, 2)
        ]
        editor = drift.changes[0].editor
        assert editor is not None
        assert editor.manager == "kubectl-edit"
        await live.until("apps/v1", "Deployment", "web", lambda web: web and web["spec"]["replicas"] == 2)


async def test_a_deleted_object_is_made_again(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}})
    async with loop.start():
        await loop.synced("shop")
        await live.delete({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
        await live.until("v1", "ConfigMap", "a", lambda found: found is not None)


async def test_reported_drift_is_left_alone_and_our_next_change_leaves_it_too(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/web.yaml": deployment("web", replicas=2)})
    await loop.platform({"shop": {}}, sync={"drift": "report"})
    async with loop.start():
        await loop.report("shop", health=Health.HEALTHY)
        mark = loop.mark()
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
        await live.patch(body, {"spec": {"replicas": 5}}, fieldManager="kubectl-edit")
        await loop.report("shop", SyncStatus.DRIFTED, since=mark)
        change = await loop.host.commit("shop", {"deploy/web.yaml": deployment("web", image="r/app:2", replicas=2)})
        web = await live.until(
            "apps/v1",
            "Deployment",
            "web",
            lambda web: web and web["spec"]["template"]["spec"]["containers"][0]["image"] == "r/app:2",
        )
        assert web is not None
        assert web["spec"]["replicas"] == 5
        assert change


async def test_a_broken_manifest_says_where_and_touches_nobody(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.host.create("billing", {"deploy/b.yaml": config_map("b", x="1")})
    await loop.platform({"shop": {}, "billing": {}})
    async with loop.start():
        await loop.synced("shop")
        await loop.synced("billing")
        before = (await live.get("v1", "ConfigMap", "b"))["metadata"]["resourceVersion"]
        await loop.host.commit("shop", {"deploy/a.yaml": b"apiVersion: v1\nkind: ConfigMap\n metadata: {}\n"})
        failed = await loop.report("shop", SyncStatus.FAILED)
        assert "deploy/a.yaml:3" in failed.reason
        change = await loop.host.commit("billing", {"deploy/b.yaml": config_map("b", x="2")})
        await loop.synced("billing", commit=change)
    assert await config(live, "a") == {"x": "1"}
    assert (await live.get("v1", "ConfigMap", "b"))["metadata"]["resourceVersion"] != before


async def test_a_platform_commit_that_does_not_validate_changes_nothing(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    good = await loop.platform({"shop": {}})
    async with loop.start():
        await loop.synced("shop")
        await loop.host.commit("platform", {"environments/dev.yaml": b"kind: Environment\nspecs: {}\n"})
        rejected = await loop.until(PlatformRejected)
        assert rejected.in_force == good
        assert any(problem.where.path == "environments/dev.yaml" for problem in rejected.problems)
        change = await loop.host.commit("shop", {"deploy/a.yaml": config_map("a", x="2")})
        await loop.synced("shop", commit=change)
    assert await config(live, "a") == {"x": "2"}
    told = await loop.host.show("platform", "status/_platform.yaml", branch="converge-status")
    assert "environments/dev.yaml" in told
    assert "is not in force" in await loop.host.show("platform", "README.md", branch="converge-status")
    await loop.platform({"shop": {}})
    async with loop.start() as controller:
        await loop.synced("shop", since=loop.mark())
        await controller.settled()
    assert "status/_platform.yaml" not in await loop.host.names("platform", branch="converge-status")


async def test_after_a_restart_an_invalid_platform_head_leaves_its_newest_valid_ancestor_in_force(
    loop: Loop, live: Api
) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}})
    await loop.host.commit("platform", {"environments/dev.yaml": b"kind: Environment\nspecs: {}\n"})
    await loop.host.commit("platform", {"README.md": b"still broken\n"})
    async with loop.start():
        await loop.synced("shop")
    assert await config(live, "a") == {"x": "1"}


async def test_an_application_that_leaves_git_takes_its_few_objects_along(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.host.create("billing", {"deploy/b.yaml": config_map("b", x="1")})
    await loop.platform({"shop": {}, "billing": {}})
    async with loop.start():
        await loop.synced("shop")
        await loop.synced("billing")
        await loop.platform({"billing": {}})
        await live.until("v1", "ConfigMap", "a", lambda found: found is None)
    assert await config(live, "b") == {"x": "1"}


async def test_an_application_that_left_git_while_nobody_looked_is_found_after_a_restart(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.host.create("billing", {"deploy/b.yaml": config_map("b", x="1")})
    await loop.platform({"shop": {}, "billing": {}})
    async with loop.start():
        await loop.synced("shop")
        await loop.synced("billing")
    await loop.platform({"billing": {}})
    async with loop.start():
        await live.until("v1", "ConfigMap", "a", lambda found: found is None)


async def test_a_target_that_leaves_git_takes_its_few_objects_along(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.host.create("billing", {"deploy/b.yaml": config_map("b", x="1")})
    targets = {"home": {"kubernetes": {}}, "away": {"kubernetes": {}}}
    await loop.platform({"shop": {"targets": ["home"]}, "billing": {"targets": ["away"]}}, spec={"targets": targets})
    async with loop.start() as controller:
        await loop.synced("shop")
        await loop.synced("billing")
        await loop.platform({"shop": {}})
        await live.until("v1", "ConfigMap", "b", lambda found: found is None)
        await controller.settled()
    assert await config(live, "a") == {"x": "1"}
    assert "lifecycle: retired" in await loop.host.show("platform", "status/dev/billing.yaml", branch="converge-status")


async def test_an_environment_that_left_git_while_nobody_looked_takes_its_few_objects_along(
    loop: Loop, live: Api
) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.host.create("billing", {"deploy/b.yaml": config_map("b", x="1")})
    entry = {"repository": "billing", "path": "deploy", "revision": "main", "namespace": loop.namespace}
    environment = {
        "apiVersion": "converge/v1",
        "kind": "Environment",
        "metadata": {"name": "test"},
        "spec": {"targets": {"lab": {"kubernetes": {}}}, "applications": {"billing": entry}},
    }
    url = loop.host.url("billing")
    files = {"environments/test.yaml": dump(environment)}
    await loop.platform({"shop": {}}, files=files, more={"billing": {"url": url}})
    async with loop.start():
        await loop.synced("shop")
        await loop.synced("billing")
    await loop.host.commit("platform", {"environments/test.yaml": None})
    async with loop.start() as controller:
        await live.until("v1", "ConfigMap", "b", lambda found: found is None)
        await controller.settled()
    assert await config(live, "a") == {"x": "1"}
    assert "lifecycle: retired" in await loop.host.show(
        "platform", "status/test/billing.yaml", branch="converge-status"
    )


async def test_an_application_waits_for_what_it_depends_on(loop: Loop, live: Api) -> None:
    await loop.host.create("db", {"deploy/db.yaml": deployment("db", image="fail.example/pull/app:1")})
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"db": {}, "shop": {"dependsOn": ["db"]}})
    async with loop.start():
        waiting = await loop.report("shop", SyncStatus.PENDING)
        assert "dev/db" in waiting.reason
        with pytest.raises(ApiError, match="not found"):
            await config(live, "a")
        await loop.host.commit("db", {"deploy/db.yaml": deployment("db")})
        await loop.synced("shop")
    assert await config(live, "a") == {"x": "1"}


async def test_two_applications_that_claim_one_object_are_told_and_the_first_keeps_it(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="shop")})
    await loop.platform({"shop": {}})
    await loop.host.create("thief", {"deploy/a.yaml": config_map("a", x="thief")})
    async with loop.start():
        await loop.synced("shop")
        await loop.platform({"shop": {}, "thief": {}})
        failed = await loop.report("thief", SyncStatus.FAILED)
        assert "dev/shop@home" in failed.reason
    assert await config(live, "a") == {"x": "shop"}


async def test_an_object_outside_of_what_a_repository_may_touch_is_refused_with_its_place(
    loop: Loop, live: Api
) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1") + b"---\n" + deployment("web")})
    may = {"may": {"kinds": ["ConfigMap"], "namespaces": [loop.namespace]}}
    await loop.platform({"shop": {}}, repositories={"shop": may})
    async with loop.start():
        failed = await loop.report("shop", SyncStatus.FAILED)
    assert "deploy/a.yaml" in failed.reason
    assert "Deployment" in failed.reason
    with pytest.raises(ApiError, match="not found"):
        await config(live, "a")


async def test_a_suspended_application_is_left_alone(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}})
    async with loop.start():
        await loop.synced("shop")
        await loop.platform({"shop": {"suspend": True}})
        await loop.report("shop", SyncStatus.SUSPENDED)
        await loop.host.commit("shop", {"deploy/a.yaml": config_map("a", x="2")})
        await loop.until(PlacementReconciled, lambda event: event.report.pending == 1, since=loop.mark())
        assert await config(live, "a") == {"x": "1"}
        await loop.platform({"shop": {"suspend": False}})
        await live.until("v1", "ConfigMap", "a", lambda found: found and found["data"] == {"x": "2"})


async def test_an_unapproved_change_waits_for_a_commit_that_names_its_plan(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}}, sync={"pending": "approve"})
    async with loop.start():
        waiting = await loop.report("shop", SyncStatus.AWAITING_APPROVAL)
        with pytest.raises(ApiError, match="not found"):
            await config(live, "a")
        plan = next(word for word in waiting.reason.split() if word.startswith("sha256:"))
        await loop.host.commit("platform", {"approvals/dev/shop.yaml": f"plans: ['{plan}']\n".encode()})
        await loop.synced("shop")
    assert await config(live, "a") == {"x": "1"}


async def test_a_rollback_holds_until_a_newer_commit_comes_and_no_longer(loop: Loop, live: Api) -> None:
    good = await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="good")})
    bad = await loop.host.commit("shop", {"deploy/a.yaml": config_map("a", x="bad")})
    await loop.platform({"shop": {}})
    async with loop.start():
        await loop.synced("shop", commit=bad)
        await loop.platform({"shop": {"rollback": {"to": good, "from": bad}}})
        await loop.synced("shop", commit=good)
        assert await config(live, "a") == {"x": "good"}
        fixed = await loop.host.commit("shop", {"deploy/a.yaml": config_map("a", x="fixed")})
        await loop.synced("shop", commit=fixed)
        assert await config(live, "a") == {"x": "fixed"}


async def test_the_commands_tell_by_number_what_is_pending_and_what_has_drifted(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}}, sync={"drift": "report"})
    assert (await converge(loop, "plan")).returncode == 3
    once = await converge(loop, "run", "--once")
    assert once.returncode == 0
    assert b"dev/shop@home" in once.stdout
    assert (await converge(loop, "plan")).returncode == 0
    assert (await converge(loop, "status")).returncode == 0
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    await live.patch(body, {"data": {"x": "2"}}, fieldManager="kubectl-edit")
    drifted = await converge(loop, "diff", "dev/shop")
    assert drifted.returncode == 4
    assert b"data.x" in drifted.stdout
    assert b"kubectl-edit" in drifted.stdout
    assert (await converge(loop, "run", "--once")).returncode == 4
    told = await converge(loop, "status")
    assert told.returncode == 4
    assert b"kubectl-edit" in told.stdout


async def converge(loop: Loop, *arguments: str) -> Completed:
    """Run a command as a person does."""
    return await run(
        (
            *(sys.executable, "-m", "controller.cli", *arguments, "--platform", loop.host.url("platform")),
            *("--credentials", str(loop.directory / "credentials"), "--cache", str(loop.directory / "cache")),
        ),
        cwd=loop.directory,
        env=bare_environment({"PYTHONPATH": os.environ.get("PYTHONPATH", "")}),
        deadline_seconds=90,
    )


async def test_an_absent_application_is_at_rest_when_it_is_gone(loop: Loop, live: Api) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}})
    async with loop.start() as controller:
        await loop.synced("shop")
        await loop.platform({"shop": {"state": "absent"}})
        await loop.until(PlacementReconciled, lambda event: event.report.retired)
        assert await controller.settled() == ()
