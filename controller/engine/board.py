"""The last report of every placement: what dependants, pages and the records ask for. Derived, never the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from controller.model import GroupRef, Health, ObjectReport, PlacementRef, PlacementReport, SyncStatus

_NONE: Final[Mapping[str, Any]] = {}  # one for all


@dataclass(frozen=True, slots=True)
class _Posted:
    """A report as the board keeps it, and a hash of the manifests of its objects, which tells them from others."""

    report: PlacementReport
    manifests: int


class Board:
    """Frozen reports by placement, without the manifests of their objects. Only the reconciler posts.

    What git says of each object is the renders' to keep: the board would hold the bodies of all.
    """

    def __init__(self) -> None:
        self._posted: dict[PlacementRef, _Posted] = {}
        self._groups: dict[GroupRef, set[PlacementRef]] = {}

    def post(self, report: PlacementReport) -> bool:
        """Keep a report; tell whether it is a transition: whether it says something else than the one before."""
        before = self._posted.get(report.placement)
        posted = _Posted(
            replace(report, objects=tuple(map(_without_manifest, report.objects))),
            hash(tuple(one.manifest for one in report.objects)),
        )
        self._posted[report.placement] = posted
        self._groups.setdefault(report.placement.group, set()).add(report.placement)
        return before is None or _said(before) != _said(posted)

    def forget(self, placement: PlacementRef) -> None:
        if self._posted.pop(placement, None) is None:
            return
        group = self._groups[placement.group]
        group.discard(placement)
        if not group:
            del self._groups[placement.group]

    def of(self, placement: PlacementRef) -> PlacementReport | None:
        posted = self._posted.get(placement)
        return posted.report if posted is not None else None

    def all(self) -> tuple[PlacementReport, ...]:
        return self._living(self._posted)

    def of_group(self, group: GroupRef) -> tuple[PlacementReport, ...]:
        return self._living(self._groups.get(group, ()))

    def of_groups(self, groups: Iterable[GroupRef]) -> Mapping[GroupRef, tuple[PlacementReport, ...]]:
        """Give the reports of these groups, as far as there are any."""
        return {group: reports for group in groups if (reports := self.of_group(group))}

    def _living(self, placements: Iterable[PlacementRef]) -> tuple[PlacementReport, ...]:
        """Give what is there: one that is gone, while git still says `state: absent`, is no ground to stand on."""
        reports = (self._posted[ref].report for ref in sorted(placements))
        return tuple(one for one in reports if not one.retired)


def _without_manifest(one: ObjectReport) -> ObjectReport:
    return replace(one, manifest=None, attributes=one.attributes or _NONE, released=one.released or _NONE)


def _said(posted: _Posted) -> _Posted:
    """Leave out what ticks while something is Progressing: how far it has come is no transition."""
    report = posted.report
    if report.sync is not SyncStatus.SYNCED or report.health is not Health.PROGRESSING:
        return posted
    objects = tuple(
        replace(one, health_reason="") if one.health is Health.PROGRESSING else one for one in report.objects
    )
    return replace(posted, report=replace(report, reason="", objects=objects))
