"""What could be done for one placement, and by which saved plan: as git says, back to what was applied, or the end.

Whoever calls sees to it that no two run at once, and that there is room in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from controller.model import (
    Action,
    Desired,
    Digest,
    InstallationId,
    ObjectKey,
    ObjectPlan,
    OnDestroy,
    PlacementRef,
    Plan,
    Secret,
    Stalled,
    TerraformTarget,
)
from controller.runtime import Clock
from controller.targets.terraform.keeping import OpenSession, unkept
from controller.targets.terraform.reading import Circumstances, objects_of, plan_of, unrepeated
from controller.targets.terraform.source import Stamp, Workpiece, mark_of, stamp_of, workpiece_of
from controller.targets.terraform.state import Pulled
from controller.targets.terraform.surroundings import Surroundings
from controller.targets.terraform.tool import Program
from controller.targets.terraform.workspace import Saved, Workspace, bare_piece

REPEAT_SECONDS: Final = 1.1  # times in plans are told in seconds: a later one must show


@dataclass(frozen=True, slots=True)
class Way:
    """Something that can be applied: what it does, and the file that does it."""

    plan: Plan
    saved: Saved

    def is_permitted(self, permitted: Plan) -> bool:
        """Tell whether all that the file would do is permitted: terraform applies a file whole."""
        return _acts(self.plan) == _acts(permitted)


def _acts(plan: Plan) -> Mapping[ObjectKey, Action]:
    return {one.key: one.action for one in plan.objects if one.action is not Action.NOTHING}


@dataclass(frozen=True, slots=True)
class Choice:
    """A plan, the state that it was made of, and the ways by their hash: the plan itself, and its correction."""

    plan: Plan
    pulled: Pulled
    ways: Mapping[Digest, Way]


@dataclass(frozen=True, slots=True)
class Means:
    """What all placements of one target plan with."""

    spec: TerraformTarget
    installation: InstallationId
    program: Program
    surroundings: Surroundings
    variables: Callable[[], Mapping[str, Secret]]
    plan_key: Secret
    clock: Clock
    session: Callable[[PlacementRef], OpenSession] = lambda _placement: unkept


class Planner:
    """Reads one placement's state and makes its plans."""

    def __init__(self, placement: PlacementRef, means: Means) -> None:
        self._placement = placement
        self._means = means
        self._piece: Workpiece | None = None  # of the last desired state, or the bare one
        self._last: tuple[Digest, str, int, tuple[ObjectPlan, ...]] | None = None  # what was planned, of which state
        self.key = ObjectKey("terraform", "Workspace", "", placement.application)
        self.workspace = Workspace(
            means.spec, placement, means.surroundings, means.program, means.variables, means.session(placement)
        )

    def aim(self, desired: Desired) -> None:
        """Take the workspace's files from a desired state, where it has some: the module may say where its state is."""
        if desired.manifests:
            self._piece = workpiece_of(desired)

    def forget(self) -> None:
        """After the end of everything nothing is known of it."""
        self._piece = None

    async def pull(self) -> Pulled:
        """Read the state. Raises Stalled where it is another placement's, or nobody knows where it is."""
        if self._piece is None:
            if not self.workspace.has_own_backend:
                raise Stalled(
                    f"{self._placement}: its back-end is named in files that git has no more, so that it can't be "
                    "found. Set `terraform.backend` of the target, or bring the files back and set `state: absent`"
                )
            self._piece = bare_piece(self.key)
        ready = await self.workspace.prepare(self._piece)
        return self._own(await self.workspace.pull(ready))

    async def plan(self, desired: Desired) -> Choice:
        """Say what git wants done. Raises ConvergeErrors."""
        if not desired.manifests:
            raise Stalled(f"{self._placement}: what was rendered names no Terraform workspace")
        piece = self._piece = workpiece_of(desired)
        stamp = stamp_of(piece, self._placement, self._means.installation)
        main, pulled = await self.workspace.look(piece, stamp)
        self._own(pulled)
        objects = self._objects(main, pulled)
        before, self._last = self._last, (piece.desired, pulled.lineage, pulled.serial, objects)
        if before is not None and before[:3] == self._last[:3] and unrepeated(before[3], objects):
            main, objects = await self._again(piece, stamp, pulled, objects)
        correction = None
        if any(one.is_drifted for one in objects) and any(one.is_pending for one in objects):
            correction = await self._correction(pulled)
        plan = plan_of(
            objects,
            self._circumstances(main, pulled),
            revision=desired.revision,
            desired=desired.digest,
            key=self._means.plan_key,
            correction=correction.plan if correction else None,
        )
        ways = {one.plan.hash: one for one in (correction, Way(plan, main)) if one is not None}
        return Choice(plan, pulled, ways)

    async def plan_destroy(self, desired: Desired) -> Choice:
        """Plan the end of everything, from what was applied last: a folder that left git is no obstacle."""
        pulled = await self.pull()
        piece = (pulled.stamp.workpiece(self.key) if pulled.stamp else None) or self._piece or bare_piece(self.key)
        if pulled.is_empty:
            return Choice(self._plan_of_nothing(desired, pulled), pulled, {})
        saved = await self.workspace.plan(piece, None, is_destroy=True)
        owner = ObjectPlan(key=self.key, action=Action.DELETE, destroys="the workspace ends")
        objects = (owner, *(one for one in self._objects(saved, None) if one.key != self.key))
        circumstances = replace(self._circumstances(saved, pulled), is_destroy=True)
        key = self._means.plan_key
        plan = plan_of(objects, circumstances, revision=desired.revision, desired=desired.digest, key=key)
        return Choice(plan, pulled, {plan.hash: Way(plan, saved)})

    async def _again(
        self, piece: Workpiece, stamp: Stamp, pulled: Pulled, first: tuple[ObjectPlan, ...]
    ) -> tuple[Saved, tuple[ObjectPlan, ...]]:
        """Plan once more what came out other than the last time. Raises Stalled where it does so again."""
        await self._means.clock.sleep(REPEAT_SECONDS)
        saved = await self.workspace.plan(piece, stamp)
        objects = self._objects(saved, pulled)
        if field_name := unrepeated(first, objects):
            raise Stalled(
                f"the plan can't repeat, so that nobody could approve it: {field_name} differs each time. "
                "Keep what changes with time, such as plantimestamp(), out of it"
            )
        return saved, objects

    async def _correction(self, pulled: Pulled) -> Way | None:
        """Plan at what was applied last: what that would do is taking drift back, and nothing else.

        None where the state does not say what was applied, or where that plan would do more.
        """
        stamp = pulled.stamp
        applied = stamp.workpiece(self.key) if stamp else None
        if stamp is None or applied is None:
            return None
        saved = await self.workspace.plan(applied, stamp)
        objects = self._objects(saved, pulled)
        if not any(one.is_drifted for one in objects) or any(one.is_pending for one in objects):
            return None
        plan = plan_of(
            objects,
            self._circumstances(saved, pulled),
            revision=applied.revision,
            desired=applied.desired,
            key=self._means.plan_key,
        )
        return Way(plan, saved)

    def _own(self, pulled: Pulled) -> Pulled:
        """Give a state that is this placement's. Raises Stalled for another's."""
        stamp = pulled.stamp
        ours = (str(self._placement), mark_of(self._means.installation))
        if stamp is not None and (stamp.placement, stamp.installation) != ours:
            raise Stalled(
                f"the state belongs to {stamp.placement} of installation {stamp.installation}. "
                "Give each application a state of its own, for example by ${application} in its key"
            )
        return pulled

    def _objects(self, saved: Saved, pulled: Pulled | None) -> tuple[ObjectPlan, ...]:
        spec = self._means.spec
        objects = objects_of(
            saved.document,
            self.key,
            self._means.plan_key,
            spec.ignore,
            today=self._means.clock.now().date(),
            is_unmoved=pulled is not None and self._is_unmoved(saved, pulled.stamp),
        )
        if spec.on_destroy is OnDestroy.AUTO:
            return tuple(replace(one, destroys="") for one in objects)
        return objects

    def _is_unmoved(self, saved: Saved, stamp: Stamp | None) -> bool:
        """Tell whether a plan was made from the very inputs of the last apply: then nothing on our side moved."""
        if stamp is None:
            return False
        made_by = (str(self._means.program), dict(saved.ready.providers))
        return saved.ready.piece.desired == stamp.desired and (stamp.tool, stamp.providers) == made_by

    def _circumstances(self, saved: Saved, pulled: Pulled) -> Circumstances:
        piece = saved.ready.piece
        return Circumstances(
            placement=self._placement,
            inputs=piece.inputs,
            digest=piece.digest,
            tool=str(self._means.program),
            providers=saved.ready.providers,
            lineage=pulled.lineage,
        )

    def _plan_of_nothing(self, desired: Desired, pulled: Pulled) -> Plan:
        circumstances = Circumstances(
            placement=self._placement,
            inputs=desired.inputs,
            digest=desired.digest,
            tool=str(self._means.program),
            providers={},
            lineage=pulled.lineage,
            is_destroy=True,
        )
        return plan_of((), circumstances, revision=desired.revision, desired=desired.digest, key=self._means.plan_key)
