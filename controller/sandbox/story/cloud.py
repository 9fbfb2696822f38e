"""The scene of a cloud in the same revision: Terraform's own `terraform_data`, which needs no account."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from controller.documents import edit
from controller.engine import DriftFound, PlacementReconciled
from controller.model import PlacementReport, SyncStatus
from controller.sandbox.story.stage import Stage
from controller.sandbox.story.telling import Teller
from controller.sandbox.story.terminal import types

CLOUD = "dev/orders@cloud"
CLUSTER = "dev/orders@hangzhou"
MODULE = """# Where the orders are kept.
resource "terraform_data" "database" {{
  input            = {{ host = "orders-{generation}.db.example.com", size = {size} }}
  triggers_replace = {generation}
}}

output "host" {{
  value = terraform_data.database.output.host
}}
"""
SETTINGS = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: orders\ndata:\n  CURRENCY: CNY\n"
ENVIRONMENT = "environments/dev.yaml"


async def a_cloud(stage: Stage, teller: Teller) -> None:
    with teller.step("One revision for a cloud and a cluster: Terraform, its drift, its approval, its output"):
        if shutil.which("terraform") is None and shutil.which("tofu") is None:
            teller.trouble("left out, since neither terraform nor tofu is on PATH: plan, drift, approval and outputs")
            return
        await _begin(stage, teller)
        await _drift(stage, teller)
        await _replacement(stage, teller)
        await _end(stage, teller)


async def _begin(stage: Stage, teller: Teller) -> None:
    files = {"deploy/orders.yaml": SETTINGS, "deploy/database/main.tf": _module(size=10, generation=1)}
    commit = await stage.host.create("orders", files)
    environment = (await stage.host.show("platform", ENVIRONMENT)).encode()
    platform = (await stage.host.show("platform", "converge.yaml")).encode()
    states = stage.directory / "states"
    states.mkdir(exist_ok=True)
    backend = {"type": "local", "config": {"path": f"{states}/${{environment}}-${{application}}.tfstate"}}
    entry = {
        "repository": "orders",
        "path": "deploy",
        "revision": "main",
        "targets": ["hangzhou", "cloud"],
        "namespace": stage.namespace("dev", "shop"),
        "inputs": [{"from": "cloud.host", "to": "ConfigMap/orders", "field": "data.DATABASE"}],
    }
    mark = stage.audience.mark()
    for name in ("shop", "billing"):
        environment = edit(environment, {("spec", "applications", name, "targets"): ["hangzhou"]}, path=ENVIRONMENT)
    added: dict[tuple[str | int, ...], Any] = {
        ("spec", "targets", "cloud"): {"terraform": {"interval": "2s", "backend": backend}},
        ("spec", "applications", "orders"): entry,
    }
    repository = {"url": stage.host.url("orders"), "credentials": "git"}
    await stage.host.commit(
        "platform",
        {
            ENVIRONMENT: edit(environment, added, path=ENVIRONMENT),
            "converge.yaml": edit(platform, {("spec", "repositories", "orders"): repository}, path="converge.yaml"),
        },
        message="Run orders in dev, with its database (#50)",
    )
    teller.person(f"Alice merges orders into dev at {commit[:8]}: a ConfigMap, and a database described in Terraform")
    await _until(stage, CLUSTER, SyncStatus.SYNCED, mark)
    teller.fact(f"terraform made the database, and ConfigMap orders has its address: {await _address(stage)}")


async def _drift(stage: Stage, teller: Teller) -> None:
    mark = stage.audience.mark()
    teller.person("somebody makes the database larger by hand")
    _edit_state(stage.directory / "states" / "dev-orders.tfstate", size=80)
    drift = await stage.audience.until(
        DriftFound,
        lambda one: one.key.kind == "terraform_data",
        since=mark,
        what="the edit of the database to be found",
    )
    for change in drift.changes:
        if change.path == ("input", "size"):
            teller.trouble(f"{drift.key.name}: size {change.before}, where git says {change.after}: drift")
    await _until(stage, CLOUD, SyncStatus.SYNCED, mark)
    teller.fact("put back, by a plan that was made at what was applied last")


async def _replacement(stage: Stage, teller: Teller) -> None:
    mark = stage.audience.mark()
    await stage.host.commit(
        "orders", {"deploy/database/main.tf": _module(size=10, generation=2)}, message="A newer database (#51)"
    )
    teller.person("somebody merges a change for which the database would be replaced")
    waiting = await _until(stage, CLOUD, SyncStatus.AWAITING_APPROVAL, mark)
    teller.fact(f"nothing was written: {waiting.reason}")
    mark = stage.audience.mark()
    await types(stage, teller, "approve", "dev/orders", "--why", "It is empty.")
    await _until(stage, CLOUD, SyncStatus.SYNCED, mark)
    await stage.controller.settled()
    teller.fact(f"exactly that plan was applied, and the workload follows: {await _address(stage)}")


async def _end(stage: Stage, teller: Teller) -> None:
    mark = stage.audience.mark()
    environment = (await stage.host.show("platform", ENVIRONMENT)).encode()
    absent: dict[tuple[str | int, ...], Any] = {("spec", "applications", "orders", "state"): "absent"}
    await stage.host.commit(
        "platform", {ENVIRONMENT: edit(environment, absent, path=ENVIRONMENT)}, message="Take orders away (#52)"
    )
    for placement in (CLOUD, CLUSTER):
        await stage.audience.until(
            PlacementReconciled, partial(_is_gone, placement=placement), since=mark, what=f"{placement} to be gone"
        )
    teller.fact("`state: absent`: the database and its ConfigMap are gone again")


def _is_gone(event: PlacementReconciled, *, placement: str) -> bool:
    return str(event.report.placement) == placement and event.report.retired


def _module(*, size: int, generation: int) -> bytes:
    return MODULE.format(size=size, generation=generation).encode()


def _edit_state(file: Path, *, size: int) -> None:
    """Change the database as somebody else would: what `terraform_data` has is nowhere but in its state."""
    state = json.loads(file.read_text())
    for resource in state["resources"]:
        for instance in resource["instances"]:
            for name in ("input", "output"):
                instance["attributes"][name]["value"]["size"] = size
    state["serial"] += 1
    file.write_text(json.dumps(state))


async def _address(stage: Stage) -> str:
    live = await stage.api.get(f"/api/v1/namespaces/{stage.namespace('dev', 'shop')}/configmaps/orders")
    return str((live or {}).get("data", {}).get("DATABASE"))


async def _until(stage: Stage, placement: str, sync: SyncStatus, since: int) -> PlacementReport:
    event = await stage.audience.until(
        PlacementReconciled,
        lambda one: str(one.report.placement) == placement and one.report.sync is sync,
        since=since,
        what=f"{placement} to be {sync}",
    )
    return event.report
