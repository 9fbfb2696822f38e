"""One writer per target (rule 13): a Lease beside the ApplySet parents, held while something is written.

Taken with the first write of a burst, renewed while there are writers, given back when none came for a while: idle
costs nothing. Time is measured by our own monotonic clock only, as client-go does: another holder has gone when its
Lease did not change for its whole duration *since we saw it*. A holder that is a dead process of this very machine is
not waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import orjson

from controller.model import ConvergeError, InstallationId, ObjectKey, Transient
from controller.runtime import Clock
from controller.targets.kubernetes.connection import JSON, Connection, Request, Response
from controller.targets.kubernetes.errors import refusal
from controller.targets.kubernetes.inventory import BY_MANAGER, create_system_namespace
from controller.targets.kubernetes.labels import SYSTEM_NAMESPACE
from controller.targets.kubernetes.status import is_missing_namespace, is_modified, read_status

DURATION_SECONDS: Final = 15
RENEW_SECONDS: Final = 5.0
LINGER_SECONDS: Final = 5.0  # how long it is kept after the last writer left: the next burst finds it held
LOOK_SECONDS: Final = 1.0  # how often another's Lease is looked at while we wait for it
SAFETY_SECONDS: Final = 2.0  # nothing is written in the last moments of a Lease that could not be renewed


def my_identity() -> str:
    """Say which process we are: host, boot, process namespace, process and a mark of this start."""
    return "_".join((socket.gethostname(), _machine(), str(os.getpid()), uuid4().hex[:8]))


def _machine() -> str:
    """Identify what process ids mean here, "" where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot[:8]}.{Path('/proc/self/ns/pid').readlink().name.strip('pid:[]')}"
    except OSError:
        return ""


def is_dead_neighbour(identity: str) -> bool:
    """Tell whether a holder is a process of this machine that runs no more. In doubt it is alive."""
    host, machine, process = [*identity.rsplit("_", 3), "", "", ""][:3]
    if host != socket.gethostname() or not machine or machine != _machine() or not process.isdigit():
        return False
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return state in {"Z", "X"}  # ended, and not yet collected by its parent


@dataclass(frozen=True, slots=True)
class Held:
    """A Lease as we saw it: of whoever holds it."""

    holder: str
    resource_version: str
    uid: str
    seconds: int
    transitions: int


class Lease:
    """`async with lease.held():` around every burst of writes; `run()` beside it renews and gives back.

    `target` is written `environment/target`: the same cluster under two names has two writers, who write other objects.
    Raises Transient when somebody else holds it and renews it.
    """

    def __init__(
        self,
        connection: Connection,
        installation: InstallationId,
        target: str,
        *,
        clock: Clock,
        identity: str,
        namespace: str = SYSTEM_NAMESPACE,
        is_dead: Callable[[str], bool] = is_dead_neighbour,
    ) -> None:
        name = f"converge-{hashlib.sha256(f'{installation} {target}'.encode()).hexdigest()[:32]}"
        self.key = ObjectKey("coordination.k8s.io", "Lease", namespace, name)
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._connection = connection
        self._clock = clock
        self._identity = identity
        self._is_dead = is_dead
        self._lock = asyncio.Lock()
        self._writers = 0
        self._last_used = 0.0
        self._mine: Held | None = None
        self._valid_until = 0.0
        self._taken = asyncio.Event()

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold it for the time of a block; many may at once, of this process."""
        self._writers += 1
        try:
            async with self._lock:
                if not self.is_valid:
                    await self._acquire()
            yield
        finally:
            self._writers -= 1
            self._last_used = self._clock.monotonic()

    @property
    def is_valid(self) -> bool:
        return self._mine is not None and self._clock.monotonic() < self._valid_until - SAFETY_SECONDS

    def check(self) -> None:
        """Say before a write that it is still ours. Raises Transient otherwise."""
        if not self.is_valid:
            raise Transient(f"{self.key} could not be renewed in time: writing stops until it is ours again")

    async def run(self) -> None:
        """Renew while there are writers, give back when they have gone; and once more on the way out."""
        try:
            while True:
                await self._taken.wait()
                await self._clock.sleep(RENEW_SECONDS)
                async with self._lock:
                    await self._renew_or_release()
        finally:
            async with self._lock:
                if self._mine is not None:
                    with contextlib.suppress(ConvergeError):
                        await asyncio.shield(self._release())

    async def _renew_or_release(self) -> None:
        is_idle = not self._writers and self._clock.monotonic() - self._last_used >= LINGER_SECONDS
        try:
            if is_idle:
                await self._release()
            elif self._mine is not None and not await self._put(self._mine, self._identity):
                self._forget()  # somebody took it over: `check` stops the writers
        except ConvergeError:
            if not self.is_valid:
                self._forget()

    def _forget(self) -> None:
        self._mine = None
        self._valid_until = 0.0
        self._taken.clear()

    async def _acquire(self) -> None:
        seen: Held | None = None
        seen_at = started = self._clock.monotonic()
        while True:
            found = await self._get()
            if found is None:
                if await self._create():
                    return
                continue
            if found != seen:
                seen, seen_at = found, self._clock.monotonic()
            is_over = self._clock.monotonic() - seen_at >= found.seconds
            if found.holder in {"", self._identity} or is_over or self._is_dead(found.holder):
                if await self._put(found, self._identity):
                    return
                continue
            if self._clock.monotonic() - started > found.seconds + LOOK_SECONDS:
                raise Transient(
                    f"{self.key}: {found.holder} is writing to this cluster", retry_after_seconds=found.seconds
                )
            await self._clock.sleep(LOOK_SECONDS)

    async def _release(self) -> None:
        mine = self._mine
        self._forget()
        if mine is not None:
            await self._put(mine, "")

    async def _get(self) -> Held | None:
        response = await self._connection.send(Request("GET", f"{self._collection}/{self.key.name}"))
        if response.status == 404:
            return None
        if response.status != 200:
            raise refusal(response, self.key)
        return _held(response.body)

    async def _create(self) -> bool:
        request = Request("POST", self._collection, (BY_MANAGER,), orjson.dumps(self._body(self._identity, 0)), JSON)
        began = self._clock.monotonic()
        response = await self._connection.send(request)
        if is_missing_namespace(response) == SYSTEM_NAMESPACE:
            await create_system_namespace(self._connection)
            return False
        if response.status == 409 and read_status(response).reason == "AlreadyExists":
            return False
        return self._taken_by(response, began)

    async def _put(self, found: Held, holder: str) -> bool:
        """Write who holds it; False when it moved since we looked."""
        body = self._body(holder, found.transitions + (holder != found.holder))
        body["metadata"] |= {"uid": found.uid, "resourceVersion": found.resource_version}
        request = Request("PUT", f"{self._collection}/{self.key.name}", (BY_MANAGER,), orjson.dumps(body), JSON)
        began = self._clock.monotonic()
        response = await self._connection.send(request)
        if is_modified(response) or response.status == 404:
            return False
        if not holder and response.status == 200:
            return True
        return self._taken_by(response, began)

    def _taken_by(self, response: Response, began: float) -> bool:
        if response.status not in {200, 201}:
            raise refusal(response, self.key)
        self._mine = _held(response.body)
        self._valid_until = began + DURATION_SECONDS
        self._taken.set()
        return True

    def _body(self, holder: str, transitions: int) -> dict[str, Any]:
        now = _micro_time(self._clock.now())
        spec: dict[str, Any] = {
            "holderIdentity": holder,
            "leaseDurationSeconds": DURATION_SECONDS if holder else 1,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }
        metadata = {"name": self.key.name, "namespace": self.key.namespace}
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def _held(body: bytes) -> Held:
    live = orjson.loads(body)
    spec, metadata = live.get("spec") or {}, live["metadata"]
    return Held(
        holder=spec.get("holderIdentity") or "",
        resource_version=metadata["resourceVersion"],
        uid=metadata["uid"],
        seconds=int(spec.get("leaseDurationSeconds") or DURATION_SECONDS),
        transitions=int(spec.get("leaseTransitions") or 0),
    )


def _micro_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
