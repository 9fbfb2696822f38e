"""Which placement an object on a target belongs to, when two ask for it, and when it moves from one to another.

Whoever came first keeps it, the other is told and changes nothing: what runs stays as it is. Once the first lets go of
it, the other takes it over, and until then nobody deletes it: an object that moves is adopted before it is pruned. What
a commit moved is not known before it is rendered, so whoever is about to delete waits for all that moved with him.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

from controller.model import Desired, EnvironmentName, Neighbours, ObjectKey, PlacementRef, Stalled, TargetName

Place = tuple[EnvironmentName, TargetName]
PATIENCE_SECONDS = 30.0  # for placements that a commit moved too, and that are not rendered yet


class Claims:
    """Objects by target, each with the placement that holds it. `wake` is called for who waited for one.

    `awaited` is called when somebody begins to wait for what others decide.
    """

    def __init__(
        self,
        wake: Callable[[PlacementRef], None] = lambda _placement: None,
        awaited: Callable[[], None] = lambda: None,
    ) -> None:
        self._wake = wake
        self._awaited = awaited
        self._holders: dict[tuple[Place, ObjectKey], PlacementRef] = {}
        self._held: dict[PlacementRef, frozenset[ObjectKey]] = {}
        self._shared: dict[PlacementRef, frozenset[ObjectKey]] = {}  # what others may have with him
        self._suitors: dict[tuple[Place, ObjectKey], PlacementRef] = {}  # who asked for what another holds
        self._undecided: dict[Place, set[PlacementRef]] = {}  # moved by a commit, and not rendered since
        self._unknown: set[PlacementRef] = set()  # in git, and never rendered by this process
        self._decided = asyncio.Event()

    def expect(self, placements: Iterable[PlacementRef]) -> None:
        """Say that a commit moved these: what they ask for is not known until they are rendered."""
        moved = frozenset(placements)
        for one in moved:
            self._undecided.setdefault(_place(one), set()).add(one)
        self._unknown |= moved - self._held.keys()

    def decide(self, placement: PlacementRef) -> None:
        """Say that a placement was looked at, whatever came of it."""
        self._undecided.get(_place(placement), set()).discard(placement)
        self._decided.set()

    def claim(
        self,
        desired: Desired,
        *,
        shared: AbstractSet[ObjectKey] = frozenset(),
        live: AbstractSet[ObjectKey] = frozenset(),
    ) -> frozenset[ObjectKey]:
        """Take a placement's objects, letting go of those it no longer names. Raises Stalled, taking none.

        `shared` objects may be others' too: those that another has are given back, and come to this placement when
        he lets go of them. Whose they are on the target (`live`) has them before who merely came first.
        """
        placement = desired.placement
        place = _place(placement)
        keys = frozenset(one.key for one in desired.manifests)
        self._forget_suits(placement)
        left: set[ObjectKey] = set()
        for one in desired.manifests:
            holder = self._holders.get((place, one.key), placement)
            if holder != placement and one.key in shared and one.key in self._shared.get(holder, ()):
                if one.key in live:
                    self._hand_over(place, one.key, holder, placement)
                else:
                    self._suitors[place, one.key] = placement
                    left.add(one.key)
            elif holder != placement:
                self._suitors[place, one.key] = placement
                self.decide(placement)
                raise Stalled(
                    f"{one.origin}: {one.key} belongs to {holder} on {placement.target} already. "
                    f"Remove it from one of the two applications"
                )
        self._shared[placement] = frozenset(shared)
        self._take(placement, keys - left)
        self._unknown.discard(placement)
        self.decide(placement)
        return frozenset(left)

    def _hand_over(self, place: Place, key: ObjectKey, holder: PlacementRef, placement: PlacementRef) -> None:
        """Give a shared object to whose it is on the target, and have him who had it look again."""
        self._held[holder] -= {key}
        self._suitors[place, key] = holder
        self._holders[place, key] = placement
        self._wake(holder)

    def release(self, placement: PlacementRef) -> None:
        """Let go of all that a placement holds: git does not say it any more."""
        self._forget_suits(placement)
        self._take(placement, frozenset())
        del self._held[placement]
        self._shared.pop(placement, None)
        self._unknown.discard(placement)
        self.decide(placement)

    def neighbours(self, placement: PlacementRef, live: Iterable[ObjectKey]) -> Neighbours:
        """Say which of a placement's live objects another one asks for, and of whom it is not known what he does."""
        place = _place(placement)
        moving = frozenset(
            key
            for key in live
            if self._holders.get((place, key), placement) != placement or (place, key) in self._suitors
        )
        return Neighbours(moving, self._unknown)

    async def others_decided(self, placement: PlacementRef) -> None:
        """Wait until all that moved on a placement's target is rendered; not for ever, since one may never be."""
        undecided = self._undecided.setdefault(_place(placement), set())
        self._awaited()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len(undecided) > (placement in undecided):
                    self._decided.clear()
                    await self._decided.wait()
        except TimeoutError:
            return

    def _take(self, placement: PlacementRef, keys: frozenset[ObjectKey]) -> None:
        if self._held.get(placement) == keys:
            return  # and the names that are there already stay the only ones of their kind
        place = _place(placement)
        dropped = self._held.get(placement, frozenset()) - keys
        for key in dropped:
            self._holders.pop((place, key), None)
        self._held[placement] = keys
        for key in keys:
            self._holders[place, key] = placement
        for suitor in sorted({self._suitors[place, key] for key in dropped if (place, key) in self._suitors}):
            self._wake(suitor)

    def _forget_suits(self, placement: PlacementRef) -> None:
        for one in [one for one, suitor in self._suitors.items() if suitor == placement]:
            del self._suitors[one]


def _place(placement: PlacementRef) -> Place:
    return placement.environment, placement.target
