"""States that the controller keeps itself: what their keeper must do, which the engine builds out of git."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from controller.model import PlacementRef, Stalled


@dataclass(frozen=True, slots=True)
class StateMark:
    """Which state it is: Terraform counts the serial up within a lineage."""

    lineage: str
    serial: int

    def __str__(self) -> str:
        return f"serial {self.serial} of lineage {self.lineage}"


class StateKeeper(Protocol):
    """Keeps sealed states, one per placement. `where` names the place for people, and tells it from every other."""

    @property
    def where(self) -> str: ...

    def check(self, placement: PlacementRef) -> None:
        """Raise Transient while a state waits to be brought there, Stalled where it can't be: nobody may read then."""

    async def get(self, placement: PlacementRef) -> bytes | None:
        """Give what is kept, None where nothing is. Raises Transient, Stalled."""

    async def put(self, placement: PlacementRef, sealed: bytes, *, base: bytes | None, about: str) -> None:
        """Keep a state in place of `base`, and come back when it can't be lost any more.

        Raises Overtaken; Stalled and Transient where nothing was kept.
        """

    async def recorded(self, placement: PlacementRef) -> StateMark | None:
        """Tell which state the records say was there last, None where they do not."""


class Overtaken(Stalled):
    """Another state is there than the one that a run began with. What the run made is kept aside."""
