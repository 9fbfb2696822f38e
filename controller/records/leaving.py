"""Which files go with what has been gone for long: a placement's, and a group's of which no placement is left. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from controller.model import GroupRef, PlacementRef
from controller.records.badges import PARTS
from controller.records.files import Layered
from controller.records.paths import application_path, badge_path, page_path, status_path, target_folder


def placement_files(placement: PlacementRef, files: Layered) -> Iterator[str]:
    """Name the records of a placement's target and objects."""
    yield from _below(target_folder(placement), files)


def group_files(group: GroupRef, files: Layered) -> Iterator[str]:
    """Name all that is there of a group."""
    badges = [badge_path(group, ending, of=of) for of in ("", *PARTS) for ending in ("svg", "json")]
    for path in (status_path(group), page_path(group), *badges):
        if files.blob_id(path):
            yield path
    yield from _below(application_path(group).rpartition("/")[0], files)


def _below(folder: str, files: Layered) -> Iterator[str]:
    for name in files.names(folder):
        path = f"{folder}/{name}"
        if files.blob_id(path):
            yield path
        else:
            yield from _below(path, files)
