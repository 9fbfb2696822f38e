"""The scene of an OAM Application: components of the platform's own types, and a Secret that git holds encrypted."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from controller.documents import edit
from controller.engine import PlacementReconciled
from controller.model import CommitId, Health, SyncStatus
from controller.sandbox.story.stage import REFERENCE, Stage
from controller.sandbox.story.telling import Teller

PORTAL = "dev/portal@hangzhou"
ENVIRONMENT = "environments/dev.yaml"
EXAMPLE = REFERENCE / "examples" / "portal"
TYPES = REFERENCE / "examples" / "types"
SECRET = "deploy/mail.enc.yaml"  # noqa: S105  # a file's name
KEY = "demo.age.key"


async def a_portal(stage: Stage, teller: Teller) -> None:
    with teller.step("An OAM Application of the platform's own types, and a Secret that git holds encrypted"):
        is_decrypting = shutil.which(os.environ.get("CONVERGE_SOPS") or "sops") is not None
        files = _files(EXAMPLE)
        if not is_decrypting:
            teller.trouble(f"{SECRET} left out, since sops is not on PATH")
            del files[SECRET]
        folder = stage.directory / "credentials" / "sops"
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "age.key").write_bytes(files.pop(KEY))
        await _begin(stage, teller, files)
        if is_decrypting:
            secret = await stage.api.get(f"/api/v1/namespaces/{stage.namespace('dev', 'shop')}/secrets/mail")
            keys = ", ".join(sorted((secret or {}).get("data", {})))
            teller.fact(f"Secret mail was decrypted in memory: {keys}; its values are in no record, log or plan")
        await _end(stage, teller)


def _files(folder: Path) -> dict[str, bytes]:
    found = sorted(one for one in folder.rglob("*") if one.is_file())
    return {one.relative_to(folder).as_posix(): one.read_bytes() for one in found}


async def _begin(stage: Stage, teller: Teller, files: dict[str, bytes]) -> None:
    commit = await stage.host.create("portal", files)
    environment = (await stage.host.show("platform", ENVIRONMENT)).encode()
    platform = (await stage.host.show("platform", "converge.yaml")).encode()
    entry = {
        "repository": "portal",
        "path": "deploy",
        "revision": "main",
        "targets": ["hangzhou"],
        "namespace": stage.namespace("dev", "shop"),
    }
    added: dict[tuple[str | int, ...], Any] = {("spec", "applications", "portal"): entry}
    repository = {"url": stage.host.url("portal"), "credentials": "git"}
    types = {f"types/{path}": data for path, data in _files(TYPES).items() if "/" in path}
    mark = stage.audience.mark()
    platform_commit = await stage.host.commit(
        "platform",
        types
        | {
            ENVIRONMENT: edit(environment, added, path=ENVIRONMENT),
            "converge.yaml": edit(platform, {("spec", "repositories", "portal"): repository}, path="converge.yaml"),
        },
        message="Offer component types, and run the portal in dev (#70)",
    )
    teller.person(f"Alice merges types/ and the portal at {commit[:8]}: three components in a dozen lines")
    count = await _synced(stage, mark, platform_commit)
    teller.fact(f"{count} objects came of them; the portal was written when its Redis was healthy")


async def _synced(stage: Stage, mark: int, commit: CommitId) -> int:
    """Wait until the portal runs, and give how many objects it has."""

    def holds(event: PlacementReconciled) -> bool:
        report = event.report
        is_it = str(report.placement) == PORTAL and report.revision is not None and report.revision.platform == commit
        return is_it and report.sync is SyncStatus.SYNCED and report.health in (Health.HEALTHY, Health.SUSPENDED)

    event = await stage.audience.until(PlacementReconciled, holds, since=mark, what="the portal to run")
    return len(event.report.objects)


async def _end(stage: Stage, teller: Teller) -> None:
    mark = stage.audience.mark()
    environment = (await stage.host.show("platform", ENVIRONMENT)).encode()
    absent: dict[tuple[str | int, ...], Any] = {("spec", "applications", "portal", "state"): "absent"}
    await stage.host.commit(
        "platform", {ENVIRONMENT: edit(environment, absent, path=ENVIRONMENT)}, message="Take the portal away (#71)"
    )
    await stage.audience.until(
        PlacementReconciled,
        lambda one: str(one.report.placement) == PORTAL and one.report.retired,
        since=mark,
        what="the portal to be gone",
    )
    teller.fact("`state: absent` took it away again")
