"""Which placement an object on a target belongs to, when two ask for it.

Whoever came first keeps it, the other is told and changes nothing: what runs stays as it is.
"""

from __future__ import annotations

from controller.model import Desired, EnvironmentName, ObjectKey, PlacementRef, Stalled, TargetName

Place = tuple[EnvironmentName, TargetName]


class Claims:
    """Objects by target, each with the placement that holds it."""

    def __init__(self) -> None:
        self._holders: dict[tuple[Place, ObjectKey], PlacementRef] = {}
        self._held: dict[PlacementRef, frozenset[ObjectKey]] = {}

    def claim(self, desired: Desired) -> None:
        """Take a placement's objects, letting go of those it no longer names. Raises Stalled, taking none."""
        placement = desired.placement
        place = (placement.environment, placement.target)
        keys = frozenset(one.key for one in desired.manifests)
        for one in desired.manifests:
            holder = self._holders.get((place, one.key), placement)
            if holder != placement:
                raise Stalled(
                    f"{one.origin}: {one.key} belongs to {holder} on {placement.target} already. "
                    f"Remove it from one of the two applications"
                )
        self.release(placement)
        self._held[placement] = keys
        for key in keys:
            self._holders[place, key] = placement

    def release(self, placement: PlacementRef) -> None:
        place = (placement.environment, placement.target)
        for key in self._held.pop(placement, frozenset()):
            self._holders.pop((place, key), None)
