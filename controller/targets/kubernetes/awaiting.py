"""Waiting for the health of what a run wrote, to the run's deadline."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from controller.model import Health, Manifest, ObjectKey, Stalled, Transient, Waiting
from controller.targets.hooks import is_hook
from controller.targets.kubernetes.cache import Cache
from controller.targets.kubernetes.inventory import Inventories
from controller.targets.kubernetes.running import Run
from controller.targets.kubernetes.waiting import Changes

READY: Final = frozenset({Health.HEALTHY, Health.SUSPENDED})


class HealthWaits:
    """Waits over one cluster's cache."""

    def __init__(self, cache: Cache, inventories: Inventories, changes: Changes) -> None:
        self._cache = cache
        self._inventories = inventories
        self._changes = changes

    async def is_healthy(self, run: Run, manifests: Sequence[Manifest], what: str) -> bool:
        """Wait until objects are healthy; at the deadline say what is not, which is no failure of what was written.

        A hook that failed ends the wait: nothing mends it but another content.
        """
        keys = [one.key for one in manifests]
        seconds = run.application.sync.health_seconds
        hooks = frozenset(one.key for one in manifests if is_hook(one))
        text = await self._changes.until_met(
            run.plan.placement,
            lambda: "" if self.broken(run, hooks) else self.unhealthy(run, keys),
            deadline_seconds=seconds,
            superseded=run.superseded,
        )
        if broken := self.broken(run, hooks):
            run.failures.append(Stalled(f"{what} a hook that failed: {broken}"))
            return False
        if not text:
            return True
        if run.superseded.is_set():
            run.failures.append(Transient(f"{what} {text}; a newer commit ended the wait"))
        else:
            run.failures.append(Waiting(f"{what} {text} (for {seconds} s)"))
        return False

    def unhealthy(self, run: Run, keys: Sequence[ObjectKey]) -> str:
        """Say which objects are not healthy yet. A Job that ran to its end and was taken away since is."""
        members = {one.key: one for one in self._cache.members(run.plan.placement)}
        inventory = self._inventories.inventory(run.plan.placement)
        found = []
        for key in keys:
            member = members.get(key)
            if member is None and str(key) not in inventory.finished:
                found.append(f"{key}: Missing")
            elif member is not None and member.health not in READY:
                reason = f" ({member.health_reason})" if member.health_reason else ""
                found.append(f"{key}: {member.health}{reason}")
        return "; ".join(found)

    def broken(self, run: Run, hooks: Collection[ObjectKey]) -> str:
        """Say which hooks failed, those included that were taken away since."""
        if not hooks:
            return ""
        members = {one.key: one for one in self._cache.members(run.plan.placement) if one.key in hooks}
        failed = self._inventories.inventory(run.plan.placement).failed
        here = [one for one in members.values() if one.health is Health.DEGRADED]
        gone = [key for key in sorted(hooks) if key not in members and str(key) in failed]
        return "; ".join((*(f"{one.key} ({one.health_reason})" for one in here), *map(str, gone)))
