"""Operations as a person does them: a command, one commit on the platform repository, and what comes of it."""

from __future__ import annotations

from functools import partial

import pytest

from controller.engine import DriftProposed, PlacementReconciled, PlatformAccepted
from controller.model import CommitId, Health, PlacementReport, SyncStatus
from tests.cluster.api import Api, ApiError
from tests.engine.operations.conftest import Person
from tests.fixtures.loop import Loop, config_map, deployment, dump

pytestmark = pytest.mark.slow

OVERLAY = "overlays/dev/shop/kustomization.yaml"
GOOD, BAD = "registry.example.com/app:1", "fail.example/pull/app:1"


def web(image: str, **others: str) -> dict[str, bytes]:
    return {"deploy/web.yaml": deployment("web", image=image), "deploy/a.yaml": config_map("a", **others)}


async def state(loop: Loop, commit: CommitId, *health: Health, since: int = 0) -> PlacementReport:
    """Wait until a commit runs, in one of these healths."""

    def holds(event: PlacementReconciled) -> bool:
        report = event.report
        return report.applied is not None and report.applied.application == commit and report.health in health

    return (await loop.until(PlacementReconciled, holds, since=since)).report


async def last_commit(loop: Loop, branch: str = "main") -> list[str]:
    return (await loop.host.log("platform", branch, form="%an <%ae>%n%B"))[0].splitlines()


async def test_a_rollback_skips_bad_commits_and_any_newer_commit_resumes(loop: Loop, live: Api, person: Person) -> None:
    good = await loop.host.create("shop", web(GOOD, x="good"))
    await loop.platform({"shop": {}})
    async with loop.start() as controller:
        await state(loop, good, Health.HEALTHY)
        for number in ("one", "two"):
            bad = await loop.host.commit("shop", web(f"{BAD}{number}", x=number))
            await state(loop, bad, Health.PROGRESSING, Health.DEGRADED)
        mark = loop.mark()
        await person.does("rollback", "dev/shop", "--why", "Checkout fails.")
        back = await state(loop, good, Health.HEALTHY, since=mark)
        assert back.sync is SyncStatus.SYNCED
        assert (await live.get("v1", "ConfigMap", "a"))["data"] == {"x": "good"}
        assert await last_commit(loop) == [
            "Wang Li <li@example.com>",
            f"Roll dev/shop back to {good[:8]}, past {bad[:8]}",
            "",
            "Checkout fails.",
        ]
        mark = loop.mark()
        fixed = await loop.host.commit("shop", web(GOOD, x="fixed"))
        await state(loop, fixed, Health.HEALTHY, since=mark)
        assert (await live.get("v1", "ConfigMap", "a"))["data"] == {"x": "fixed"}
        await controller.settled()
    await check_history(person, [fixed, good, bad, None, good])


async def check_history(person: Person, commits: list[CommitId | None]) -> None:
    """The history of that test, from the newest, in all three commands."""
    found = await person.reads("history", "dev/shop")
    assert [one["good"] for one in found] == [True, True, False, False, True]
    assert all(commit in (None, one["revision"]["application"]) for commit, one in zip(commits, found, strict=True))
    fields = [
        (field["field"], field.get("before"), field["after"])
        for one in found[0]["changes"]["home"]
        for field in one["fields"]
    ]
    assert fields == [("data.x", "good", "fixed")]
    assert found[-1]["changes"] is None
    assert found[1]["by_platform"]["author"] == "Wang Li"
    assert found[1]["by_platform"]["subject"].startswith("Roll dev/shop back")
    shown = await person.reads("show", "dev/shop", str(commits[2])[:8])
    assert (shown["version"], shown["placements"][0]["target"]) == (2, "home")
    between = await person.does("diff", "dev/shop", "1", str(commits[2])[:8])
    assert 'data.x: "good" → "two"' in between
    assert f'spec.template.spec.containers[app].image: "{GOOD}" → "{BAD}two"' in between
    assert "no version 9" in await person.is_refused("show", "dev/shop", "9")


async def test_a_named_version_is_rolled_back_to_and_resume_takes_it_back(
    loop: Loop, live: Api, person: Person
) -> None:
    commits = [await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="0")})]
    await loop.platform({"shop": {}})
    async with loop.start() as controller:
        await loop.synced("shop", commit=commits[0])
        for number in (1, 2):
            commits.append(await loop.host.commit("shop", {"deploy/a.yaml": config_map("a", x=str(number))}))
            await loop.synced("shop", commit=commits[-1])
        await controller.settled()
        mark = loop.mark()
        await person.does("rollback", "dev/shop", "2")
        await loop.synced("shop", commit=commits[0], since=mark)
        assert (await live.get("v1", "ConfigMap", "a"))["data"] == {"x": "0"}
        reason = await person.is_refused("rollback", "dev/shop", commits[0][:8])
        assert "already" in reason
        mark = loop.mark()
        await person.does("resume", "dev/shop")
        await loop.synced("shop", commit=commits[2], since=mark)
        assert "Nothing to change" in await person.does("resume", "dev/shop")


async def test_an_approval_lets_exactly_the_shown_plan_through(loop: Loop, live: Api, person: Person) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    stale = {"approvals/dev/shop.yaml": b"plans:\n- sha256:stale   # long ago\n"}
    await loop.platform({"shop": {}}, sync={"pending": "approve"}, files=stale)
    async with loop.start() as controller:
        waiting = await loop.report("shop", SyncStatus.AWAITING_APPROVAL)
        plan = next(word for word in waiting.reason.split() if word.startswith("sha256:"))
        assert "changed since" in await person.is_refused("approve", "dev/shop", "--plan", "0000")
        told = await person.does("approve", "dev/shop", "--plan", plan[7:15], "--why", "As discussed.")
        assert plan in told
        await loop.synced("shop")
        await controller.settled()
        file = await loop.host.show("platform", "approvals/dev/shop.yaml")
        assert "stale" not in file
        assert "by: Wang Li <li@example.com>" in file
        assert "nothing pending" in await person.is_refused("approve", "dev/shop")
    assert (await live.get("v1", "ConfigMap", "a"))["data"] == {"x": "1"}
    found = await person.reads("history", "dev/shop")
    assert [(yes["author"], yes["plans"]) for one in found for yes in one["approvals"]] == [("Wang Li", [plan])]
    assert [one["verdict"] for one in await person.reads("verify")] == ["proven"]


async def test_an_expired_approval_lets_nothing_through(loop: Loop, live: Api, person: Person) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}}, sync={"pending": "approve"})
    async with loop.start():
        await loop.report("shop", SyncStatus.AWAITING_APPROVAL)
        mark = loop.mark()
        await person.does("approve", "dev/shop", "--for", "0s")
        accepted = await loop.until(PlatformAccepted, since=mark)
        await loop.report("shop", SyncStatus.AWAITING_APPROVAL, since=loop.events.index(accepted))
    with pytest.raises(ApiError, match="not found"):
        await live.get("v1", "ConfigMap", "a")


async def test_without_the_controllers_key_nothing_can_be_approved(loop: Loop, person: Person) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}}, sync={"pending": "approve"})
    (loop.directory / "credentials" / "plan-keys" / "dev").unlink()
    assert "plan-keys/dev: there is no such key" in await person.is_refused("approve", "dev/shop")


async def test_nothing_is_written_between_suspend_and_resume(loop: Loop, live: Api, person: Person) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}})
    async with loop.start():
        await loop.synced("shop")
        await person.does("suspend", "dev/shop", "--why", "Inventory night.")
        await loop.report("shop", SyncStatus.SUSPENDED)
        mark = loop.mark()
        await loop.host.commit("shop", {"deploy/a.yaml": config_map("a", x="2")})
        await loop.until(PlacementReconciled, lambda event: event.report.pending == 1, since=mark)
        assert (await live.get("v1", "ConfigMap", "a"))["data"] == {"x": "1"}
        await person.does("resume", "dev/shop")
        await live.until("v1", "ConfigMap", "a", lambda found: found and found["data"] == {"x": "2"})


COMPONENT = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
APP = "registry.example.com/app"


def overlay(environment: str, tag: str, **others: object) -> dict[str, bytes]:
    content = {**COMPONENT, "images": [{"name": APP, "newTag": tag}], **others}
    return {f"overlays/{environment}/shop/kustomization.yaml": b"# ours\n" + dump(content)}


def has_image(image: str, found: object) -> bool:
    assert found is None or isinstance(found, dict)
    return found is not None and found["spec"]["template"]["spec"]["containers"][0]["image"] == image


async def test_what_dev_runs_is_promoted_to_prod(loop: Loop, live: Api, person: Person) -> None:
    first = await loop.host.create("shop", web(GOOD))
    await loop.host.tag("shop", "v1", first)
    second = await loop.host.commit("shop", web(GOOD, x="second"))
    prod = {
        "apiVersion": "converge/v1",
        "kind": "Environment",
        "metadata": {"name": "prod"},
        "spec": {
            "targets": {"home": {"kubernetes": {}}},
            "applications": {
                "shop": {"repository": "shop", "path": "deploy", "revision": "v1", "namespace": loop.namespace}
            },
        },
    }
    files = {"environments/prod.yaml": dump(prod), **overlay("dev", "2"), **overlay("prod", "1", namePrefix="prod-")}
    await loop.platform({"shop": {}}, files=files)
    async with loop.start():
        await live.until("apps/v1", "Deployment", "web", partial(has_image, f"{APP}:2"))
        await live.until("apps/v1", "Deployment", "prod-web", partial(has_image, f"{APP}:1"))
        await person.does("promote", "dev/shop", "prod")
        await live.until("apps/v1", "Deployment", "prod-web", partial(has_image, f"{APP}:2"))
        await live.until("v1", "ConfigMap", "prod-a", lambda found: found and found.get("data") == {"x": "second"})
    assert second in await loop.host.show("platform", "environments/prod.yaml")
    assert "Nothing to change" in await person.does("promote", "dev/shop", "prod")


async def test_an_image_and_replicas_are_set(loop: Loop, live: Api, person: Person) -> None:
    await loop.host.create("shop", web(GOOD))
    await loop.platform({"shop": {}}, files=overlay("dev", "1"))
    async with loop.start():
        await live.until("apps/v1", "Deployment", "web", partial(has_image, f"{APP}:1"))
        await person.does("set", "dev/shop", "image", "app=3")
        await live.until("apps/v1", "Deployment", "web", partial(has_image, f"{APP}:3"))
        await person.does("set", "dev/shop@home", "replicas", "web=2")
        await live.until("apps/v1", "Deployment", "web", lambda found: found and found["spec"]["replicas"] == 2)
    assert (await loop.host.show("platform", "overlays/dev/shop/kustomization.yaml")).startswith("# ours\n")


async def test_what_would_do_nothing_or_not_validate_is_refused_with_its_reason(loop: Loop, person: Person) -> None:
    await loop.host.create("shop", web(GOOD))
    await loop.platform({"shop": {}})
    assert f"It has: {GOOD}" in await person.is_refused("set", "dev/shop", "image", "apps=3")
    assert "there is no api of Deployment" in await person.is_refused("set", "dev/shop", "replicas", "api=3")
    assert "There are: dev" in await person.is_refused("suspend", "prod/shop")
    assert "It has: shop" in await person.is_refused("suspend", "dev/shops")
    assert "needs no approval" in await person.is_refused("approve", "dev/shop")
    assert "nothing is recorded yet" in await person.is_refused("rollback", "dev/shop")
    assert "no environment prod" in await person.is_refused("promote", "dev/shop", "prod")
    assert "is no 'Name <email>'" in await person.is_refused("suspend", "dev/shop", "--author", "me")
    await loop.host.commit("platform", {"environments/dev.yaml": b"kind: Environment\nspecs: {}\n"})
    assert "environments/dev.yaml:" in await person.is_refused("suspend", "dev/shop")


async def test_a_dry_run_pushes_nothing_and_a_branch_waits_for_review(loop: Loop, person: Person) -> None:
    await loop.host.create("shop", web(GOOD))
    first = await loop.platform({"shop": {}})
    assert "+      suspend: true" in await person.does("suspend", "dev/shop", "--dry-run")
    assert await loop.host.log("platform") == [first]
    await person.does("suspend", "dev/shop", "--branch", "suspend-shop", "--why", "Inventory night.\n\nUntil noon.")
    assert await loop.host.log("platform") == [first]
    assert (await loop.host.log("platform", "suspend-shop"))[1] == first
    assert await last_commit(loop, "suspend-shop") == [
        "Wang Li <li@example.com>", "Suspend dev/shop", "", "Inventory night.", "", "Until noon.",
    ]  # fmt: skip
    loop.host.protect("platform", "main")
    assert "refuses" in await person.is_refused("suspend", "dev/shop")


WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}


async def test_an_edit_that_is_only_reported_is_accepted_and_the_drift_ends(
    loop: Loop, live: Api, person: Person
) -> None:
    await loop.host.create("shop", {"deploy/web.yaml": deployment("web", replicas=2)})
    await loop.platform({"shop": {}}, sync={"drift": "report"})
    async with loop.start():
        await loop.report("shop", health=Health.HEALTHY)
        assert "nothing has drifted" in await person.is_refused("accept", "dev/shop")
        mark = loop.mark()
        await live.patch(WEB, {"spec": {"replicas": 4}}, fieldManager="kubectl-edit")
        await loop.report("shop", SyncStatus.DRIFTED, since=mark)
        assert "is no drifted field" in await person.is_refused("accept", "dev/shop", "Deployment/web", "spec.paused")
        mark = loop.mark()
        await person.does("accept", "dev/shop", "Deployment/web", "spec.replicas", "--why", "The load of Friday.")
        await loop.report("shop", since=mark)
        assert (await live.get("apps/v1", "Deployment", "web"))["spec"]["replicas"] == 4
    subject, _, body = (await last_commit(loop))[1:4]
    assert subject == f"Accept Deployment.apps {loop.namespace}/web spec.replicas as it runs in dev/shop"
    assert body == "The load of Friday."
    assert "count: 4" in await loop.host.show("platform", "overlays/dev/shop/kustomization.yaml")


async def test_an_edit_that_was_taken_back_is_not_lost(loop: Loop, live: Api, person: Person) -> None:
    await loop.host.create("shop", {"deploy/web.yaml": deployment("web", replicas=2)})
    await loop.platform({"shop": {}})
    async with loop.start() as controller:
        await loop.report("shop", health=Health.HEALTHY)
        await live.patch(WEB, {"spec": {"replicas": 4}}, fieldManager="kubectl-edit")
        await live.until("apps/v1", "Deployment", "web", lambda web: web and web["spec"]["replicas"] == 2)
        await controller.settled()
        await person.does("accept", "dev/shop", "--reverted")
        await live.until("apps/v1", "Deployment", "web", lambda web: web and web["spec"]["replicas"] == 4)


async def test_an_edit_is_proposed_once_and_merging_it_ends_the_drift(loop: Loop, live: Api, person: Person) -> None:
    await loop.host.create("shop", {"deploy/web.yaml": deployment("web", replicas=2)})
    await loop.platform({"shop": {}}, sync={"drift": "propose"})
    async with loop.start() as controller:
        await loop.report("shop", health=Health.HEALTHY)
        mark = loop.mark()
        await live.patch(WEB, {"spec": {"replicas": 4}}, fieldManager="kubectl-edit")
        proposed = await loop.until(DriftProposed, since=mark)
        await loop.report("shop", SyncStatus.DRIFTED, since=mark)
        await controller.settled()
    branches = [one for one in await loop.host.branches("platform") if one.startswith("converge/")]
    assert branches == [proposed.branch]
    message = (await loop.host.log("platform", proposed.branch, form="%B"))[0]
    assert message.startswith(f"Accept Deployment.apps {loop.namespace}/web spec.replicas as it runs in dev/shop")
    async with loop.start():  # the same drift is not offered again
        mark = loop.mark()
        await loop.report("shop", SyncStatus.DRIFTED, since=mark)
        overlay = await loop.host.show("platform", OVERLAY, branch=proposed.branch)
        assert "count: 4" in overlay
        await loop.host.commit("platform", {OVERLAY: overlay.encode()}, message="Merge what runs")
        await loop.report("shop", since=mark)
    assert (await live.get("apps/v1", "Deployment", "web"))["spec"]["replicas"] == 4
    assert [one for one in await loop.host.branches("platform") if one.startswith("converge/")] == branches
