"""The last report of every placement: what dependants, pages and the records ask for. Derived, never the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from controller.model import GroupRef, Health, PlacementRef, PlacementReport, SyncStatus


class Board:
    """Frozen reports by placement. Only the reconciler posts."""

    def __init__(self) -> None:
        self._reports: dict[PlacementRef, PlacementReport] = {}

    def post(self, report: PlacementReport) -> bool:
        """Keep a report; tell whether it is a transition: whether it says something else than the one before."""
        before = self._reports.get(report.placement)
        self._reports[report.placement] = report
        return before is None or _said(before) != _said(report)

    def forget(self, placement: PlacementRef) -> None:
        self._reports.pop(placement, None)

    def of(self, placement: PlacementRef) -> PlacementReport | None:
        return self._reports.get(placement)

    def all(self) -> tuple[PlacementReport, ...]:
        return tuple(self._reports[ref] for ref in self._living())

    def _living(self) -> list[PlacementRef]:
        """Name what is there: one that is gone, while git still says `state: absent`, is no ground to stand on."""
        return sorted(ref for ref, report in self._reports.items() if not report.retired)

    def of_group(self, group: GroupRef) -> tuple[PlacementReport, ...]:
        return tuple(self._reports[ref] for ref in self._living() if ref.group == group)

    def by_group(self) -> Mapping[GroupRef, tuple[PlacementReport, ...]]:
        groups: dict[GroupRef, list[PlacementReport]] = {}
        for ref in self._living():
            groups.setdefault(ref.group, []).append(self._reports[ref])
        return {group: tuple(reports) for group, reports in groups.items()}


def _said(report: PlacementReport) -> PlacementReport:
    """Leave out what ticks while something is Progressing: how far it has come is no transition."""
    if report.sync is not SyncStatus.SYNCED or report.health is not Health.PROGRESSING:
        return report
    objects = tuple(
        replace(one, health_reason="") if one.health is Health.PROGRESSING else one for one in report.objects
    )
    return replace(report, reason="", objects=objects)
