"""An OAM Application of three components and six traits, rendered as a placement: from its file to its Manifests."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import Final

from controller.documents import write
from controller.model import (
    PLATFORM,
    ApplicationName,
    CommitId,
    EnvironmentName,
    MemoryTree,
    PlacementRef,
    RepositoryName,
    Revision,
    TargetName,
)
from controller.render import RenderRequest, render

ROUNDS: Final = 200
APPLICATION: Final = {
    "apiVersion": "core.oam.dev/v1beta1",
    "kind": "Application",
    "metadata": {"name": "shop", "namespace": "shop"},
    "spec": {
        "components": [
            {
                "name": name,
                "type": kind,
                "dependsOn": depends,
                "properties": {"image": f"registry.example.com/{name}:1", "env": [{"name": "A", "value": "b"}]} | more,
                "traits": [
                    {"type": "scaler", "properties": {"replicas": 3}},
                    {"type": "labels", "properties": {"tier": name}},
                ],
            }
            for name, kind, depends, more in (
                ("front", "webservice", ["cart"], {"ports": [{"port": 8080, "expose": True}], "cpu": "500m"}),
                ("cart", "worker", ["db"], {"memory": "256Mi"}),
                ("db", "statefulset", [], {"ports": [{"port": 5432, "expose": True}]}),
            )
        ],
        "policies": [{"name": "here", "type": "topology", "properties": {}}],
    },
}


@dataclass(frozen=True, slots=True)
class Applied:
    """Seconds of one render, the median, and how many objects came of it."""

    seconds: float
    objects: int


def measure_application() -> Applied:
    request = RenderRequest(
        placement=PlacementRef(EnvironmentName("prod"), ApplicationName("shop"), TargetName("hz")),
        revision=Revision(CommitId("a" * 40), CommitId("b" * 40)),
        application=MemoryTree({"deploy/app.yaml": write(APPLICATION)}, RepositoryName("shop")),
        path="deploy",
        platform=MemoryTree({"converge.yaml": b""}, PLATFORM),
        namespace="shop",
        targets=(TargetName("hz"),),
    )
    times: list[float] = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        rendered = render(request)
        times.append(time.perf_counter() - begun)
    return Applied(median(times), len(rendered.desired.manifests))
