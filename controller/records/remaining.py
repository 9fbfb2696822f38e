"""What is recorded and not retired: a status file is a finalizer too, so that nothing is forgotten on a target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from controller.model import (
    ApplicationName,
    CommitId,
    ConvergeError,
    EntryKind,
    EnvironmentName,
    GroupRef,
    ObjectKey,
    PlacementRef,
    TargetName,
    Tree,
)
from controller.records.earlier import NOTHING, Earlier, earlier
from controller.records.files import Files
from controller.records.identity import Key
from controller.records.paths import FLEET, instance_path, status_path
from controller.records.status import ACTIVE

FOLDER = "status"


@dataclass(frozen=True, slots=True)
class Remaining:
    """A placement, and the platform commit that it was recorded at."""

    placement: PlacementRef
    platform: CommitId


def holds_records(tree: Tree) -> bool:
    """Tell whether a tree is that of a records branch, whoever wrote it."""
    wanted = {"status": EntryKind.DIRECTORY, "cmdb": EntryKind.DIRECTORY, f"badges/{FLEET}.json": EntryKind.FILE}
    try:
        return all(tree.kind(path) is kind for path, kind in wanted.items())
    except ConvergeError:  # a link that leads astray: none of ours
        return False


def statuses(files: Files) -> Iterator[Earlier]:
    """Give every group's status on a records branch; damaged files are passed over."""
    for environment in files.names(FOLDER):
        for name in files.names(f"{FOLDER}/{environment}"):
            status = earlier(files, f"{FOLDER}/{environment}/{name}", "Status")
            if status:
                yield status


def status_of(files: Files, group: GroupRef) -> Earlier | None:
    """Give a group's status as it is recorded; None where there is none that could be ours."""
    found = earlier(files, status_path(group), "Status")
    return None if found is NOTHING else found


def remaining(files: Files) -> tuple[Remaining, ...]:
    """Name the placements that a records branch speaks of as active."""
    found: list[Remaining] = []
    for status in statuses(files):
        for one in status["placements"]:
            commits = one.get("revision") or one.get("applied")
            if one["lifecycle"] == ACTIVE and commits:
                placement = PlacementRef(
                    EnvironmentName(status["metadata"]["environment"]),
                    ApplicationName(status["metadata"]["application"]),
                    TargetName(one["target"]),
                )
                found.append(Remaining(placement, CommitId(commits["platform"])))
    return tuple(found)


def is_elsewhere(files: Files, placement: PlacementRef, key: Key) -> bool:
    """Tell whether another application in the environment has an object on the target now, as the records say."""
    of = ObjectKey(key.group, key.kind, key.namespace, key.name)
    path = instance_path(placement, of).split("/")
    return any(
        earlier(files, "/".join((*path[:2], name, *path[3:])), "Instance").get("lifecycle") == ACTIVE
        for name in files.names("/".join(path[:2]))
        if name != path[2]
    )
