"""Writing exactly what the gate permitted.

The plot of a run: the ApplySet parent learns every kind and namespace first. Then stage by stage: what could not be
preflighted before is now, all of a stage before its first write; its objects are written concurrently; nothing comes
after the first stage that fails, and each of its failures is reported. Definitions are waited for until the server
serves them, waves until the one before is healthy. Then the parent learns the revision; then, after health, what git no
longer says goes, in reverse order. A run that dies between any two requests leaves nothing that the next does not find.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from controller.model import (
    Application,
    Applied,
    ConvergeError,
    ObjectKey,
    ObjectPlan,
    Permitted,
    Result,
    State,
    Waiting,
)
from controller.targets.hooks import Phase, endings_of, is_hook
from controller.targets.kubernetes.awaiting import HealthWaits
from controller.targets.kubernetes.cache import Cache
from controller.targets.kubernetes.deleting import Deleter
from controller.targets.kubernetes.discovery import Discovery
from controller.targets.kubernetes.errors import combined
from controller.targets.kubernetes.hook_running import Hooks
from controller.targets.kubernetes.inventory import Inventories, Inventory
from controller.targets.kubernetes.kept_hooks import pack_hooks
from controller.targets.kubernetes.lease import Lease
from controller.targets.kubernetes.planning import SHARED, Planner, brought_kinds, coming_of, is_deferred
from controller.targets.kubernetes.pruning import leftovers
from controller.targets.kubernetes.running import Run, account_for_the_rest, is_complete
from controller.targets.kubernetes.stages import Stage, stages_of, turn_of
from controller.targets.kubernetes.waiting import Changes
from controller.targets.kubernetes.writing import Writer

FOUNDATION_SECONDS: Final = 60.0  # until a new definition is served, or a new namespace is there
SERVED_PAUSES: Final = (0.1, 0.4, 1.5, 5.0)  # seconds


class Applier:
    """Applies plans to one cluster."""

    def __init__(
        self,
        planner: Planner,
        discovery: Discovery,
        cache: Cache,
        inventories: Inventories,
        lease: Lease,
        changes: Changes,
    ) -> None:
        self._planner = planner
        self._discovery = discovery
        self._cache = cache
        self._inventories = inventories
        self._lease = lease
        self._changes = changes
        self._writer = Writer(planner, discovery, cache, inventories, lease, changes)
        self._deleter = Deleter(planner, discovery, cache, lease, changes)
        self._waits = HealthWaits(cache, inventories, changes)
        self._hooks = Hooks(planner, cache, inventories, self._writer, self._deleter, self._waits)

    async def apply(self, plan: Permitted, application: Application, *, superseded: asyncio.Event) -> Applied:
        """Write a plan, and say what became of each object of it."""
        application = self._planner.authorized(plan.placement, application)
        marks = self._planner.marks(plan.placement, plan.neighbours)
        run = Run(plan, application, marks, superseded)
        try:
            if not self._is_done(run):
                async with self._lease.held():
                    await self._run(run)
        except ConvergeError as error:
            run.failures.append(error)
        account_for_the_rest(run)
        return Applied(tuple(run.outcomes), combined(run.failures) if run.failures else None)

    def _is_done(self, run: Run) -> bool:
        """Tell whether there is nothing to write, the parent included: then not even the Lease is asked for."""
        if run.writes or run.deletions:
            return False
        if not is_complete(run.plan):
            return True
        inventory = self._inventories.inventory(run.plan.placement)
        members = self._cache.members(run.plan.placement)
        return inventory.digest == run.plan.desired and not inventory.has_loose_ends(one.key for one in members)

    async def _run(self, run: Run) -> None:
        if run.writes:
            await self._announce(run)
            await self._write_stages(run)
            if run.failures:
                await self._end_hooks(run)
                await self._hooks.tell_failure(run)
                return
        await self._record(run)
        if run.writes and not await self._end_hooks(run):
            return
        if not run.deletions:
            return
        if run.writes and not await self._waits.is_healthy(run, run.awaited, "deletes nothing before it is healthy:"):
            return
        if await self._prune(run):
            await self._close(run)

    async def _prune(self, run: Run) -> bool:
        """Delete what the plan says, between the hooks of a deletion where all of the placement goes."""
        parent = self._planner.parent(run.plan.placement)
        is_last = any(one.key == parent for one in run.deletions)
        if not is_last or any(one.objection and one.manifest is None for one in run.plan.objects):
            return await self._deleter.prune(run)
        before, after = run.plan.before_delete, run.plan.after_delete
        if not await self._hooks.run(run, before, "deletes nothing before"):
            return False
        if not await self._deleter.prune(run, staying={one.key for one in (*before, *after)}):
            return False
        if not await self._hooks.run(run, after, "is gone but for"):
            return False
        return await self._hooks.clear(run, (*before, *after)) and await self._deleter.is_gone(run)

    async def _end_hooks(self, run: Run) -> bool:
        """Wait for the hooks that are to go when they ended, and take them away: the next run does not know of them."""
        ending = [one for one in run.awaited if endings_of(one) and is_hook(one)]
        if not ending:
            return True
        if not run.failures:
            await self._waits.is_healthy(run, ending, "waits for")
        return await self._hooks.end(run, ending) and not run.failures

    async def _announce(self, run: Run) -> None:
        """Name in the parent what is about to be written, before the first of it is."""
        keys = [one.key for one in run.writes if one.manifest and one.manifest.digest != SHARED]
        self._lease.check()
        account = run.application.service_account
        await self._inventories.update(
            run.plan.placement, lambda inventory: inventory.widened(keys).written_by(account)
        )

    async def _write_stages(self, run: Run) -> None:
        waited_for: set[tuple[int, int]] = set()
        for stage in stages_of(run.writes):
            if run.is_superseded():
                return
            turn = stage.place.turn
            if not stage.is_foundation and turn not in waited_for:
                waited_for.add(turn)
                earlier = [one for one in run.awaited if turn_of(one) < turn]
                if earlier and not await self._waits.is_healthy(run, earlier, f"{_spoken(turn)} waits for"):
                    return
            objects = await self._preflight(run, stage)
            if run.failures:
                return
            results = await asyncio.gather(*(self._writer.write(run, one) for one in objects))
            if not run.settle(objects, results):
                return
            if stage.is_foundation:
                await self._settle_foundation(run, stage)

    async def _preflight(self, run: Run, stage: Stage) -> tuple[ObjectPlan, ...]:
        """Look at what the plan could not look at, all of it before the stage's first write."""
        if stage.is_foundation or not run.application.sync.preflight:
            return stage.objects
        coming = coming_of(run.plan.objects, run.manifests)
        deferred = [one for one in stage.objects if is_deferred(one.key, coming)]
        if not deferred:
            return stage.objects
        context = self._writer.context(run)
        looked = await asyncio.gather(*(self._writer.look(run, one, context) for one in deferred))
        found: dict[ObjectKey, ObjectPlan] = {}
        for one, result in zip(deferred, looked, strict=True):
            if isinstance(result, ConvergeError):
                run.fail(one.key, result)
            else:
                found[one.key] = result
        return tuple(found.get(one.key, one) for one in stage.objects)

    async def _settle_foundation(self, run: Run, stage: Stage) -> None:
        """Wait until new namespaces are there and new definitions are served, and watch the new kinds."""
        keys = [one.key for one in stage.objects if one.manifest and one.manifest.digest != SHARED]
        text = await self._changes.until_met(
            run.plan.placement,
            lambda: self._waits.unhealthy(run, keys),
            deadline_seconds=FOUNDATION_SECONDS,
            superseded=run.superseded,
        )
        if text:
            run.failures.append(Waiting(f"waits for {text}"))
        elif any(key.kind == "CustomResourceDefinition" for key in keys):
            await self._until_served(run)
            await self._planner.follow(run.manifests)

    async def _until_served(self, run: Run) -> None:
        """Wait until discovery tells of the new kinds: a moment after their definitions are Established."""
        brought = brought_kinds(run.manifests)
        wanted = {(one.api_version, one.key.kind) for one in run.manifests if one.key.group_kind in brought}
        for seconds in SERVED_PAUSES:
            await self._discovery.refresh()
            try:
                for api_version, kind in sorted(wanted):
                    await self._discovery.resource(api_version, kind)
            except Waiting:
                await asyncio.sleep(seconds)
            else:
                return

    async def _record(self, run: Run) -> None:
        """Say in the parent that the revision is applied, when all of it is; nothing where it says so already."""
        placement = run.plan.placement
        if not is_complete(run.plan) or run.application.state is not State.PRESENT:
            return
        members = self._cache.members(placement)
        keys = [one.key for one in run.manifests]
        hooks = pack_hooks(run.plan.before_delete, run.plan.after_delete)

        def recorded(inventory: Inventory) -> Inventory:
            left = leftovers(keys, members, run.application, inventory)
            has_ended = inventory.finished or inventory.failed
            digests = {str(one.key): one.digest for one in run.manifests} if has_ended else {}
            named = replace(
                inventory.jobs_among(digests),
                kept=left.kept,
                account=run.application.service_account,
                hooks=hooks,
            )
            if run.writes or inventory.digest != run.plan.desired:
                named = named.applied(run.plan.revision, run.plan.desired, keys)
            return named.narrowed([*keys, *(one.key for one in members)])

        self._lease.check()
        await self._inventories.update(placement, recorded)

    async def _close(self, run: Run) -> None:
        """After a prune: forget the kinds that are gone, or the parent itself with the last member."""
        placement = run.plan.placement
        parent = self._planner.parent(placement)
        self._lease.check()
        if any(one.key == parent for one in run.deletions):
            await self._inventories.remove(placement)
            run.say(parent, Result.PRUNED)
            return
        members = self._cache.members(placement)
        keys = [*(one.key for one in run.manifests), *(one.key for one in members)]
        await self._inventories.update(placement, lambda inventory: inventory.narrowed(keys))


def _spoken(turn: tuple[int, int]) -> str:
    phase, wave = turn
    return f"wave {wave}" if phase == Phase.ORDINARY else f"hook {Phase(phase).name.lower()}"
