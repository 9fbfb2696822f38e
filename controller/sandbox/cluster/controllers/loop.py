"""One queue of names for all controllers: an event puts its object and its owners in, the loop treats them in turn.

No controller sleeps or polls; what must happen after a time (a progress deadline, a finished job's end) is a timer of
the event loop that puts a name in. Each reconcile is synchronous, so it sees and leaves a consistent state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from controller.sandbox.cluster.controllers import (
    claims,
    daemons,
    definitions,
    deployments,
    disruptions,
    garbage,
    jobs,
    namespaces,
    pods,
    replicas,
    services,
    statefuls,
)
from controller.sandbox.cluster.controllers.control import Control, Key, Object, is_leaving
from controller.sandbox.cluster.deletion import NAMESPACES
from controller.sandbox.cluster.objects import Objects
from controller.sandbox.cluster.refusals import Refused
from controller.sandbox.cluster.store import Change

PODS, BUDGETS = ("", "pods"), ("policy", "poddisruptionbudgets")
Reconcile = Callable[[Control, Object], None]
RECONCILERS: Mapping[str, Reconcile] = {
    "CustomResourceDefinition": definitions.reconcile,
    "DaemonSet": daemons.reconcile,
    "Deployment": deployments.reconcile,
    "Job": jobs.reconcile,
    "Namespace": namespaces.reconcile,
    "PersistentVolumeClaim": claims.reconcile,
    "Pod": pods.reconcile,
    "PodDisruptionBudget": disruptions.reconcile,
    "ReplicaSet": replicas.reconcile,
    "Service": services.reconcile,
    "StatefulSet": statefuls.reconcile,
}


class Loop:
    """Runs the controllers of one cluster. `run` ends only by cancellation."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._queue: dict[Key, None] = {}  # an ordered set: a name waits once
        self._wake = asyncio.Event()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._garbage = garbage.Collector(objects, self._put)
        self._control = Control(objects, self._later, self._garbage.dependents)
        self._stop = objects.store.listen(self._hear)

    async def run(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    key = next(iter(self._queue))
                    del self._queue[key]
                    self._treat(key)
                    await asyncio.sleep(0)  # requests come between
        finally:
            self._stop()
            for timer in self._timers.values():
                timer.cancel()

    def _put(self, key: Key) -> None:
        self._queue[key] = None
        self._wake.set()

    def _later(self, seconds: float, key: Key) -> None:
        """Put a name in after a time; of two times for one name the sooner holds."""
        loop = asyncio.get_running_loop()
        waiting = self._timers.get(key)
        if waiting and not waiting.cancelled() and waiting.when() > loop.time():
            if waiting.when() <= loop.time() + seconds:
                return
            waiting.cancel()
        self._timers[key] = loop.call_later(seconds, self._put, key)

    def _hear(self, change: Change) -> None:
        kind = self._objects.registry.by_key(change.resource)
        if kind is None:
            return
        self._garbage.hear(kind, change)
        namespace = change.name[0]
        self._put((kind.kind if kind.is_builtin else "", *change.name))
        for body in (change.new, change.old or {}):
            for owner in body.get("metadata", {}).get("ownerReferences", ()):
                self._put((owner["kind"], namespace, owner["name"]))
        if kind.is_namespaced and (change.is_deletion or change.old is None):
            within = self._objects.store.get(NAMESPACES, ("", namespace))
            if within and is_leaving(within):
                self._put(("Namespace", "", namespace))
        if kind.key == PODS:
            self._hear_pod(namespace, change)
        if not kind.is_builtin and change.is_deletion:
            self._put(("CustomResourceDefinition", "", kind.resource))

    def _hear_pod(self, namespace: str, change: Change) -> None:
        """A pod counts in its budgets, and holds its claims until it is gone."""
        for budget in self._objects.store.all(BUDGETS, namespace):
            self._put(("PodDisruptionBudget", namespace, budget["metadata"]["name"]))
        for volume in change.new["spec"].get("volumes", ()) if change.is_deletion else ():
            if "persistentVolumeClaim" in volume:
                self._put(("PersistentVolumeClaim", namespace, volume["persistentVolumeClaim"]["claimName"]))

    def _treat(self, key: Key) -> None:
        try:
            if key[0] == garbage.GARBAGE:
                self._garbage.treat(key)
            elif (reconcile := RECONCILERS.get(key[0])) and (body := self._control.get(*key)) is not None:
                reconcile(self._control, body)
        except Refused:
            # A namespace that ends takes nothing more, and a user's object may have a name that we would give: the real
            # controllers say so in an Event and wait for the next change, as we do.
            return
