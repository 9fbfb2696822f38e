"""The scene of a Helm chart: templated by the real helm, its values in the platform repository."""

from __future__ import annotations

import os
import shutil
from typing import Any

from controller.documents import edit
from controller.engine import PlacementReconciled
from controller.model import CommitId, SyncStatus
from controller.sandbox.story.stage import REFERENCE, Stage
from controller.sandbox.story.telling import Teller

WIKI = "dev/wiki@hangzhou"
ENVIRONMENT = "environments/dev.yaml"
VALUES = "overlays/dev/wiki/values.yaml"


async def a_chart(stage: Stage, teller: Teller) -> None:
    with teller.step("A Helm chart: rendered like everything else, with values from the overlay"):
        if shutil.which(os.environ.get("CONVERGE_HELM") or "helm") is None:
            teller.trouble("left out, since helm is not on PATH: a chart, its values, and where they come from")
            return
        await _begin(stage, teller)
        mark = stage.audience.mark()
        files = {VALUES: b"replicas: 3\n"}
        commit = await stage.host.commit("platform", files, message="Three of the wiki in dev (#61)")
        teller.person(f"Alice writes `replicas: 3` into {VALUES}")
        await _synced(stage, mark, commit)
        teller.fact(f"Deployment wiki has {(await _wiki(stage))['spec']['replicas']} replicas")
        await _end(stage, teller)


async def _begin(stage: Stage, teller: Teller) -> None:
    commit = await stage.host.create("wiki", REFERENCE / "examples" / "wiki")
    environment = (await stage.host.show("platform", ENVIRONMENT)).encode()
    platform = (await stage.host.show("platform", "converge.yaml")).encode()
    entry = {
        "repository": "wiki",
        "path": "chart",
        "revision": "main",
        "targets": ["hangzhou"],
        "namespace": stage.namespace("dev", "shop"),
        "values": {"host": "wiki.dev.example.com"},
    }
    mark = stage.audience.mark()
    added: dict[tuple[str | int, ...], Any] = {("spec", "applications", "wiki"): entry}
    repository = {"url": stage.host.url("wiki"), "credentials": "git"}
    platform_commit = await stage.host.commit(
        "platform",
        {
            ENVIRONMENT: edit(environment, added, path=ENVIRONMENT),
            "converge.yaml": edit(platform, {("spec", "repositories", "wiki"): repository}, path="converge.yaml"),
        },
        message="Run the wiki in dev (#60)",
    )
    teller.person(f"Alice merges the wiki into dev at {commit[:8]}: a Helm chart, and its host as a value")
    await _synced(stage, mark, platform_commit)
    image = (await _wiki(stage))["spec"]["template"]["spec"]["containers"][0]["image"]
    teller.fact(f"helm templated it for this cluster: Deployment wiki runs {image}, and there is no release to lose")


async def _end(stage: Stage, teller: Teller) -> None:
    mark = stage.audience.mark()
    environment = (await stage.host.show("platform", ENVIRONMENT)).encode()
    absent: dict[tuple[str | int, ...], Any] = {("spec", "applications", "wiki", "state"): "absent"}
    await stage.host.commit(
        "platform", {ENVIRONMENT: edit(environment, absent, path=ENVIRONMENT)}, message="Take the wiki away (#62)"
    )
    await stage.audience.until(
        PlacementReconciled,
        lambda one: str(one.report.placement) == WIKI and one.report.retired,
        since=mark,
        what=f"{WIKI} to be gone",
    )
    teller.fact("`state: absent`: its four objects are gone again")


async def _synced(stage: Stage, since: int, commit: CommitId) -> None:
    """Wait until what a commit of the platform says is applied."""

    def is_there(event: PlacementReconciled) -> bool:
        report = event.report
        is_it = str(report.placement) == WIKI and report.sync is SyncStatus.SYNCED
        return is_it and report.applied is not None and report.applied.platform == commit

    await stage.audience.until(PlacementReconciled, is_there, since=since, what=f"{WIKI} to be synced")


async def _wiki(stage: Stage) -> Any:
    return await stage.api.get(f"/apis/apps/v1/namespaces/{stage.namespace('dev', 'shop')}/deployments/wiki")
