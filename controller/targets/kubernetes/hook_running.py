"""Hooks beside the waves: those of a failed sync, those of a deletion, and the taking away of hooks that ended.

The plot of a deletion: the parent learns the kinds of the hooks before the first of them is written. They are written
stage by stage, each waited for. One that fails stops the deletion. Those of a deletion go with it, whatever they ask
for, since nobody is left to own them; others go when their delete policy says so, in the run that waited for them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from controller.model import Action, ConvergeError, Digest, Health, Manifest, ObjectPlan, Result, Transient
from controller.targets.hooks import Ending, endings_of, phase_of, runs_to_its_end
from controller.targets.kubernetes.awaiting import HealthWaits
from controller.targets.kubernetes.cache import Cache
from controller.targets.kubernetes.deleting import Deleter
from controller.targets.kubernetes.inventory import Inventories
from controller.targets.kubernetes.members import Member
from controller.targets.kubernetes.planning import Planner
from controller.targets.kubernetes.pruning import replacement_objection
from controller.targets.kubernetes.running import Run, manifest_of
from controller.targets.kubernetes.stages import stages_of
from controller.targets.kubernetes.writing import Writer


class Hooks:
    """Runs hooks on one cluster."""

    def __init__(
        self,
        planner: Planner,
        cache: Cache,
        inventories: Inventories,
        writer: Writer,
        deleter: Deleter,
        waits: HealthWaits,
    ) -> None:
        self._planner = planner
        self._cache = cache
        self._inventories = inventories
        self._writer = writer
        self._deleter = deleter
        self._waits = waits

    async def tell_failure(self, run: Run) -> None:
        """Write the hooks that a failed sync has: once for each desired state, not for a hiccup or a newer commit."""
        if run.superseded.is_set() or all(isinstance(one, Transient) for one in run.failures):
            return
        inventory = self._inventories.inventory(run.plan.placement)
        hooks = [one for one in run.plan.on_failure if not (inventory.has_run(one.key, one.digest) and endings_of(one))]
        if not hooks:
            return
        await self._announce(run, hooks)
        await self._write(run, [_creation(one) for one in hooks])
        ending = [one for one in hooks if endings_of(one)]
        if ending:
            await self._waits.is_healthy(run, ending, "failed, and waits for")
            await self.end(run, ending)

    async def run(self, run: Run, hooks: Sequence[Manifest], what: str) -> bool:
        """Write hooks of a deletion in their order, and wait for each; True when all of them did their work."""
        if not hooks:
            return True
        await self._announce(run, hooks)
        for stage in stages_of([_creation(one) for one in hooks]):
            if run.is_superseded() or not await self._write(run, stage.objects):
                return False
            written = [manifest_of(one) for one in stage.objects]
            if not await self._waits.is_healthy(run, written, what):
                return False
        return await self.end(run, hooks)

    async def clear(self, run: Run, hooks: Collection[Manifest]) -> bool:
        """Take away what is left of the hooks of a deletion."""
        keys = {one.key for one in hooks}
        return await self._delete(run, [one for one in self._cache.members(run.plan.placement) if one.key in keys])

    async def end(self, run: Run, hooks: Collection[Manifest]) -> bool:
        """Take away the hooks that ended as their policy names; the parent learns first that they were there.

        What runs to its end ended so by itself. Anything else succeeded when all of the run did, and failed when
        a hook of its phase did. What takes more than itself away stays, unless that was approved.
        """
        members = {one.key: one for one in self._cache.members(run.plan.placement) if one.digest is not None}
        broken = {phase_of(one) for one in hooks if _is_broken(members.get(one.key))}
        succeeded: dict[str, Member] = {}
        failed: dict[str, Member] = {}
        for one in hooks:
            member, endings = members.get(one.key), endings_of(one)
            if member is None or replacement_objection(one.key, run.application):
                continue
            if _is_broken(member) and Ending.FAILED in endings:
                failed[str(one.key)] = member
            elif _has_succeeded(member, run) and Ending.SUCCEEDED in endings:
                succeeded[str(one.key)] = member
            elif not runs_to_its_end(one.key) and phase_of(one) in broken and Ending.FAILED in endings:
                succeeded[str(one.key)] = member  # it did not fail itself: nothing waits for another content of it
        if not succeeded and not failed:
            return True
        await self._inventories.update(
            run.plan.placement, lambda inventory: inventory.with_jobs(_digests(succeeded), _digests(failed))
        )
        return await self._delete(run, [*succeeded.values(), *failed.values()])

    async def _announce(self, run: Run, hooks: Sequence[Manifest]) -> None:
        await self._planner.follow(hooks)
        keys = [one.key for one in hooks]
        await self._inventories.update(run.plan.placement, lambda inventory: inventory.widened(keys))

    async def _write(self, run: Run, planned: Sequence[ObjectPlan]) -> bool:
        context = self._writer.context(run)
        for one in planned:
            manifest = manifest_of(one)
            if one.key not in context.members and context.inventory.finished.get(str(one.key)) == manifest.digest:
                continue
            looked = await self._writer.look(run, one, context)
            result = looked if isinstance(looked, ConvergeError) else await self._written(run, looked)
            if not run.settle([one], [result]):
                return False
        return True

    async def _written(self, run: Run, one: ObjectPlan) -> Result | ConvergeError:
        return Result.UNCHANGED if one.action is Action.NOTHING else await self._writer.write(run, one)

    async def _delete(self, run: Run, members: Sequence[Member]) -> bool:
        planned = [
            ObjectPlan(key=one.key, action=Action.DELETE, uid=one.uid, resource_version=one.resource_version)
            for one in members
        ]
        return await self._deleter.delete(run, planned)


def _is_broken(member: Member | None) -> bool:
    return member is not None and member.health is Health.DEGRADED


def _has_succeeded(member: Member, run: Run) -> bool:
    return member.health is Health.HEALTHY and (runs_to_its_end(member.key) or not run.failures)


def _digests(members: Mapping[str, Member]) -> Mapping[str, Digest]:
    return {key: one.digest for key, one in members.items() if one.digest is not None}


def _creation(one: Manifest) -> ObjectPlan:
    return ObjectPlan(key=one.key, action=Action.CREATE, manifest=one)
