"""What left git together with its target or its environment, or while nobody looked, and still has objects there.

No environment says any more how to reach such a target: the last platform commit that did tells it. While the
controller runs, that is the one before; after a restart the records branch says which placements are not retired, and
at which platform commit they were recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from controller.config import read_platform
from controller.engine.backoff import backoff_seconds
from controller.engine.fleet import Fleet, places_of
from controller.engine.in_force import InForce
from controller.engine.pool import Place
from controller.git import BranchFiles, Mirror, choose, ref_patterns
from controller.model import PLATFORM, CommitId, ConvergeError, PlacementRef, Platform, SyncPolicy, Target
from controller.records import Remaining, remaining
from controller.runtime import Clock


@dataclass(frozen=True, slots=True)
class Departed:
    """Where a placement was, and the policy that it is taken away under."""

    target: Target
    sync: SyncPolicy


class Departures:
    """The placements that departed and are not retired yet. Owned by the controller."""

    def __init__(self) -> None:
        self._departed: dict[PlacementRef, Departed] = {}
        self.is_read = False  # whether it is known what departed before the start
        self.left: frozenset[PlacementRef] = frozenset()  # what else did: not every target can tell what it holds of us

    def install(self, before: Fleet | None, fleet: Fleet) -> None:
        """Note what a platform commit left behind, and what it brought back."""
        here = places_of(fleet.platform)
        for ref, entry in before.entries.items() if before else ():
            if (ref.environment, ref.target) not in here:
                self._departed[ref] = Departed(entry.target, entry.application.sync)
        self._departed = {ref: one for ref, one in self._departed.items() if (ref.environment, ref.target) not in here}

    async def find(self, platform: InForce, clock: Clock, chance: Callable[[], float]) -> None:
        """Once, after the start: find what left while no controller ran, however long its repositories are away."""
        failures = 0
        while not self.is_read and (fleet := platform.fleet) is not None:
            try:
                records = platform.source(fleet.platform.records.repository or PLATFORM).mirror
                recorded = await _read_remaining(fleet, records)
                self.left = frozenset(one.placement for one in recorded)
                self._departed |= await _departed_among(recorded, fleet, platform.source(PLATFORM).mirror)
            except ConvergeError:
                failures += 1
                await clock.sleep(backoff_seconds(failures, chance=chance()))
            else:
                self.is_read = True
                self.install(None, platform.fleet or fleet)

    def retire(self, placement: PlacementRef) -> bool:
        """Forget a placement of which nothing is left; True when it was one of these."""
        self.left -= {placement}
        return self._departed.pop(placement, None) is not None

    def places(self) -> Mapping[Place, Target]:
        return {(ref.environment, ref.target): one.target for ref, one in self._departed.items()}

    def placements(self) -> tuple[PlacementRef, ...]:
        return tuple(self._departed)

    def at(self, place: Place) -> tuple[PlacementRef, ...]:
        """Name what left git and may have objects at a place."""
        return tuple(ref for ref in self._departed.keys() | self.left if (ref.environment, ref.target) == place)

    def policy(self, placement: PlacementRef) -> SyncPolicy:
        one = self._departed.get(placement)
        return one.sync if one else SyncPolicy()


async def _read_remaining(fleet: Fleet, records: Mirror) -> tuple[Remaining, ...]:
    """Read what is recorded, not retired, and said by no entry any more. Raises Transient where nobody can be asked."""
    branch = fleet.platform.records.branch
    refs = await records.refs(ref_patterns(branch))
    if not refs:
        return ()
    tree = await records.tree(choose(branch, refs, url=records.url), repository=PLATFORM)
    recorded = await records.compute(lambda: remaining(BranchFiles(tree)))
    return tuple(one for one in recorded if one.placement not in fleet.entries)


async def _departed_among(
    recorded: Iterable[Remaining], fleet: Fleet, platform: Mirror
) -> Mapping[PlacementRef, Departed]:
    """Find where those were whose target left git too. Raises Transient where the repository can't be asked."""
    here = places_of(fleet.platform)
    left = [one for one in recorded if (one.placement.environment, one.placement.target) not in here]
    found: dict[PlacementRef, Departed] = {}
    for commit in dict.fromkeys(one.platform for one in left):
        earlier = await _platform_at(commit, platform)
        if earlier is not None:
            found |= _departed(earlier, (one for one in left if one.platform == commit))
    return found


async def _platform_at(commit: CommitId, mirror: Mirror) -> Platform | None:
    """Read the platform at a commit; None where the host has it no longer, or it can't be understood any more."""
    try:
        return read_platform(await mirror.tree(commit, repository=PLATFORM))
    except ConvergeError:
        return None


def _departed(platform: Platform, remains: Iterable[Remaining]) -> dict[PlacementRef, Departed]:
    found = {}
    for one in remains:
        environment = platform.environments.get(one.placement.environment)
        target = environment.targets.get(one.placement.target) if environment else None
        if environment is not None and target is not None:
            found[one.placement] = Departed(target, environment.sync)
    return found
