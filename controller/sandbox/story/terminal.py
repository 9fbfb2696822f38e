"""Scenes at a terminal: what people do with the `converge` command, each a commit or a question."""

from __future__ import annotations

import sys
from typing import Any

from controller.documents import Dialect, edit, read
from controller.engine import DriftFound, PlacementReconciled
from controller.model import CommitId, PlacementReport, Stalled, SyncStatus
from controller.runtime import bare_environment, run
from controller.sandbox.story.stage import REFERENCE, Stage
from controller.sandbox.story.telling import Teller

ALICE = "Alice Example <alice@example.com>"
WEB = "/apis/apps/v1/namespaces/{}/deployments/web"
SECONDS = 60.0
SHOWN_LINES = 14

Changes = dict[tuple[str | int, ...], object]


async def an_emergency_edit(stage: Stage, teller: Teller) -> None:
    with teller.step("An emergency edit that was taken back is accepted: it is in git now"):
        path = WEB.format(stage.namespace("dev", "shop"))
        before = await _replicas(stage, path)
        mark = stage.audience.mark()
        teller.person(f"somebody runs kubectl scale deployment web --replicas {before + 2} in dev")
        await stage.api.patch(path, {"spec": {"replicas": before + 2}}, manager="kubectl-scale")
        await stage.audience.until(
            DriftFound, lambda one: one.key.name == "web", since=mark, what="the edit to be found"
        )
        await stage.controller.settled()
        teller.fact(f"the controller took it back: {await _replicas(stage, path)} replicas; the record knows it")
        mark = stage.audience.mark()
        await types(stage, teller, "accept", "dev/shop", "--reverted", "--why", "The load of Friday.")
        await _until(stage, "dev/shop@hangzhou", SyncStatus.SYNCED, mark)
        await stage.controller.settled()
        teller.fact(f"dev/shop runs {await _replicas(stage, path)} replicas, and its overlay says so")


async def a_bad_release(stage: Stage, teller: Teller) -> None:
    with teller.step("A release is rolled back by one command, and any newer commit would resume"):
        mark = stage.audience.mark()
        text = b"Fre delivery all summer.\n"
        bad = await stage.host.commit("shop", {"deploy/motd.txt": text}, message="Announce the summer (#14)")
        teller.person(f"somebody merges {bad[:8]} into shop: a banner with a slip of the pen")
        await _until(stage, "dev/shop@hangzhou", SyncStatus.SYNCED, mark, runs=bad)
        await stage.controller.settled()
        mark = stage.audience.mark()
        await types(stage, teller, "rollback", "dev/shop", "--why", "The banner is wrong.")
        report = await _until(stage, "dev/shop@hangzhou", SyncStatus.SYNCED, mark)
        commit = report.applied.application[:8] if report.applied else "nothing"
        teller.fact(f"dev/shop runs the application's commit {commit}")
        mark = stage.audience.mark()
        await types(stage, teller, "resume", "dev/shop")
        await _until(stage, "dev/shop@hangzhou", SyncStatus.SYNCED, mark, runs=bad)
        await stage.controller.settled()
        teller.fact("dev/shop follows its branch again")


async def an_approval(stage: Stage, teller: Teller) -> None:
    with teller.step("A change waits for an approval of exactly the plan that is shown"):
        mark = stage.audience.mark()
        overlay = "overlays/prod/billing/kustomization.yaml"
        text = (await stage.host.show("platform", overlay)).encode()
        entry = "environments/prod.yaml"
        environment = (await stage.host.show("platform", entry)).encode()
        asking: Changes = {("spec", "applications", "billing", "sync", "pending"): "approve"}
        await stage.host.commit(
            "platform",
            {
                entry: edit(environment, asking, path=entry),
                overlay: edit(text, {("replicas", 0, "count"): _count(text, overlay) + 1}, path=overlay),
            },
            message="Ask before billing changes in prod; one more replica (#40)",
        )
        teller.person("Alice merges one more replica for billing in prod, and that it asks from now on")
        waiting = await _until(stage, "prod/billing@hangzhou", SyncStatus.AWAITING_APPROVAL, mark)
        teller.fact(f"nothing was written: {waiting.reason}")
        mark = stage.audience.mark()
        await types(stage, teller, "approve", "prod/billing", "--why", "As planned.")
        await _until(stage, "prod/billing@hangzhou", SyncStatus.SYNCED, mark)
        await stage.controller.settled()
        teller.fact("exactly that was applied; the approval is a commit")


async def questions(stage: Stage, teller: Teller) -> None:
    with teller.step("Questions to the records, and proof of what ran"):
        columns = ("--show", "name,environment,images,replicas,health")
        await types(stage, teller, "query", "kind=Deployment", "application=shop,billing", *columns)
        await types(stage, teller, "query", "relatedBy:uses Deployment/web", "environment=prod")
        await types(stage, teller, "history", "dev/shop", "--limit", "3", "--no-fields")
        await types(stage, teller, "verify", "prod")
        teller.fact("every version that ran in prod renders, from its commits, to what was recorded of it")


async def types(stage: Stage, teller: Teller, *arguments: str) -> None:
    """Run a command as a person does, and show what it prints. Raises Stalled where it fails."""
    teller.person(" ".join(("converge", *(f"'{one}'" if " " in one or "<" in one else one for one in arguments))))
    folder = stage.directory / "alice"
    folder.mkdir(exist_ok=True)
    environment = {
        "PYTHONPATH": str(REFERENCE),
        "HOME": str(folder),
        "CONVERGE_PLATFORM": stage.host.url("platform"),
        "CONVERGE_PLATFORM_CREDENTIALS": "git",
        "CONVERGE_CREDENTIALS": str(stage.directory / "credentials"),
        "CONVERGE_CACHE": str(folder / "cache"),
        "CONVERGE_AUTHOR": ALICE,
    }
    argv = (sys.executable, "-m", "controller.cli", *arguments)
    done = await run(argv, cwd=folder, env=bare_environment(environment), deadline_seconds=SECONDS)
    if done.returncode != 0:
        raise Stalled(f"converge {' '.join(arguments)}: {done.error_text or done.stdout.decode(errors='replace')}")
    lines = done.stdout.decode(errors="replace").rstrip("\n").splitlines()
    for line in lines[:SHOWN_LINES]:
        teller.detail(line)
    if len(lines) > SHOWN_LINES:
        teller.detail(f"… {len(lines) - SHOWN_LINES} lines more")


async def _until(
    stage: Stage, placement: str, sync: SyncStatus, since: int, *, runs: CommitId | None = None
) -> PlacementReport:
    """Wait for a state, of a commit of the application where one is named."""

    def holds(report: PlacementReport) -> bool:
        is_there = runs is None or (report.applied is not None and report.applied.application == runs)
        return str(report.placement) == placement and report.sync is sync and is_there

    event = await stage.audience.until(
        PlacementReconciled,
        lambda one: holds(one.report),
        since=since,
        what=f"{placement} to be {sync}",
    )
    return event.report


async def _replicas(stage: Stage, path: str) -> int:
    live = await stage.api.get(path)
    return int(live["spec"]["replicas"]) if live else 0


def _count(overlay: bytes, path: str) -> int:
    value: Any = read(overlay, path=path, dialect=Dialect.KUSTOMIZE)[0].value
    return int(value["replicas"][0]["count"])
