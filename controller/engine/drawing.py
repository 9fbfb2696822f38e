"""When what people read on the records branch is drawn anew: at once in a small fleet, now and then in a busy one.

The overview has a cell for every application, and a page takes files and folders of its own. Drawn with every
transition, those of a large fleet would be most of its branch; so there they follow within a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from controller.engine.fleet import Fleet
from controller.model import GroupRef
from controller.records import Drawing

SECONDS_PER_PLACEMENT = 0.06
LONGEST_SECONDS = 60.0
NOT_WORTH_SECONDS = 2.0  # nobody waits for less


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The least seconds between two commits of what is well, and between two drawings."""

    commit_seconds: float = 0.0
    draw_seconds: float = 0.0


def rhythm_of(fleet: Fleet | None) -> Rhythm:
    """Give what the platform says, or what suits a fleet of this size."""
    if fleet is None:
        return Rhythm()
    said = fleet.platform.records
    draw = fitting_seconds(len(fleet.entries)) if said.draw_seconds is None else float(said.draw_seconds)
    return Rhythm(float(said.commit_seconds), draw)


def fitting_seconds(placements: int) -> float:
    """Give the seconds between two drawings that suit so many placements."""
    fitting = min(placements * SECONDS_PER_PLACEMENT, LONGEST_SECONDS)
    return fitting if fitting >= NOT_WORTH_SECONDS else 0.0


class Drawings:
    """Owns what is not yet drawn. Times are monotonic seconds."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._groups: set[GroupRef] = set()
        self._is_stale = False
        self._is_urgent = False
        self._last: float | None = None

    def note(self, groups: Iterable[GroupRef], *, at_once: bool = False) -> None:
        """Say whose pages are no longer true; the overview is not either."""
        self._groups.update(groups)
        self._is_stale = True
        self._is_urgent |= at_once

    def hurry(self) -> None:
        """Draw with the next commit, whenever the last time was."""
        self._is_urgent |= self._is_stale

    def due_in(self, now: float) -> float | None:
        """Give the seconds until a drawing is due; None where there is nothing to draw."""
        if not self._is_stale:
            return None
        if self._is_urgent or self._last is None:
            return 0.0
        return max(0.0, self._last + self._seconds() - now)

    def take(self, now: float, at: datetime | None = None) -> Drawing | None:
        """Give what is to be drawn now, at a time of the day; who can't push it notes its groups again."""
        if self.due_in(now) != 0.0:
            return None
        drawing = Drawing(frozenset(self._groups), at)
        self._groups.clear()
        self._is_stale = self._is_urgent = False
        self._last = now
        return drawing
