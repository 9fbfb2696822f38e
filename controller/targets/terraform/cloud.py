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
    ConvergeError,
    Desired,
    Digest,
    Health,
    HealthRules,
    InstallationId,
    LiveObject,
    ObjectKey,
    ObjectPlan,
    Observation,
    OnDestroy,
    Permitted,
    PlacementRef,
    Plan,
    Secret,
    Stalled,
    State,
    TerraformTarget,
    Transient,
)
from controller.runtime import Clock
from controller.targets.terraform.outcomes import outcomes_of
from controller.targets.terraform.reading import Circumstances, objects_of, plan_of, unrepeated
from controller.targets.terraform.source import Stamp, Workpiece, mark_of, stamp_of, workpiece_of
from controller.targets.terraform.state import Pulled
from controller.targets.terraform.surroundings import Surroundings
from controller.targets.terraform.tool import Program
from controller.targets.terraform.workspace import Saved, Workspace, bare_piece

SLOWEST: Final = 3.0  # what a look took is waited so many times more before the next: at most a quarter of the time
SHORTEST_SECONDS: Final = 1.0
REPEAT_SECONDS: Final = 1.1  # times in plans are told in seconds: a later one must show


@dataclass(frozen=True, slots=True)
class _Way:
    """Something that can be applied: what it does, and the file that does it."""

    plan: Plan
    saved: Saved

    def is_permitted(self, permitted: Plan) -> bool:
        """Tell whether all that the file would do is permitted: terraform applies a file whole."""
        return _acts(self.plan) == _acts(permitted)


def _acts(plan: Plan) -> Mapping[ObjectKey, Action]:
    return {one.key: one.action for one in plan.objects if one.action is not Action.NOTHING}


@dataclass(frozen=True, slots=True)
class _Looked:
    """A plan that was made, of which state and until when it counts."""

    desired: Digest
    state: State
    plan: Plan
    ways: Mapping[Digest, _Way]  # by their hash: the plan itself, and its correction
    until: float  # monotonic seconds


@dataclass(slots=True)
class _Placed:
    """What is known of one placement. `busy` is held by whoever runs terraform for it."""

    workspace: Workspace
    key: ObjectKey
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    piece: Workpiece | None = None  # of the last desired state, or the bare one
    pulled: Pulled | None = None
    looked: _Looked | None = None
    last: tuple[Digest, str, int, tuple[ObjectPlan, ...]] | None = None  # what was planned, of which state
    timer: asyncio.TimerHandle | None = None


class Cloud:
    """Implements `targets.Target` for workspaces of one environment."""

    def __init__(
        self,
        spec: TerraformTarget,
        installation: InstallationId,
        *,
        program: Program,
        surroundings: Surroundings,
        variables: Callable[[], Mapping[str, Secret]],
        plan_key: Secret,
        clock: Clock,
        changed: Callable[[PlacementRef], None],
        chance: Callable[[], float],
    ) -> None:
        self._spec = spec
        self._installation = installation
        self._program = program
        self._surroundings = surroundings
        self._variables = variables
        self._plan_key = plan_key
        self._clock = clock
        self._changed = changed
        self._chance = chance
        self._placed: dict[PlacementRef, _Placed] = {}

    def close(self) -> None:
        """End the timers, and delete saved plans: they hold the state."""
        for one in self._placed.values():
            if one.timer is not None:
                one.timer.cancel()
            one.workspace.drop()

    async def observe(self, placement: PlacementRef, desired: Desired | None = None, /) -> Observation:
        """Tell what the state said last; pull it where nobody did yet.

        `desired` is needed for the first time only, where the module itself says which back-end holds its state.
        """
        placed = self._of(placement)
        async with placed.busy:
            if desired is not None and desired.manifests:
                placed.piece = workpiece_of(desired)
            pulled = placed.pulled or await self._pull(placed, placement)
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
            async with self._surroundings.slots:
                if superseded.is_set():
                    raise Transient("a newer commit is there: planned anew")
                return await self._apply(placed, plan, way.saved, application)

    def judge_by(self, rules: HealthRules) -> None:
        """Terraform tells no health that rules of kinds could judge."""

    async def placements(self) -> tuple[PlacementRef, ...]:
        """Name the placements whose state was seen here: back-ends can't be asked which states they hold."""
        return tuple(sorted(ref for ref, one in self._placed.items() if one.pulled and not one.pulled.is_empty))

    # --- parts --------------------------------------------------------------------------------------------

    def _of(self, placement: PlacementRef) -> _Placed:
        placed = self._placed.get(placement)
        if placed is None:
            workspace = Workspace(self._spec, placement, self._surroundings, self._program, self._variables)
            key = ObjectKey("terraform", "Workspace", "", placement.application)
            placed = self._placed[placement] = _Placed(workspace, key)
        return placed

    async def _pull(self, placed: _Placed, placement: PlacementRef) -> Pulled:
        """Read the state. Raises Stalled where it is another placement's, or nobody knows where it is."""
        if placed.piece is None:
            if not placed.workspace.has_own_backend:
                raise Stalled(
                    f"{placement}: its back-end is named in files that git has no more, so that it can't be found. "
                    "Set `terraform.backend` of the target, or bring the files back and set `state: absent`"
                )
            placed.piece = bare_piece(placed.key)
        async with self._surroundings.slots:
            ready = await placed.workspace.prepare(placed.piece)
            pulled = await placed.workspace.pull(ready)
        stamp = pulled.stamp
        if stamp is not None and (
            stamp.placement != str(placement) or stamp.installation != mark_of(self._installation)
        ):
            raise Stalled(
                f"the state belongs to {stamp.placement} of installation {stamp.installation}. "
                "Give each application a state of its own, for example by ${application} in its key"
            )
        placed.pulled = pulled
        return pulled

    def _observation(self, placement: PlacementRef, placed: _Placed, pulled: Pulled) -> Observation:
        stamp = pulled.stamp
        objects: tuple[LiveObject, ...] = ()
        if not pulled.is_empty:
            checks = ", ".join(pulled.failed_checks)
            objects = (
                LiveObject(
                    key=placed.key,
                    uid=pulled.lineage,
                    digest=Digest(stamp.digest) if stamp else None,
                    health=Health.DEGRADED if checks else Health.HEALTHY,
                    health_reason=f"failed checks: {checks}" if checks else "",
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
        started = self._clock.monotonic()
        placed.looked = None
        placed.workspace.drop()
        piece = workpiece_of(desired) if desired.manifests else None
        if piece is not None:
            placed.piece = piece
        pulled = await self._pull(placed, desired.placement)
        async with self._surroundings.slots:
            if application.state is State.PRESENT:
                if piece is None:
                    raise Stalled(f"{desired.placement}: what was rendered names no Terraform workspace")
                plan, ways = await self._plan(placed, desired, piece, pulled)
            else:
                plan, ways = await self._plan_destroy(placed, desired, pulled)
        seconds = self._clock.monotonic() - started
        pause = self._pause(seconds)
        placed.looked = _Looked(desired.digest, application.state, plan, ways, self._clock.monotonic() + pause)
        self._wake_in(placed, desired.placement, pause)
        return placed.looked

    async def _plan(
        self, placed: _Placed, desired: Desired, piece: Workpiece, pulled: Pulled
    ) -> tuple[Plan, Mapping[Digest, _Way]]:
        placement = desired.placement
        stamp = stamp_of(piece, placement, self._installation)
        main = await placed.workspace.plan(piece, stamp)
        objects = self._objects(main, placed.key, pulled)
        before, placed.last = placed.last, (piece.desired, pulled.lineage, pulled.serial, objects)
        if before is not None and before[:3] == placed.last[:3] and unrepeated(before[3], objects):
            await self._clock.sleep(REPEAT_SECONDS)
            main = await placed.workspace.plan(piece, stamp)
            again = self._objects(main, placed.key, pulled)
            if field_name := unrepeated(objects, again):
                raise Stalled(
                    f"the plan can't repeat, so that nobody could approve it: {field_name} differs each time. "
                    "Keep what changes with time, such as plantimestamp(), out of it"
                )
            objects = again
        correction: Plan | None = None
        ways: dict[Digest, _Way] = {}
        if any(one.is_drifted for one in objects) and any(one.is_pending for one in objects):
            found = await self._plan_correction(placed, placement, pulled)
            if found is not None:
                correction, file = found
                ways[correction.hash] = _Way(correction, file)
        plan = plan_of(
            objects,
            self._circumstances(placement, main, pulled),
            revision=desired.revision,
            desired=desired.digest,
            key=self._plan_key,
            correction=correction,
        )
        return plan, {**ways, plan.hash: _Way(plan, main)}

    async def _plan_correction(
        self, placed: _Placed, placement: PlacementRef, pulled: Pulled
    ) -> tuple[Plan, Saved] | None:
        """Plan at what was applied last: what that would do is taking drift back, and nothing else.

        None where the state does not say what was applied, or where that plan would do more.
        """
        stamp = pulled.stamp
        applied = stamp.workpiece(placed.key) if stamp else None
        if stamp is None or applied is None:
            return None
        saved = await placed.workspace.plan(applied, stamp)
        objects = self._objects(saved, placed.key, pulled)
        if not any(one.is_drifted for one in objects) or any(one.is_pending for one in objects):
            return None
        plan = plan_of(
            objects,
            self._circumstances(placement, saved, pulled),
            revision=applied.revision,
            desired=applied.desired,
            key=self._plan_key,
        )
        return plan, saved

    async def _plan_destroy(
        self, placed: _Placed, desired: Desired, pulled: Pulled
    ) -> tuple[Plan, Mapping[Digest, _Way]]:
        """Plan the end of everything, from what was applied last: a folder that left git is no obstacle."""
        stamp: Stamp | None = pulled.stamp
        piece = (stamp.workpiece(placed.key) if stamp else None) or placed.piece or bare_piece(placed.key)
        objects: tuple[ObjectPlan, ...] = ()
        saved: Saved | None = None
        if not pulled.is_empty:
            saved = await placed.workspace.plan(piece, None, is_destroy=True)
            objects = tuple(one for one in self._objects(saved, placed.key, None) if one.key != placed.key)
            owner = ObjectPlan(key=placed.key, action=Action.DELETE, destroys="the workspace ends")
            objects = (owner, *objects)
        circumstances = (
            replace(self._circumstances(desired.placement, saved, pulled), is_destroy=True)
            if saved
            else self._nothing(desired, pulled)
        )
        plan = plan_of(objects, circumstances, revision=desired.revision, desired=desired.digest, key=self._plan_key)
        return plan, {plan.hash: _Way(plan, saved)} if saved is not None else {}

    def _objects(self, saved: Saved, owner: ObjectKey, pulled: Pulled | None) -> tuple[ObjectPlan, ...]:
        today = self._clock.now().date()
        objects = objects_of(
            saved.document,
            owner,
            self._plan_key,
            self._spec.ignore,
            today=today,
            is_unmoved=pulled is not None and self._is_unmoved(saved, pulled.stamp),
        )
        if self._spec.on_destroy is OnDestroy.AUTO:
            return tuple(replace(one, destroys="") for one in objects)
        return objects

    def _is_unmoved(self, saved: Saved, stamp: Stamp | None) -> bool:
        """Tell whether a plan was made from the very inputs of the last apply: then nothing on our side moved."""
        if stamp is None:
            return False
        made_by = (str(self._program), dict(saved.ready.providers))
        return saved.ready.piece.desired == stamp.desired and (stamp.tool, stamp.providers) == made_by

    def _circumstances(self, placement: PlacementRef, saved: Saved, pulled: Pulled) -> Circumstances:
        piece = saved.ready.piece
        return Circumstances(
            placement=placement,
            inputs=piece.inputs,
            digest=piece.digest,
            tool=str(self._program),
            providers=saved.ready.providers,
            lineage=pulled.lineage,
        )

    def _nothing(self, desired: Desired, pulled: Pulled) -> Circumstances:
        return Circumstances(
            placement=desired.placement,
            inputs=desired.inputs,
            digest=desired.digest,
            tool=str(self._program),
            providers={},
            lineage=pulled.lineage,
            is_destroy=True,
        )

    async def _apply(self, placed: _Placed, plan: Permitted, saved: Saved, application: Application) -> Applied:
        is_whole = placed.looked is not None and placed.looked.plan.hash == plan.hash
        placed.pulled = None  # whatever comes of it, the state is another one
        placed.looked = None
        try:
            told, error = await placed.workspace.apply(saved)
        except ConvergeError as failure:
            return Applied((), failure)
        finally:
            placed.workspace.drop()
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
        placed.piece = None
        if placed.timer is not None:
            placed.timer.cancel()

    def _pause(self, seconds: float) -> float:
        """Say how long to wait until the next look: the interval, jittered by a tenth; rarer for what takes long."""
        interval = self._spec.interval_seconds + SLOWEST * seconds
        return max(SHORTEST_SECONDS, interval * (0.9 + 0.2 * self._chance()))

    def _wake_in(self, placed: _Placed, placement: PlacementRef, seconds: float) -> None:
        if placed.timer is not None:
            placed.timer.cancel()
        placed.timer = asyncio.get_running_loop().call_later(seconds, self._changed, placement)
