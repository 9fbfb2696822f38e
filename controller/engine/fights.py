"""Two controllers that change one field back and forth: found by an exponentially decayed rate, and damped.

Correcting is right once; a correction every second is an outage of its own. From five in a minute on, the
next correction of that object waits, doubling up to ten minutes, and the status says so.
"""

from __future__ import annotations

from dataclasses import dataclass

HALF_LIFE_SECONDS = 60.0
THRESHOLD = 5.0  # corrections within about a minute
FIRST_PAUSE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Fight:
    """One object's recent corrections. Times are monotonic seconds."""

    rate: float = 0.0
    last: float = 0.0
    pauses: int = 0
    until: float = 0.0  # no correction before

    def is_damped(self, now: float) -> bool:
        return now < self.until


def corrected(fight: Fight, now: float) -> Fight:
    """Count one correction, and begin a pause where they have become too many."""
    rate = fight.rate * 0.5 ** ((now - fight.last) / HALF_LIFE_SECONDS) + 1.0
    is_calm = now - fight.last > LONGEST_PAUSE_SECONDS + HALF_LIFE_SECONDS
    pauses = 0 if is_calm else fight.pauses
    if rate < THRESHOLD:
        return Fight(rate, now, pauses, fight.until)
    pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**pauses)
    return Fight(THRESHOLD - 1.0, now, pauses + 1, now + pause)
