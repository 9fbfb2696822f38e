"""Whose turn it is: placements that their workflow puts behind others, and yeses that come by themselves after a time.

Asked in every run and derived from what other runs left: the reports and the renders that are in force. All of it can
be lost: a wait is found again, and the time after which a yes comes by itself goes on from when the records told of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from controller.engine.decide import unmet_dependencies
from controller.model import (
    FIRST,
    Behind,
    ConvergeError,
    Digest,
    GroupRef,
    Health,
    PlacementRef,
    PlacementReport,
    SyncStatus,
    WaitKind,
)
from controller.runtime import Clock

READY = (Health.HEALTHY, Health.SUSPENDED)


class Reports(Protocol):
    """The last report of each placement (`Board`)."""

    def of(self, placement: PlacementRef) -> PlacementReport | None: ...
    def of_group(self, group: GroupRef) -> tuple[PlacementReport, ...]: ...


Recorded: TypeAlias = Callable[[PlacementRef], Awaitable[Iterable[Mapping[str, Any]]]]


class Turns:
    """Owned by the controller.

    `inputs_now` gives what a placement's desired state is rendered from now, None where that is not known. `recorded`
    gives what its record says that it waits for.
    """

    def __init__(
        self,
        reports: Reports,
        inputs_now: Callable[[PlacementRef], Digest | None],
        clock: Clock,
        recorded: Recorded,
    ) -> None:
        self._recorded = recorded
        self._reports = reports
        self._inputs_now = inputs_now
        self._clock = clock
        self._behind: dict[PlacementRef, Behind] = {}
        self._plans: dict[PlacementRef, tuple[Digest, datetime]] = {}

    def unmet(self, placement: PlacementRef, behind: Behind) -> tuple[str, ...]:
        """Name what a placement has to wait for, each with its state. Whoever waits is noted, to be woken."""
        if behind == FIRST:
            self._behind.pop(placement, None)
            return ()
        self._behind[placement] = behind
        siblings = (replace(placement, target=one) for one in behind.targets)
        siblings_left = tuple(f"{one} ({why})" for one in siblings if (why := self._unready(one)))
        groups = {one: self._reports.of_group(one) for one in behind.groups}
        return (*siblings_left, *unmet_dependencies(behind.groups, groups))

    def _unready(self, placement: PlacementRef) -> str:
        """Say why a placement is not through with what git says now; "" when it is."""
        report = self._reports.of(placement)
        if report is None:
            return "not seen yet"
        if report.sync is not SyncStatus.SYNCED or report.health not in READY:
            return f"{report.sync}, {report.health}"
        now = self._inputs_now(placement)
        return "" if now is not None and now == report.inputs else "not at this revision yet"

    def behind(self, placement: PlacementRef) -> tuple[PlacementRef, ...]:
        """Name who waits for a placement that has ended a run."""
        return tuple(
            ref
            for ref, behind in self._behind.items()
            if placement.group in behind.groups or (ref.group == placement.group and placement.target in behind.targets)
        )

    async def since(self, placement: PlacementRef, plan: Digest) -> datetime:
        """Say since when a placement has this plan; another plan begins anew, one that the records know does not."""
        known = self._plans.get(placement)
        if known is None or known[0] != plan:
            now = self._clock.now()
            known = self._plans[placement] = (plan, min(now, await self._told(placement, plan) or now))
        return known[1]

    async def _told(self, placement: PlacementRef, plan: Digest) -> datetime | None:
        """Say since when the records tell of this plan. Where they can't be read it begins anew: a longer pause."""
        try:
            waits = await self._recorded(placement)
        except ConvergeError:
            return None
        found = [
            datetime.fromisoformat(one["since"])
            for one in waits
            if one["for"] == WaitKind.APPROVAL and plan in one["what"] and "since" in one
        ]
        return min(found, default=None)

    def forget(self, placement: PlacementRef) -> None:
        self._behind.pop(placement, None)
        self._plans.pop(placement, None)
