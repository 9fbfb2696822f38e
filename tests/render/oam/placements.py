"""Placements whose application is an OAM Application, and a platform around them."""

from __future__ import annotations

from typing import Any

from controller.documents import decode, write
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
from controller.render import (
    Place,
    Rendered,
    RenderRequest,
    Surroundings,
    render,
)

PROD, DEV = EnvironmentName("prod"), EnvironmentName("dev")
NORTH, SOUTH, CLOUD = TargetName("north"), TargetName("south"), TargetName("cloud")
PLACES = {
    PROD: {
        NORTH: Place({"region": "north"}),
        SOUTH: Place({"region": "south"}),
        CLOUD: Place({}, is_cluster=False),
    },
    DEV: {TargetName("kind"): Place({"region": "desk"})},
}
HOST = "https://charts.example.com/stable"
AROUND = Surroundings(places=PLACES, applications={PROD: (ApplicationName("billing"), ApplicationName("shop"))})


def request(body: Any, target: TargetName = NORTH, *, around: Surroundings = AROUND, **files: bytes) -> RenderRequest:
    files = {"deploy/app.yaml": write(body), **{path.replace("__", "/"): data for path, data in files.items()}}
    return RenderRequest(
        placement=PlacementRef(PROD, ApplicationName("shop"), target),
        revision=Revision(CommitId("a" * 40), CommitId("b" * 40)),
        application=MemoryTree(files, RepositoryName("shop")),
        path="deploy",
        platform=MemoryTree({"converge.yaml": b""}, PLATFORM),
        namespace="shop",
        targets=(NORTH, SOUTH, CLOUD),
        surroundings=around,
    )


def placed(body: Any, target: TargetName = NORTH) -> Rendered:
    return render(request(body, target))


def bodies(found: Rendered) -> dict[str, Any]:
    return {f"{one.key.kind} {one.key.name}": decode(one.body) for one in found.desired.manifests}


def notes(found: Rendered, name: str) -> dict[str, str]:
    metadata = bodies(found)[name]["metadata"]
    return {key: one for key, one in metadata.get("annotations", {}).items() if key.startswith("converge/")}
