"""The scene of a Deployment that somebody made by hand: git takes it over, and no pod restarts."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from controller.engine import PlacementReconciled
from controller.git import Identity
from controller.model import Stalled, SyncStatus
from controller.sandbox.story.stage import Stage
from controller.sandbox.story.telling import Teller

BOB = Identity("Bob Example", "bob@example.com")
PLACEMENT = "prod/shop@hangzhou"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
RUNNING_SECONDS = 30.0
RESOURCES = b"resources:\n- deployment.yaml\n"
WORKER = b"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: worker
spec:
  replicas: 2
  selector:
    matchLabels:
      app: worker
  template:
    metadata:
      labels:
        app: worker
    spec:
      containers:
      - name: worker
        image: registry.example.com/shop/worker:1.4.0
        args: [--queue, orders]
"""


async def a_deployment_made_by_hand(stage: Stage, teller: Teller) -> None:
    with teller.step("A Deployment made by hand is taken over: no pod restarts"):
        path = f"/apis/apps/v1/namespaces/{stage.namespace('prod', 'shop')}/deployments"
        await stage.api.create(path, _by_hand(), manager="kubectl-client-side-apply")
        teller.person("long ago, Carol ran kubectl apply: Deployment worker in prod, which git does not know")
        before = await _pods(stage)
        mark = stage.audience.mark()
        base = (await stage.host.show("shop", "deploy/kustomization.yaml")).encode()
        changes = {
            "deploy/worker.yaml": WORKER,
            "deploy/kustomization.yaml": base.replace(RESOURCES, RESOURCES + b"- worker.yaml\n"),
        }
        commit = await stage.host.commit("shop", changes, message="Bring the worker into git (#14)", author=BOB)
        teller.person(f"Bob merges {commit[:8]} into shop: deploy/worker.yaml says what runs there")
        await stage.audience.until(
            PlacementReconciled,
            lambda one: (
                str(one.report.placement) == PLACEMENT
                and one.report.sync is SyncStatus.SYNCED
                and one.report.applied is not None
                and one.report.applied.application == commit
            ),
            since=mark,
            what="the worker to be taken over",
        )
        live = await stage.api.get(f"{path}/worker")
        if live is None or "converge/owner" not in live["metadata"]["annotations"]:
            raise Stalled("the story expected Deployment worker to be taken over")
        if LAST_APPLIED in live["metadata"]["annotations"] or await _pods(stage) != before:
            raise Stalled("the story expected Deployment worker to be taken over whole, without a restart")
        teller.fact(f"Deployment worker is git's now; its {len(before)} pods are the same ones")


def _by_hand() -> dict[str, Any]:
    """Give what kubectl posted: as git will say it, with the label that prod puts on its pods."""
    labels = {"app": "worker"}
    container = {"name": "worker", "image": "registry.example.com/shop/worker:1.4.0", "args": ["--queue", "orders"]}
    body: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "worker", "annotations": {}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": {**labels, "environment": "prod"}},
                "spec": {"containers": [container]},
            },
        },
    }
    body["metadata"]["annotations"] = {LAST_APPLIED: orjson.dumps(body).decode()}
    return body


async def _pods(stage: Stage) -> frozenset[str]:
    """Wait until both pods of the worker are ready, and name them."""
    path = f"/api/v1/namespaces/{stage.namespace('prod', 'shop')}/pods"
    try:
        async with asyncio.timeout(RUNNING_SECONDS):
            while True:
                listed = await stage.api.get(path)
                found = [one for one in (listed or {})["items"] if one["metadata"]["name"].startswith("worker-")]
                if len(found) == 2 and all(_is_ready(one) for one in found):
                    return frozenset(one["metadata"]["uid"] for one in found)
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise Stalled("the story expected the two pods of Deployment worker to be ready") from error


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
