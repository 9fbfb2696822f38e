"""What placements gave out when they were looked at last: values for others of their group. Never the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from controller.engine.asking import Outputs
from controller.model import GroupRef, JsonValue, PlacementRef, Secret, TargetName


class OutputBoard:
    """Outputs by placement, gathered by group: every run asks for those of its own."""

    def __init__(self) -> None:
        self._outputs: dict[GroupRef, dict[TargetName, Mapping[str, JsonValue | Secret]]] = {}
        self._givers: dict[PlacementRef, frozenset[TargetName]] = {}  # by who takes their outputs in

    def note(self, placement: PlacementRef, outputs: Mapping[str, JsonValue | Secret]) -> bool:
        """Keep what a placement gives out; tell whether it is news."""
        of_group = self._outputs.setdefault(placement.group, {})
        is_news = of_group.get(placement.target) != outputs
        of_group[placement.target] = outputs
        return is_news

    def note_taker(self, placement: PlacementRef, givers: Iterable[TargetName]) -> None:
        """Keep from which targets a placement's own files take something in."""
        if found := frozenset(givers):
            self._givers[placement] = found
        else:
            self._givers.pop(placement, None)

    def takers(self, giver: PlacementRef) -> tuple[PlacementRef, ...]:
        """Name who takes in what a placement gives out, as their own files say."""
        return tuple(ref for ref, found in self._givers.items() if ref.group == giver.group and giver.target in found)

    def is_known(self, placement: PlacementRef) -> bool:
        return placement.target in self._outputs.get(placement.group, {})

    def of(self, group: GroupRef) -> Outputs:
        return dict(self._outputs.get(group, {}))
