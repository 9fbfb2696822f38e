"""What people read on the forge, drawn from the records: groups' pages, README.md and what adds up. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controller.model import GroupRef, PlacementRef, TargetName
from controller.records.files import Files, Layered
from controller.records.instances import recorded_objects
from controller.records.memory import memory
from controller.records.overview import overview
from controller.records.pages import page
from controller.records.paths import page_path, status_path, target_folder
from controller.records.remaining import status_of
from controller.records.showing import shown_time
from controller.records.status import ACTIVE

TOGETHER = 50  # groups whose files are read at once


@dataclass(frozen=True, slots=True)
class Drawing:
    """What the committer takes: the pages of these groups, and the overview, as the records on the branch have them.

    What has been gone for long at the time `at` goes from the branch with it.
    """

    groups: frozenset[GroupRef]
    at: datetime | None = None

    @property
    def subject(self) -> str:
        """Say what it is, for a commit that tells nothing else."""
        return "overview"

    @property
    def trailers(self) -> tuple[tuple[str, str], ...]:
        return ()

    @property
    def is_aside(self) -> bool:
        """Beside what its commit tells it is not worth a word."""
        return True

    def derive(self, base: Files) -> Mapping[str, bytes | None]:
        """Give the files that shall differ from the base."""
        files = Layered(base)
        groups = sorted(self.groups)
        for start in range(0, len(groups), TOGETHER):
            _write_pages(groups[start : start + TOGETHER], files)
        return {**files.result(), **overview(base, shown_time(self.at) if self.at else "")}


def _write_pages(groups: list[GroupRef], files: Layered) -> None:
    files.read_ahead((status_path(group) for group in groups), is_known=memory().knows)
    found = {group: status for group in groups if (status := status_of(files, group))}
    first = {group: _first_target(group, status) for group, status in found.items()}
    files.read_ahead((), (target_folder(one) for one in first.values() if one), is_known=memory().knows)
    for group, status in found.items():
        placement = first[group]
        objects = list(recorded_objects(placement, files)) if placement else []
        files.write(page_path(group), page(group, status, objects))


def _first_target(group: GroupRef, status: Mapping[str, Any]) -> PlacementRef | None:
    """Name the placement whose objects a page shows; None where all are retired."""
    active: Iterator[str] = (one["target"] for one in status["placements"] if one["lifecycle"] == ACTIVE)
    target = next(active, None)
    return PlacementRef(group.environment, group.application, TargetName(target)) if target else None
