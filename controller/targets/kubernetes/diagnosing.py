"""Why a workload does not become healthy, in one line: from its pods, else from its events, read only then.

A workload's own status says how many pods are missing, not why. One that is not healthy after some seconds has its pods
listed, a few times and ever later; what they say stands behind the workload's own reason until it is healthy. Nobody is
asked for one that is healthy, or that its own controller has not seen yet, and who may not list pods is told less.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import orjson

from controller.model import ConvergeError, Health, PlacementRef
from controller.runtime import Clock
from controller.targets.kubernetes.connection import Connection, Request
from controller.targets.kubernetes.health import health
from controller.targets.kubernetes.members import Member

OBSERVED: Final = frozenset({"DaemonSet.apps", "Deployment.apps", "ReplicaSet.apps", "StatefulSet.apps"})
WORKLOADS: Final = OBSERVED | {"Job.batch"}
UNWELL: Final = frozenset({Health.PROGRESSING, Health.DEGRADED})
LOOKS: Final = (10.0, 20.0, 60.0, 300.0)  # seconds before each look at one that goes on being unwell
AT_ONCE: Final = 2  # a rollout of a thousand workloads shall not become a thousand requests at once
MOST: Final = ("limit", "50")  # pods or events of one workload


class _Unwell(NamedTuple):
    """A workload that is to be looked into: what was seen of it last is looked up when its time comes."""

    due: float  # monotonic seconds
    uid: str
    since: int  # of its illnesses the number: one that was well meanwhile has a turn of its own


class Diagnoser:
    """Looks into the workloads of one cluster. `told` is called for a placement of which more is known.

    Whoever waits for the same look waits equally long: a queue and a task for each look, however many are unwell.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Clock,
        start: Callable[[Coroutine[None, None, None]], None],
        told: Callable[[PlacementRef], None],
        looks: Iterable[float] = LOOKS,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._start = start
        self._told = told
        self._looks = tuple(looks)
        self._waiting: tuple[deque[_Unwell], ...] = tuple(deque() for _ in self._looks)
        self._places = asyncio.Semaphore(AT_ONCE)
        self._why: dict[str, str] = {}  # by uid
        self._looking: dict[str, tuple[int, Member]] = {}  # by uid: since which illness, and as last seen
        self._illnesses = 0

    def diagnosis(self, member: Member) -> str:
        """Say why a member is unwell, "" where that is not known; has it looked into."""
        if member.key.group_kind not in WORKLOADS:
            return ""
        known = self._looking.get(member.uid)
        if member.health not in UNWELL:
            self._why.pop(member.uid, None)
            self._looking.pop(member.uid, None)
            return ""
        if known is None:
            self._illnesses += 1
            self._await(0, member.uid, self._illnesses)
        self._looking[member.uid] = (known[0] if known else self._illnesses, member)
        return self._why.get(member.uid, "")

    def _await(self, look: int, uid: str, since: int) -> None:
        """Queue a workload for a look, and have the queue worked off where nobody does."""
        if look == len(self._looks):
            return
        queue = self._waiting[look]
        queue.append(_Unwell(self._clock.monotonic() + self._looks[look], uid, since))
        if len(queue) == 1:
            self._start(self._look_into(look))

    async def _look_into(self, look: int) -> None:
        """Work a queue off: until it is empty, the first in it is the one whose turn it is."""
        queue = self._waiting[look]
        while queue:
            one = queue[0]
            if (seconds := one.due - self._clock.monotonic()) > 0:
                await self._clock.sleep(seconds)
            since, member = self._looking.get(one.uid, (0, None))
            if member is not None and since == one.since:  # else it is well, or was meanwhile
                why = await self._asked(member)
                if why is not None and why != self._why.get(one.uid, "") and one.uid in self._looking:
                    self._why[one.uid] = why
                    self._told(member.placement)
                self._await(look + 1, one.uid, since)
            queue.popleft()

    async def _asked(self, member: Member) -> str | None:
        """Ask about a member; None where there is nothing to ask about yet, or nobody who answers."""
        live = member.live()
        if not is_observed(member.key.group_kind, live):
            return None
        try:
            async with self._places:
                return await diagnosed(self._connection, live)
        except ConvergeError:
            return None


def is_observed(group_kind: str, live: Mapping[str, Any]) -> bool:
    """Tell whether a workload's controller has seen it as it is: before that its pods are not of this version. Pure."""
    if group_kind not in OBSERVED:
        return True
    seen = (live.get("status") or {}).get("observedGeneration", 0)
    return bool(seen >= live["metadata"].get("generation", 0))


async def diagnosed(connection: Connection, live: Mapping[str, Any]) -> str:
    """Say why a workload is unwell; "" where neither its pods nor its events tell."""
    metadata = live["metadata"]
    namespace = f"/api/v1/namespaces/{metadata['namespace']}"
    selector = ",".join(f"{name}={value}" for name, value in _labels(live).items())
    pods = await _items(connection, f"{namespace}/pods", ("labelSelector", selector)) if selector else []
    why = reason_of_pods(pods)
    if why:
        return why
    fields = f"involvedObject.uid={quote(metadata['uid'])},type=Warning"
    return reason_of_events(await _items(connection, f"{namespace}/events", ("fieldSelector", fields)))


def _labels(live: Mapping[str, Any]) -> Mapping[str, str]:
    selector = (live.get("spec") or {}).get("selector") or {}
    return selector.get("matchLabels") or {}


async def _items(connection: Connection, path: str, selector: tuple[str, str]) -> list[dict[str, Any]]:
    answer = await connection.send(Request("GET", path, (selector, MOST)))
    if answer.status != 200:
        return []
    return list(orjson.loads(answer.body).get("items") or ())


def reason_of_pods(pods: Iterable[Mapping[str, Any]]) -> str:
    """Give the worst that pods of a workload say: what fails before what waits. Pure."""
    waiting = ""
    for pod in sorted(
        pods, key=lambda one: str((one.get("metadata") or {}).get("creationTimestamp", "")), reverse=True
    ):
        state, why = health({"apiVersion": "v1", "kind": "Pod", **pod})
        if state is Health.DEGRADED:
            return f"pod {pod['metadata']['name']}: {why}"
        conditions = (pod.get("status") or {}).get("conditions") or ()
        unscheduled = any(one.get("type") == "PodScheduled" and one.get("status") == "False" for one in conditions)
        if unscheduled and not waiting:
            waiting = f"pod {pod['metadata']['name']} can't be scheduled: {why}"
    return waiting


def reason_of_events(events: Iterable[Mapping[str, Any]]) -> str:
    """Give the newest warning about a workload: a quota, an admission, an account that is not there. Pure."""
    newest = max(events, key=lambda one: str(one.get("lastTimestamp") or one.get("eventTime") or ""), default=None)
    if newest is None:
        return ""
    return f"{newest.get('reason', '')}: {' '.join(str(newest.get('message', '')).split())}"
