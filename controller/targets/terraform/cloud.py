"""Terraform workspaces as a target: what the engine sees of this package.

What is observed costs no request: it is the state as it was pulled last, and a workspace is suspect when its next look
is due. A look is a plan, so it is `plan` that finds drift; what it found stays until an input moves or a look is due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from controller.model import (
    Action,
    Application,
    Applied,
    Capabilities,
    ConvergeError,
    Desired,
    Digest,
    Health,
    HealthRules,
    JsonValue,
    LiveObject,
    Observation,
    Permitted,
    PlacementRef,
    Plan,
    State,
    Transient,
)
from controller.targets.terraform.outcomes import outcomes_of
from controller.targets.terraform.planning import Means, Planner, Way
from controller.targets.terraform.state import Pulled
from controller.targets.terraform.workspace import Saved

SLOWEST: Final = 3.0  # what a look took is waited so many times more before the next: at most a quarter of the time
SHORTEST_SECONDS: Final = 1.0


def pause_after(seconds: float, interval_seconds: float, *, chance: float) -> float:
    """Give the seconds until the next look: the interval, jittered by a tenth either way; rarer for what takes long.

    `chance` is in [0, 1).
    """
    return max(SHORTEST_SECONDS, (interval_seconds + SLOWEST * seconds) * (0.9 + 0.2 * chance))


@dataclass(frozen=True, slots=True)
class _Looked:
    """A plan that was made, of which state and until when it counts."""

    desired: Digest
    state: State
    plan: Plan
    ways: Mapping[Digest, Way]
    until: float  # monotonic seconds


@dataclass(slots=True)
class _Placed:
    """What is known of one placement. `busy` is held by whoever runs terraform for it."""

    planner: Planner
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    pulled: Pulled | None = None
    looked: _Looked | None = None
    timer: asyncio.TimerHandle | None = None


class Cloud:
    """Implements `targets.Target` for workspaces of one environment."""

    def __init__(self, means: Means, *, changed: Callable[[PlacementRef], None], chance: Callable[[], float]) -> None:
        self._means = means
        self._clock = means.clock
        self._slots = means.surroundings.slots
        self._changed = changed
        self._chance = chance
        self._placed: dict[PlacementRef, _Placed] = {}

    def close(self) -> None:
        """End the timers, and delete saved plans: they hold the state."""
        for one in self._placed.values():
            if one.timer is not None:
                one.timer.cancel()
            one.planner.workspace.close()

    async def capabilities(self) -> Capabilities:
        """Tell nothing: no module asks."""
        return Capabilities()

    async def observe(self, placement: PlacementRef, desired: Desired | None = None, /) -> Observation:
        """Tell what the state said last; pull it where nobody did yet.

        `desired` is needed for the first time only, where the module itself says which back-end holds its state.
        """
        placed = self._of(placement)
        async with placed.busy:
            if desired is not None:
                placed.planner.aim(desired)
            if placed.pulled is None:
                placed.pulled = await self._pull(placed, placement)
            pulled = placed.pulled
        return self._observation(placement, placed, pulled)

    async def plan(self, desired: Desired, application: Application) -> Plan:
        """Say what an apply would do; what drifted apart from what is pending. Asks terraform only when it has to."""
        placed = self._of(desired.placement)
        async with placed.busy:
            looked = placed.looked
            is_good = (
                looked is not None
                and (looked.desired, looked.state) == (desired.digest, application.state)
                and self._clock.monotonic() < looked.until
            )
            if not is_good or looked is None:
                looked = await self._look(placed, desired, application)
            return replace(looked.plan, revision=desired.revision)

    async def apply(self, plan: Permitted, application: Application, /, *, superseded: asyncio.Event) -> Applied:
        """Apply exactly the saved plan that was permitted, or its correction."""
        placed = self._of(plan.placement)
        async with placed.busy:
            way = placed.looked.ways.get(plan.hash) if placed.looked else None
            if way is None or not way.is_permitted(plan):
                if plan.is_empty:
                    return Applied(())
                raise Transient("the plan is made anew")
            async with self._slots:
                if superseded.is_set():
                    raise Transient("a newer commit is there: planned anew")
                return await self._apply(placed, plan, way.saved, application)

    def judge_by(self, rules: HealthRules) -> None:
        """Terraform tells no health that rules of kinds could judge."""

    def credentials_moved(self) -> None:
        """Each run reads the store anew."""

    async def placements(self) -> tuple[PlacementRef, ...]:
        """Name the placements whose state was seen here: back-ends can't be asked which states they hold."""
        return tuple(sorted(ref for ref, one in self._placed.items() if one.pulled and not one.pulled.is_empty))

    # --- parts --------------------------------------------------------------------------------------------

    async def _pull(self, placed: _Placed, placement: PlacementRef) -> Pulled:
        try:
            async with self._slots:
                return await placed.planner.pull()
        except ConvergeError:
            self._wake_in(placed, placement, self._pause(0.0))  # a back-end that is put right sends no event
            raise

    def _of(self, placement: PlacementRef) -> _Placed:
        placed = self._placed.get(placement)
        if placed is None:
            placed = self._placed[placement] = _Placed(Planner(placement, self._means))
        return placed

    def _observation(self, placement: PlacementRef, placed: _Placed, pulled: Pulled) -> Observation:
        stamp = pulled.stamp
        objects: tuple[LiveObject, ...] = ()
        if not pulled.is_empty:
            checks = ", ".join(pulled.failed_checks)
            objects = (
                LiveObject(
                    key=placed.planner.key,
                    uid=pulled.lineage,
                    digest=Digest(stamp.digest) if stamp else None,
                    health=Health.DEGRADED if checks else Health.HEALTHY,
                    health_reason=f"failed checks: {checks}" if checks else "",
                    attributes=self._which(pulled),
                    is_suspect=self._is_suspect(placed),
                ),
                *pulled.resources,
            )
        return Observation(
            placement=placement,
            applied=stamp.revision if stamp else None,
            applied_digest=Digest(stamp.desired) if stamp else None,
            objects=objects,
            outputs=pulled.outputs,
        )

    def _which(self, pulled: Pulled) -> Mapping[str, JsonValue]:
        """Tell which state it is, where the records must remember that: one that is older is refused."""
        if self._means.spec.state_in_git is None:
            return {}
        return {"lineage": pulled.lineage, "serial": pulled.serial}

    def _is_suspect(self, placed: _Placed) -> bool:
        """Tell whether somebody must look: the time has come, or the last look found something."""
        looked = placed.looked
        return looked is None or self._clock.monotonic() >= looked.until or not looked.plan.is_empty

    async def _look(self, placed: _Placed, desired: Desired, application: Application) -> _Looked:
        try:
            return await self._look_anew(placed, desired, application)
        except ConvergeError:
            # What is wrong may come right without an event of ours, and until then nobody knows what there is.
            placed.pulled = None
            self._wake_in(placed, desired.placement, self._pause(0.0))
            raise

    async def _look_anew(self, placed: _Placed, desired: Desired, application: Application) -> _Looked:
        placed.looked = None
        placed.planner.workspace.drop()
        async with self._slots:
            started = self._clock.monotonic()  # who waits for a place costs nothing meanwhile
            if application.state is State.PRESENT:
                choice = await placed.planner.plan(desired)
            else:
                choice = await placed.planner.plan_destroy(desired)
        placed.pulled = choice.pulled
        pause = self._pause(self._clock.monotonic() - started)
        until = self._clock.monotonic() + pause
        placed.looked = _Looked(desired.digest, application.state, choice.plan, choice.ways, until)
        self._wake_in(placed, desired.placement, pause)
        return placed.looked

    async def _apply(self, placed: _Placed, plan: Permitted, saved: Saved, application: Application) -> Applied:
        is_whole = placed.looked is not None and placed.looked.plan.hash == plan.hash
        placed.pulled = None  # whatever comes of it, the state is another one
        placed.looked = None
        try:
            told, error = await placed.planner.workspace.apply(saved)
        except ConvergeError as failure:
            return Applied((), failure)
        finally:
            placed.planner.workspace.drop()
        if error is None and application.state is not State.PRESENT:
            self._rest(placed)
        elif error is None and is_whole:
            self._trust(placed, plan)
        else:
            self._wake_in(placed, plan.placement, SHORTEST_SECONDS)
        return Applied(outcomes_of(plan, told, error), error)

    def _trust(self, placed: _Placed, plan: Permitted) -> None:
        """After a whole apply there is nothing to do until the next look."""
        done = replace(plan, objects=tuple(replace(one, action=Action.NOTHING, changes=()) for one in plan.objects))
        pause = self._pause(0.0)
        until = self._clock.monotonic() + pause
        placed.looked = _Looked(plan.desired, State.PRESENT, done, {}, until)
        self._wake_in(placed, plan.placement, pause)

    def _rest(self, placed: _Placed) -> None:
        """After the end of everything there is nothing to look at."""
        placed.planner.forget()
        if placed.timer is not None:
            placed.timer.cancel()

    def _pause(self, seconds: float) -> float:
        """Say how long to wait until the next look, after one that took so long."""
        return pause_after(seconds, self._means.spec.interval_seconds, chance=self._chance())

    def _wake_in(self, placed: _Placed, placement: PlacementRef, seconds: float) -> None:
        if placed.timer is not None:
            placed.timer.cancel()
        placed.timer = asyncio.get_running_loop().call_later(seconds, self._changed, placement)
