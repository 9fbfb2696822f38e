"""One Kubernetes cluster as a target: what the engine sees of this package."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from controller.model import (
    Application,
    Applied,
    Capabilities,
    ConvergeError,
    Desired,
    Digest,
    EnvironmentName,
    Health,
    HealthRules,
    InstallationId,
    KubernetesTarget,
    LiveObject,
    ObjectKey,
    Observation,
    Permitted,
    PlacementRef,
    Plan,
    Secret,
    Transient,
)
from controller.runtime import Clock, build_digest
from controller.targets.kubernetes.applying import Applier
from controller.targets.kubernetes.cache import CONFIG_MAPS, Cache, Member
from controller.targets.kubernetes.connection import Connection
from controller.targets.kubernetes.credentials import LoginSource
from controller.targets.kubernetes.diagnosing import Diagnoser
from controller.targets.kubernetes.discovery import Discovery
from controller.targets.kubernetes.handover import read_annotation
from controller.targets.kubernetes.identity import Identity
from controller.targets.kubernetes.inventory import Inventories, Inventory
from controller.targets.kubernetes.lease import Lease, my_identity
from controller.targets.kubernetes.planning import Planner
from controller.targets.kubernetes.reach import Reach
from controller.targets.kubernetes.verdicts import NO_VERDICTS, Verdicts
from controller.targets.kubernetes.waiting import Changes

CAPABILITIES_SECONDS: Final = 600.0
PLANS: Final = 16  # made at once: what more would do is wait for room, and hold what they have read
TAKE_UP_SECONDS: Final = 120.0  # a plug-in may be asked for a login
TORN_SECONDS: Final = 1.0  # a file that can't be read may be half written
TROUBLE_SECONDS: Final = 30.0  # until a login that could not be had is asked for again
ENDS: Final = frozenset({"Complete", "Failed"})  # conditions of a Job that runs no more
Ended = tuple[Digest, bool]  # what a Job ran as, and whether it failed in the end


class Cluster:
    """`async with Cluster(…) as cluster` follows the cluster until it is left; implements `targets.Target`.

    `plan_key` keys the hashes of secret values in plans (rule 9). `kept` is a folder for verdicts that outlive the
    process; None: none do. `has_news` tells whether the store has another login than the source gave last.
    """

    def __init__(
        self,
        spec: KubernetesTarget,
        environment: EnvironmentName,
        installation: InstallationId,
        *,
        source: LoginSource,
        plan_key: Secret,
        clock: Clock,
        changed: Callable[[PlacementRef], None],
        has_news: Callable[[], bool] = lambda: False,
        kept: Path | None = None,
    ) -> None:
        name = f"{environment}/{spec.name}"
        reach = Reach(spec.namespaces)
        self._identity = Identity(name, spec.uid, is_hidden=bool(spec.namespaces))
        self._connection = Connection(name, source, doubt=self._identity.doubt, vet=self._identity.vet)
        self._has_news = has_news
        self._is_taking_up = False
        self._news = asyncio.Event()  # the store moved once more
        self._trouble = ""  # why the store's login is not used, as it is told
        self._discovery = Discovery(self._connection)
        self._clock = clock
        self._capabilities: Capabilities | None = None
        self._asked = 0.0
        self._changed = changed
        self._changes = Changes()
        self._cache = Cache(
            self._connection,
            self._discovery,
            installation,
            clock=clock,
            changed=self._moved,
            reach=reach,
            verdicts=_verdicts(spec, name, installation, kept),
        )
        self._inventories = Inventories(self._connection, self._cache, installation, home=reach.home)
        self._lease = Lease(
            self._connection, installation, name, clock=clock, identity=my_identity(), namespace=reach.home
        )
        self._planner = Planner(
            self._connection,
            self._discovery,
            self._cache,
            self._inventories,
            installation=installation,
            plan_key=plan_key,
            reach=reach,
        )
        self._applier = Applier(
            self._planner, self._discovery, self._cache, self._inventories, self._lease, self._changes
        )
        self._looking = asyncio.Semaphore(PLANS)
        self._stack = AsyncExitStack()
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: dict[PlacementRef, dict[str, Ended]] = {}  # Jobs that ended, to be written down
        self._recording: set[PlacementRef] = set()  # whose are being written down
        self._diagnoser = Diagnoser(self._connection, clock=clock, start=self._start, told=changed)

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._connection)
        await self._stack.enter_async_context(self._cache)
        await self._stack.enter_async_context(self._group)
        self._start(self._lease.run())
        self._stack.callback(self._end_tasks)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, traceback)

    @property
    def uid(self) -> str:
        """The uid of `kube-system`: what this cluster is known by; "" until it was asked, or when we may not ask."""
        return self._identity.uid

    async def observe(self, placement: PlacementRef, _desired: Desired | None = None, /) -> Observation:
        """Tell what lives there, from memory. Previous versions of generated objects are not spoken of."""
        await self._identity.verify(self._connection)
        members = self._cache.members(placement)
        inventory = self._inventories.inventory(placement)
        return Observation(
            placement=placement,
            applied=inventory.revision,
            applied_digest=inventory.digest,
            objects=(
                *(self._live(one) for one in members if str(one.key) not in inventory.kept),
                *_ended(inventory, members),
            ),
            has_loose_ends=inventory.has_loose_ends(one.key for one in members),
            note=f"the login that was read before stays in use: {self._trouble}" if self._trouble else "",
        )

    async def plan(self, desired: Desired, application: Application) -> Plan:
        """Say what a sync would do; only what changed or is suspect costs a request."""
        async with self._looking:
            await self._identity.verify(self._connection)
            return await self._planner.plan(desired, application)

    async def apply(self, plan: Permitted, application: Application, *, superseded: asyncio.Event) -> Applied:
        """Write exactly what was permitted, holding the target's Lease."""
        if not self._lease.is_valid:
            self._identity.doubt()
        await self._identity.verify(self._connection)
        return await self._applier.apply(plan, application, superseded=superseded)

    def judge_by(self, rules: HealthRules) -> None:
        """Judge health by these rules, which go before our own."""
        self._cache.judge_by(rules)

    def credentials_moved(self) -> None:
        """Take up another login where the store has one, at once: also where nothing would be asked for long."""
        if self._has_news():
            self._connection.question()
            self._news.set()
            if not self._is_taking_up:
                self._is_taking_up = True
                self._start(self._take_up())

    async def capabilities(self) -> Capabilities:
        """Tell the version and the kinds that it serves: asked once, and again when some minutes have passed."""
        now = self._clock.monotonic()
        if self._capabilities is None or now - self._asked > CAPABILITIES_SECONDS:
            self._capabilities, self._asked = await self._discovery.capabilities(), now
        return self._capabilities

    async def placements(self) -> tuple[PlacementRef, ...]:
        """Name the placements that have a parent here."""
        await self._identity.verify(self._connection)
        await self._cache.ensure([CONFIG_MAPS])
        return tuple(sorted(one.placement for one in self._cache.parents()))

    def _live(self, member: Member) -> LiveObject:
        why = self._diagnoser.diagnosis(member)
        return LiveObject(
            key=member.key,
            uid=member.uid,
            digest=member.digest,
            health=member.health,
            health_reason="; ".join(part for part in (member.health_reason, why) if part),
            diagnosis=why,
            released=read_annotation(member.released),
            is_suspect=member.is_suspect,
        )

    def _moved(self, placement: PlacementRef) -> None:
        self._changes.notify(placement)
        jobs = self._unrecorded_jobs(placement)
        if jobs:
            self._ended[placement] = self._ended.get(placement, {}) | jobs
        if placement in self._ended and placement not in self._recording:
            self._recording.add(placement)
            self._start(self._record_jobs(placement))
        self._changed(placement)

    def _unrecorded_jobs(self, placement: PlacementRef) -> dict[str, Ended]:
        """Find the Jobs that ended and that the parent does not know of: their TTL may take them away at any time."""
        try:
            jobs = [one for one in self._cache.members(placement) if one.key.kind == "Job" and _end_of(one)]
            stored = self._inventories.stored(placement) if jobs else None
        except Transient:
            return {}
        if stored is None:
            return {}
        ended = {str(one.key): (one.digest, _end_of(one) == "Failed") for one in jobs if one.digest is not None}
        known = stored.inventory
        return {
            key: (digest, is_failed)
            for key, (digest, is_failed) in ended.items()
            if (known.failed if is_failed else known.finished).get(key) != digest
        }

    async def _record_jobs(self, placement: PlacementRef) -> None:
        """Write down which Jobs ended, as they were seen: they may be gone by now. What fails waits for an event."""
        jobs: dict[str, Ended] = {}
        try:
            async with self._lease.held():
                while jobs := self._ended.pop(placement, {}):
                    await self._inventories.update(placement, _with_jobs(jobs))
        except ConvergeError:
            self._ended[placement] = jobs | self._ended.get(placement, {})
        finally:
            self._recording.discard(placement)

    async def _take_up(self) -> None:
        """Look at the store's login until it can be used; who lives here looks again when that moved something."""
        pause = TORN_SECONDS
        while True:
            ways = self._connection.ways
            with suppress(ConvergeError, TimeoutError):  # each observation says it
                async with asyncio.timeout(TAKE_UP_SECONDS):
                    await self._connection.take_up()
                    await self._identity.verify(self._connection)
            trouble = self._connection.trouble
            is_told = not trouble or pause != TORN_SECONDS
            if ways != self._connection.ways or (is_told and trouble != self._trouble):
                self._trouble = trouble if is_told else self._trouble
                self._wake()
            if not trouble:
                self._is_taking_up = False
                return
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._news.wait()
            pause = TROUBLE_SECONDS
            self._connection.question()

    def _wake(self) -> None:
        with suppress(Transient):
            for one in self._cache.parents():
                self._changed(one.placement)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()


def _verdicts(spec: KubernetesTarget, name: str, installation: InstallationId, folder: Path | None) -> Verdicts:
    """Give what was judged by this very program of this very target, where that is kept."""
    if folder is None:
        return NO_VERDICTS
    place = f"{installation} {name}"
    who = f"{build_digest()} {place} {spec.context} {spec.kubeconfig} {spec.uid} {','.join(spec.namespaces)}"
    return Verdicts(folder / f"{blake2b(place.encode(), digest_size=16).hexdigest()}.verdicts", who)


def _with_jobs(jobs: Mapping[str, Ended]) -> Callable[[Inventory], Inventory]:
    finished = {key: digest for key, (digest, is_failed) in jobs.items() if not is_failed}
    failed = {key: digest for key, (digest, is_failed) in jobs.items() if is_failed}

    def change(inventory: Inventory) -> Inventory:
        if inventory.is_empty:  # the parent has gone, and the application with it
            return inventory
        return inventory.with_jobs(finished, failed)

    return change


def _end_of(job: Member) -> str:
    """Say how a Job ended, "" while it runs."""
    conditions = (job.live().get("status") or {}).get("conditions") or ()
    return next((one["type"] for one in conditions if one.get("type") in ENDS and one.get("status") == "True"), "")


def _ended(inventory: Inventory, members: Iterable[Member]) -> list[LiveObject]:
    """Give the Jobs and hooks that came to their end and were taken away since: they are not missing."""
    live = {str(one.key) for one in members} if inventory.finished or inventory.failed else set()
    found = []
    for health, ended in ((Health.HEALTHY, inventory.finished), (Health.DEGRADED, inventory.failed)):
        why = "it failed, and was taken away since" if health is Health.DEGRADED else ""
        for text, digest in sorted(ended.items()):
            if text not in live:
                found.append(LiveObject(key=_key(text), uid="", digest=digest, health=health, health_reason=why))
    return found


def _key(text: str) -> ObjectKey:
    """Read an object's key as an inventory writes it: `Job.batch shop/migrate`."""
    group_kind, _, where = text.partition(" ")
    kind, _, group = group_kind.partition(".")
    namespace, _, name = where.rpartition("/")
    return ObjectKey(group, kind, namespace, name)
