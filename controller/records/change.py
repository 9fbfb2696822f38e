"""Transitions as one change of the records branch: what its files shall be, over whatever lies there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.model import GroupRef, PlacementRef, Transition
from controller.records.badges import application_badge, part_badges
from controller.records.earlier import Earlier, earlier
from controller.records.files import Files, Layered
from controller.records.instances import application, instances, is_outlived
from controller.records.leaving import placement_files
from controller.records.memory import memory, write_record
from controller.records.paths import application_path, badge_path, status_path, target_folder
from controller.records.showing import shown_time
from controller.records.status import outlived, status

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
        last = {one.group: number for number, one in enumerate(self.transitions)}
        told: dict[GroupRef, dict[str, Any]] = {}  # what was told of groups of which more is to be told
        for start in range(0, len(self.transitions), TOGETHER):
            some = self.transitions[start : start + TOGETHER]
            files.read_ahead(*_read_for(some), is_known=memory().knows)
            for number, transition in enumerate(some, start):
                group = transition.group
                before = told[group] if group in told else earlier(files, status_path(group), "Status")
                if not transition.report.retired or _is_told(transition.report.placement, before):
                    told[group] = _write_placement(transition, before, files)
                # else it is gone, and so are its records, or there never were any
                if last[group] == number and group in told:
                    _write_group(group, told.pop(group), files)
        return files.result()


def _read_for(transitions: Sequence[Transition]) -> tuple[list[str], list[str]]:
    """Name the files that telling transitions reads, and the folders of which it reads all.

    Badges are made anew and held against what git calls the old ones: those are never read.
    """
    groups = list(dict.fromkeys(one.group for one in transitions))
    files = [path for group in groups for path in (status_path(group), application_path(group))]
    return files, [target_folder(one.report.placement) for one in transitions]


def record(transitions: Sequence[Transition]) -> RecordChange:
    """Make the change that tells transitions: status, instance and badge files of these placements.

    Transitions of one placement are told in their order, so that the last one holds.
    """
    return RecordChange(tuple(transitions))


def _write_placement(transition: Transition, before: Earlier, files: Layered) -> dict[str, Any]:
    """Write what is told of a placement alone; gives the status of its group with it."""
    group, now = transition.group, shown_time(transition.at)
    for where, instance in instances(transition.report, now, files).items():
        if is_outlived(instance, now):
            files.remove(where)
        else:
            write_record(files, where, "Instance", instance)
    for placement in outlived(group, before, now):
        if placement != transition.report.placement:
            for where in placement_files(placement, files):
                files.remove(where)
    return status(transition, before)


def _write_group(group: GroupRef, new: dict[str, Any], files: Layered) -> None:
    """Write what its placements share, once for all that is told of them: it is as large as they are many."""
    write_record(files, status_path(group), "Status", new)
    of_group = application(group, new)
    write_record(files, application_path(group), "Instance", of_group)
    badges = {"": application_badge(of_group, new["placements"]), **part_badges(of_group)}
    for of, badge in badges.items():
        for ending, data in badge.files("").items():
            files.write(badge_path(group, ending.removeprefix("."), of=of), data)


def _is_told(placement: PlacementRef, before: Earlier) -> bool:
    return any(one["target"] == placement.target for one in before.get("placements", ()))


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
