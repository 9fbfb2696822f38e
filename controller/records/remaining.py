"""What is recorded and not retired: a status file is a finalizer too, so that nothing is forgotten on a target."""

from __future__ import annotations

from dataclasses import dataclass

from controller.model import ApplicationName, CommitId, EnvironmentName, PlacementRef, TargetName
from controller.records.earlier import earlier
from controller.records.files import Files
from controller.records.status import ACTIVE

FOLDER = "status"


@dataclass(frozen=True, slots=True)
class Remaining:
    """A placement, and the platform commit that it was recorded at."""

    placement: PlacementRef
    platform: CommitId


def remaining(files: Files) -> tuple[Remaining, ...]:
    """Name the placements that a records branch speaks of as active; damaged files are passed over."""
    found: list[Remaining] = []
    for environment in files.names(FOLDER):
        for name in files.names(f"{FOLDER}/{environment}"):
            status = earlier(files, f"{FOLDER}/{environment}/{name}", "Status")
            for one in status.get("placements", ()):
                commits = one.get("revision") or one.get("applied")
                if one["lifecycle"] == ACTIVE and commits:
                    placement = PlacementRef(
                        EnvironmentName(status["metadata"]["environment"]),
                        ApplicationName(status["metadata"]["application"]),
                        TargetName(one["target"]),
                    )
                    found.append(Remaining(placement, CommitId(commits["platform"])))
    return tuple(found)
