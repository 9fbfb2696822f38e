"""What somebody takes upon himself who applies by hand, past the controller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from controller.model.ids import Digest, TargetName


class Barrier(StrEnum):
    """What holds a plan back, and may be passed by hand. What a target objects to may not."""

    WINDOW = "window"  # no sync may start now
    SUSPENSION = "suspension"
    APPROVAL = "approval"  # nobody said yes in git, or too few did
    ORDER = "order"  # others go first
    REPORT = "report"  # the policy is to report or to propose


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """Who applies, why, past what, and which plan on each target; one that is not named may be any."""

    who: str  # `Name <email>`
    why: str
    despite: frozenset[Barrier] = frozenset()
    plans: Mapping[TargetName, Digest] | None = None

    def passes(self, barrier: Barrier) -> bool:
        return barrier in self.despite
