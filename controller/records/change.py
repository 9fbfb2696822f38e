"""Transitions as one change of the records branch: what its files shall be, over whatever lies there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from controller.model import GroupRef, TargetName, Transition
from controller.records.badges import application_badge, part_badges
from controller.records.earlier import earlier
from controller.records.files import Files, Layered
from controller.records.instances import application, instances, is_outlived, recorded_objects
from controller.records.memory import memory, write_record
from controller.records.pages import page
from controller.records.paths import application_path, badge_path, page_path, status_path, target_folder, target_path
from controller.records.showing import shown_time
from controller.records.status import ACTIVE, status

NAMED_IN_SUBJECT = 3
TOGETHER = 50  # transitions whose files are read at once


@dataclass(frozen=True, slots=True)
class RecordChange:
    """What the committer takes: a message, and a function from the branch as it is to the files that differ."""

    transitions: tuple[Transition, ...]

    @property
    def subject(self) -> str:
        """Say in one line which groups moved, and to what."""
        last = {one.group: one for one in self.transitions}
        named = [_moved(group, one) for group, one in list(last.items())[:NAMED_IN_SUBJECT]]
        more = len(last) - len(named)
        return ", ".join(named) + (f" and {more} more" if more else "")

    @property
    def trailers(self) -> tuple[tuple[str, str], ...]:
        """Give one block per transition: nothing that happened is lost when several are one commit."""
        return tuple(trailer for one in self.transitions for trailer in _trailers(one))

    def derive(self, base: Files) -> Mapping[str, bytes | None]:
        """Give the files that shall differ from the base, sorted by path; none where every fact is told already."""
        files = Layered(base)
        for start in range(0, len(self.transitions), TOGETHER):
            some = self.transitions[start : start + TOGETHER]
            files.read_ahead(*_read_for(some), is_known=memory().knows)
            for transition in some:
                _write(transition, files)
        return files.result()


def _read_for(transitions: Sequence[Transition]) -> tuple[list[str], list[str]]:
    """Name the files that telling transitions reads, and the folders of which it reads all.

    Pages and badges are made anew and held against what git calls the old ones: those are never read.
    """
    groups = list(dict.fromkeys(one.group for one in transitions))
    files = [path for group in groups for path in (status_path(group), application_path(group))]
    return files, [target_folder(one.report.placement) for one in transitions]


def record(transitions: Sequence[Transition]) -> RecordChange:
    """Make the change that tells transitions: status, instance and badge files of these placements.

    Transitions of one placement are told in their order, so that the last one holds.
    """
    return RecordChange(tuple(transitions))


def _write(transition: Transition, files: Layered) -> None:
    group, now = transition.group, shown_time(transition.at)
    path = status_path(group)
    before = earlier(files, path, "Status")
    new = status(transition, before)
    write_record(files, path, "Status", new)
    found = instances(transition.report, now, files)
    for where, instance in found.items():
        if is_outlived(instance, now):
            files.remove(where)
        else:
            write_record(files, where, "Instance", instance)
    of_group = application(group, new)
    write_record(files, application_path(group), "Instance", of_group)
    placements: Any = new["placements"]
    badges = {"": application_badge(of_group, placements), **part_badges(of_group)}
    for of, badge in badges.items():
        for ending, data in badge.files("").items():
            files.write(badge_path(group, ending.removeprefix("."), of=of), data)
    files.write(page_path(group), page(group, new, _of_first_target(transition, new, found, files)))


def _of_first_target(
    transition: Transition, status: Mapping[str, Any], found: Mapping[str, Any], files: Layered
) -> list[Mapping[str, Any]]:
    """Give the objects on a group's first target: those that were just told, where it is that one."""
    active = [one["target"] for one in status["placements"] if one["lifecycle"] == ACTIVE]
    placement = transition.report.placement
    if not active:
        return []
    if active[0] != placement.target:
        return list(recorded_objects(replace(placement, target=TargetName(active[0])), files))
    own = target_path(placement)
    return [one for path, one in found.items() if path != own] or list(recorded_objects(placement, files))


def _moved(group: GroupRef, transition: Transition) -> str:
    report = transition.report
    return f"{group}: {'retired' if report.retired else f'{report.sync}, {report.health}'}"


def _trailers(transition: Transition) -> list[tuple[str, str]]:
    report = transition.report
    found = [
        ("Placement", str(report.placement)),
        ("Sync", "retired" if report.retired else str(report.sync)),
        ("Health", str(report.health)),
    ]
    if report.revision is not None:
        found += [("Source-Commit", report.revision.application), ("Platform-Commit", report.revision.platform)]
    if report.by_hand is not None:
        found += [("Applied-By", report.by_hand.who), ("Applied-Why", " ".join(report.by_hand.why.split()))]
        found += [("Applied-Despite", str(one)) for one in sorted(report.by_hand.despite)]
    return found
