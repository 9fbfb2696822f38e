"""Writing exactly what the gate permitted.

The plot of a run: the ApplySet parent learns every kind and namespace first. Then stage by stage: what could not be
preflighted before is now, all of a stage before its first write; its objects are written concurrently; nothing comes
after the first stage that fails, and each of its failures is reported. Definitions are waited for until the server
serves them, waves until the one before is healthy. Then the parent learns the revision; then, after health, what git no
longer says goes, in reverse order. A run that dies between any two requests leaves nothing that the next does not find.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from controller.model import (
    Action,
    Application,
    Applied,
    ConvergeError,
    Health,
    Manifest,
    ObjectKey,
    ObjectPlan,
    Permitted,
    Result,
    Stalled,
    State,
    Transient,
    Waiting,
)
from controller.targets.hooks import Phase, is_hook
from controller.targets.kubernetes.cache import Cache
from controller.targets.kubernetes.deleting import Deleter
from controller.targets.kubernetes.discovery import Discovery
from controller.targets.kubernetes.errors import combined
from controller.targets.kubernetes.inventory import Inventories, Inventory
from controller.targets.kubernetes.lease import Lease
from controller.targets.kubernetes.planning import JOB, SHARED, Planner, brought_kinds, coming_of, is_deferred
from controller.targets.kubernetes.pruning import leftovers
from controller.targets.kubernetes.running import Run, account_for_the_rest, is_complete
from controller.targets.kubernetes.stages import Stage, stages_of, turn_of
from controller.targets.kubernetes.waiting import Changes
from controller.targets.kubernetes.writing import Writer

FOUNDATION_SECONDS: Final = 60.0  # until a new definition is served, or a new namespace is there
SERVED_PAUSES: Final = (0.1, 0.4, 1.5, 5.0)  # seconds
READY: Final = frozenset({Health.HEALTHY, Health.SUSPENDED})


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
                await self._tell_failure(run)
                return
        await self._record(run)
        if not run.deletions:
            return
        if run.writes and not await self._is_healthy(run, run.awaited, "deletes nothing before it is healthy:"):
            return
        if await self._deleter.prune(run):
            await self._close(run)

    async def _tell_failure(self, run: Run) -> None:
        """Write the hooks that a failed sync has: once for each desired state, not for a hiccup or a newer commit."""
        hooks = run.plan.on_failure
        if not hooks or run.superseded.is_set() or all(isinstance(one, Transient) for one in run.failures):
            return
        await self._planner.follow(hooks)
        await self._inventories.update(
            run.plan.placement, lambda inventory: inventory.widened([one.key for one in hooks])
        )
        context = self._writer.context(run)
        for one in hooks:
            planned = ObjectPlan(key=one.key, action=Action.CREATE, manifest=one)
            looked = await self._writer.look(run, planned, context)
            result = looked if isinstance(looked, ConvergeError) else await self._written(run, looked)
            run.settle([planned], [result])

    async def _written(self, run: Run, one: ObjectPlan) -> Result | ConvergeError:
        return Result.UNCHANGED if one.action is Action.NOTHING else await self._writer.write(run, one)

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
                if earlier and not await self._is_healthy(run, earlier, f"{_spoken(turn)} waits for"):
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
            lambda: self._unhealthy(run, keys),
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

    async def _is_healthy(self, run: Run, manifests: Sequence[Manifest], what: str) -> bool:
        """Wait until objects are healthy; at the deadline say what is not, which is no failure of what was written."""
        keys = [one.key for one in manifests]
        seconds = run.application.sync.health_seconds
        hooks = frozenset(one.key for one in manifests if is_hook(one))
        text = await self._changes.until_met(
            run.plan.placement,
            lambda: "" if self._broken(run, hooks) else self._unhealthy(run, keys),
            deadline_seconds=seconds,
            superseded=run.superseded,
        )
        if broken := self._broken(run, hooks):
            run.failures.append(Stalled(f"{what} a hook that failed: {broken}"))
            return False
        if not text:
            return True
        if run.superseded.is_set():
            run.failures.append(Transient(f"{what} {text}; a newer commit ended the wait"))
        else:
            run.failures.append(Waiting(f"{what} {text} (for {seconds} s)"))
        return False

    def _unhealthy(self, run: Run, keys: Sequence[ObjectKey]) -> str:
        members = {one.key: one for one in self._cache.members(run.plan.placement)}
        finished = self._inventories.inventory(run.plan.placement).finished
        found = []
        for key in keys:
            member = members.get(key)
            if member is None and str(key) not in finished:
                found.append(f"{key}: Missing")
            elif member is not None and member.health not in READY:
                reason = f" ({member.health_reason})" if member.health_reason else ""
                found.append(f"{key}: {member.health}{reason}")
        return "; ".join(found)

    def _broken(self, run: Run, hooks: Collection[ObjectKey]) -> str:
        """Say which hooks failed: nothing mends them but another content."""
        members = self._cache.members(run.plan.placement) if hooks else ()
        found = [one for one in members if one.key in hooks and one.health is Health.DEGRADED]
        return "; ".join(f"{one.key} ({one.health_reason})" for one in found)

    async def _record(self, run: Run) -> None:
        """Say in the parent that the revision is applied, when all of it is; nothing where it says so already."""
        placement = run.plan.placement
        if not is_complete(run.plan) or run.application.state is not State.PRESENT:
            return
        members = self._cache.members(placement)
        keys = [one.key for one in run.manifests]
        digests = {str(one.key): one.digest for one in run.manifests if one.key.group_kind == JOB}

        def recorded(inventory: Inventory) -> Inventory:
            left = leftovers(keys, members, run.application, inventory)
            finished = {key: digest for key, digest in inventory.finished.items() if digests.get(key) == digest}
            named = replace(inventory, kept=left.kept, finished=finished, account=run.application.service_account)
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
