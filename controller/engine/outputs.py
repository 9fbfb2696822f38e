"""What placements gave out when they were looked at last: values for others of their group. Never the truth."""

from __future__ import annotations

from collections.abc import Mapping

from controller.engine.rendering import Outputs
from controller.model import GroupRef, JsonValue, PlacementRef, Secret, TargetName


class OutputBoard:
    """Outputs by placement, gathered by group: every run asks for those of its own."""

    def __init__(self) -> None:
        self._outputs: dict[GroupRef, dict[TargetName, Mapping[str, JsonValue | Secret]]] = {}

    def note(self, placement: PlacementRef, outputs: Mapping[str, JsonValue | Secret]) -> bool:
        """Keep what a placement gives out; tell whether it is news."""
        of_group = self._outputs.setdefault(placement.group, {})
        is_news = of_group.get(placement.target) != outputs
        of_group[placement.target] = outputs
        return is_news

    def is_known(self, placement: PlacementRef) -> bool:
        return placement.target in self._outputs.get(placement.group, {})

    def of(self, group: GroupRef) -> Outputs:
        return dict(self._outputs.get(group, {}))
