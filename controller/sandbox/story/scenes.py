"""The scenes of the story, in order. Each waits for what it tells, and fails where it does not come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controller.engine import DriftFound, PlacementReconciled
from controller.git import Identity
from controller.model import ABSENT, CommitId, FieldChange, Health, PlacementReport, SyncStatus, format_path
from controller.sandbox.story.adoption import a_deployment_made_by_hand
from controller.sandbox.story.chart import a_chart
from controller.sandbox.story.cloud import a_cloud
from controller.sandbox.story.portal import a_portal
from controller.sandbox.story.stage import Stage
from controller.sandbox.story.telling import Teller
from controller.sandbox.story.terminal import a_bad_release, an_approval, an_emergency_edit, questions

BOB = Identity("Bob Example", "bob@example.com")
WEB = "/apis/apps/v1/namespaces/{}/deployments/web"
API = "/apis/apps/v1/namespaces/{}/deployments/api"
BROKEN = b"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  template:
    spec:
      containers:
      - name: web
        image: registry.example.com/shop/web:1.8.4
         ports:
        - containerPort: 8080
"""


async def tell_story(stage: Stage, teller: Teller) -> None:
    """Tell every scene. Raises Stalled where one does not come out as told."""
    await first_deployment(stage, teller)
    await a_change_is_merged(stage, teller)
    promoted = await a_version_is_promoted(stage, teller)
    await a_hand_edit(stage, teller)
    await rolled_back(stage, teller, promoted)
    await a_deployment_made_by_hand(stage, teller)
    await a_broken_manifest(stage, teller)
    await an_emergency_edit(stage, teller)
    await a_bad_release(stage, teller)
    await an_approval(stage, teller)
    await a_chart(stage, teller)
    await a_portal(stage, teller)
    await a_cloud(stage, teller)
    await questions(stage, teller)
    await the_records(stage, teller)


async def first_deployment(stage: Stage, teller: Teller) -> None:
    with teller.step("A first deployment: two applications, two environments, different overlays"):
        teller.person("the platform repository names shop and billing in dev and prod")
        await _all_well(stage, since=0)
        for environment in ("dev", "prod"):
            for application, path in (("shop", WEB), ("billing", API)):
                live = await _deployment(stage, path, environment, application)
                spec = live["spec"]
                image = spec["template"]["spec"]["containers"][0]["image"]
                teller.fact(f"{environment}/{application}: {spec['replicas']} × {image}")


async def a_change_is_merged(stage: Stage, teller: Teller) -> None:
    with teller.step("A change is merged: deployed"):
        mark = stage.audience.mark()
        text = b"Free delivery all winter.\n"
        commit = await stage.host.commit(
            "shop", {"deploy/motd.txt": text}, message="Announce free delivery (#12)", author=BOB
        )
        teller.person(f"Bob merges {commit[:8]} into shop: deploy/motd.txt")
        for environment in ("dev", "prod"):
            await _synced(stage, f"{environment}/shop@hangzhou", commit, mark)
            live = await _deployment(stage, WEB, environment, "shop")
            volume = live["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"]
            teller.fact(f"{environment}/shop: ConfigMap {volume} written, Deployment web rolled to it")


async def a_version_is_promoted(stage: Stage, teller: Teller) -> CommitId:
    with teller.step("A version is promoted in the platform repository: only that placement moves"):
        path = "overlays/prod/shop/kustomization.yaml"
        before = (await stage.host.show("platform", path)).encode()
        after = before.replace(b"newTag: 1.8.3", b"newTag: 1.9.0")
        commit = await stage.host.commit("platform", {path: after}, message="Promote shop 1.9.0 to prod (#31)")
        teller.person(f"Alice merges {commit[:8]} into platform: {path}")
        await _until_image(stage, "prod", "1.9.0")
        teller.fact("prod/shop runs 1.9.0; no other placement was rendered or written")
        return commit


async def a_hand_edit(stage: Stage, teller: Teller) -> None:
    with teller.step("Somebody edits by hand: named field by field, then corrected"):
        mark = stage.audience.mark()
        path = WEB.format(stage.namespace("prod", "shop"))
        teller.person("somebody runs kubectl edit on Deployment web in prod: replicas 3 → 1, another image")
        await stage.api.patch(
            path,
            {"spec": {"replicas": 1, "template": {"spec": {"containers": _edited(await _get(stage, path))}}}},
            manager="kubectl-edit",
        )
        drift = await stage.audience.until(
            DriftFound, lambda one: one.key.name == "web", since=mark, what="the hand edit to be found"
        )
        for change in drift.changes:
            teller.trouble(_drift_line(change))
        await _until_image(stage, "prod", "1.9.0", replicas=3)
        teller.fact("corrected: 3 replicas of 1.9.0 again; the edit stays in the records' history")


async def rolled_back(stage: Stage, teller: Teller, promoted: CommitId) -> None:
    with teller.step("git revert: rolled back"):
        commit = await stage.host.revert("platform", promoted)
        teller.person(f"Alice reverts {promoted[:8]} with {commit[:8]}")
        await _until_image(stage, "prod", "1.8.3")
        teller.fact("prod/shop runs 1.8.3 again")


async def a_broken_manifest(stage: Stage, teller: Teller) -> None:
    with teller.step("A broken manifest: a clear error, nothing lost, nobody else touched"):
        mark = stage.audience.mark()
        before = await _get(stage, API.format(stage.namespace("prod", "billing")))
        commit = await stage.host.commit(
            "shop", {"deploy/deployment.yaml": BROKEN}, message="Use port 8080 (#13)", author=BOB
        )
        teller.person(f"Bob merges {commit[:8]} into shop with a line indented wrongly")
        failed = await _report(
            stage,
            "prod/shop@hangzhou",
            lambda one: one.sync is SyncStatus.FAILED,
            mark,
            "the broken manifest to be told",
        )
        teller.trouble(failed.reason)
        live = await _deployment(stage, WEB, "prod", "shop")
        after = await _get(stage, API.format(stage.namespace("prod", "billing")))
        teller.fact(f"prod/shop still runs {live['spec']['template']['spec']['containers'][0]['image']}")
        if before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]:
            teller.fact("prod/billing was not touched")
        mark = stage.audience.mark()
        fixed = await stage.host.revert("shop", commit, author=BOB)
        teller.person(f"Bob reverts it with {fixed[:8]}")
        await _report(stage, "prod/shop@hangzhou", lambda one: one.sync is SyncStatus.SYNCED, mark, "the fix to count")
        teller.fact("prod/shop is Synced")


async def the_records(stage: Stage, teller: Teller) -> None:
    with teller.step("The truth in git: the records branch"):
        branch = "converge-status"
        await stage.controller.settled()
        teller.person(f"git log {branch}")
        for subject in (await stage.host.log("platform", branch, form="%h %s"))[:8]:
            teller.detail(subject)
        teller.person("README.md, the overview")
        teller.detail(await stage.host.show("platform", "README.md", branch=branch))
        names = await stage.host.names("platform", branch=branch)
        instance = next(name for name in names if name.endswith("Deployment.apps/web.yaml") and "/prod/" in name)
        teller.person(instance)
        teller.detail(await stage.host.show("platform", instance, branch=branch))
        kinds = {
            folder: sum(name.startswith(f"{folder}/") for name in names) for folder in ("status", "cmdb", "badges")
        }
        teller.fact(", ".join(f"{count} files under {folder}/" for folder, count in kinds.items()))


# --- what the scenes wait for and look at ---------------------------------------------------------------------


async def _all_well(stage: Stage, since: int) -> None:
    reports = await stage.controller.settled()
    for one in reports:
        await _report(stage, str(one.placement), _is_well, since, f"{one.placement} to be Synced and Healthy")


def _is_well(report: PlacementReport) -> bool:
    return report.sync is SyncStatus.SYNCED and report.health in (Health.HEALTHY, Health.SUSPENDED)


async def _report(
    stage: Stage, placement: str, holds: Callable[[PlacementReport], bool], since: int, what: str
) -> PlacementReport:
    event = await stage.audience.until(
        PlacementReconciled,
        lambda one: str(one.report.placement) == placement and holds(one.report),
        since=since,
        what=what,
    )
    return event.report


async def _synced(stage: Stage, placement: str, commit: CommitId, since: int) -> None:
    def holds(report: PlacementReport) -> bool:
        return report.applied is not None and report.applied.application == commit and _is_well(report)

    await _report(stage, placement, holds, since, f"{placement} to run {commit[:8]}")


async def _until_image(stage: Stage, environment: str, tag: str, *, replicas: int | None = None) -> None:
    """Wait until Deployment web is as said; it is looked at after each run of its placement."""
    placement = f"{environment}/shop@hangzhou"
    while True:
        mark = stage.audience.mark()
        spec = (await _deployment(stage, WEB, environment, "shop"))["spec"]
        is_image = spec["template"]["spec"]["containers"][0]["image"].endswith(f":{tag}")
        if is_image and replicas in (None, spec["replicas"]):
            return
        await _report(stage, placement, lambda _report: True, mark, f"{environment}/shop to run {tag}")


async def _deployment(stage: Stage, path: str, environment: str, application: str) -> dict[str, Any]:
    return await _get(stage, path.format(stage.namespace(environment, application)))


async def _get(stage: Stage, path: str) -> dict[str, Any]:
    value = await stage.api.get(path)
    if value is None:
        raise AssertionError(f"{path} is not on the cluster")
    return value


def _edited(live: dict[str, Any]) -> list[dict[str, Any]]:
    container = live["spec"]["template"]["spec"]["containers"][0]
    return [{**container, "image": "registry.example.com/shop/web:hotfix"}]


def _drift_line(change: FieldChange) -> str:
    editor = change.editor
    by = "nobody the server can name" if editor is None else editor.manager
    time = f" at {editor.time:%H:%M:%S}Z" if editor and editor.time else ""
    values = tuple("absent" if value is ABSENT else value for value in (change.after, change.before))
    return f"{format_path(change.path)}: {values[0]} → {values[1]}, by {by}{time}"
