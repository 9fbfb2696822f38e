"""What placements gave out when they were looked at last: values for others of their group. Never the truth."""

from __future__ import annotations

from collections.abc import Mapping

from controller.engine.rendering import Outputs
from controller.model import GroupRef, JsonValue, PlacementRef, Secret


class OutputBoard:
    """Outputs by placement."""

    def __init__(self) -> None:
        self._outputs: dict[PlacementRef, Mapping[str, JsonValue | Secret]] = {}

    def note(self, placement: PlacementRef, outputs: Mapping[str, JsonValue | Secret]) -> bool:
        """Keep what a placement gives out; tell whether it is news."""
        is_news = self._outputs.get(placement) != outputs
        self._outputs[placement] = outputs
        return is_news

    def is_known(self, placement: PlacementRef) -> bool:
        return placement in self._outputs

    def of(self, group: GroupRef) -> Outputs:
        return {ref.target: one for ref, one in self._outputs.items() if ref.group == group}
