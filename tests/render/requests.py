"""Requests made of files at hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

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
from controller.render import Rendered, RenderRequest, overlay_paths, render

PLACEMENT = PlacementRef(EnvironmentName("prod"), ApplicationName("shop"), TargetName("hangzhou"))
REVISION = Revision(CommitId("a" * 40), CommitId("b" * 40))


def request_of(files: Mapping[str, str], overlays: Mapping[str, str] | None = None, **more: Any) -> RenderRequest:
    """Ask for `deploy/` of these application files, with these files of the platform repository."""
    return RenderRequest(
        placement=PLACEMENT,
        revision=REVISION,
        application=tree_of(files, RepositoryName("shop"), REVISION.application),
        path=more.pop("path", "deploy"),
        platform=tree_of(overlays or {}, PLATFORM, REVISION.platform),
        overlays=overlay_paths(PLACEMENT),
        **more,
    )


def tree_of(files: Mapping[str, str], repository: RepositoryName, commit: CommitId) -> MemoryTree:
    return MemoryTree({path: text.encode() for path, text in files.items()}, repository, commit)


def rendered(files: Mapping[str, str], overlays: Mapping[str, str] | None = None, **more: Any) -> Rendered:
    return render(request_of(files, overlays, **more))


def bodies(result: Rendered) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in result.desired.manifests]
