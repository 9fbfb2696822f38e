"""The live state of one cluster's objects of ours, in memory: fed by one LIST and one WATCH per kind.

Where a target is limited to namespaces, it is one per kind and namespace, of those that a parent names.

The plot: the ConfigMaps with our label come first, for the parents among them name the kinds that have to be followed;
each kind has a follower, a task that listens to `watching.follow` and hands what it hears to the `Store`, which says
whose state moved. What reads the cache sends no request. A kind that can't be heard makes Unknown what may hold objects
of it, and nothing else.

Watches are opened at the version in which we applied: fields are owned in that version's terms. An object that was
applied in another version than its kind is followed in brings a follower for that version too.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from contextlib import aclosing
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from controller.model import HealthRules, InstallationId, ObjectKey, PlacementRef, Stalled, Transient, Waiting
from controller.runtime import Clock
from controller.targets.kubernetes.connection import Connection
from controller.targets.kubernetes.discovery import Discovery, Resource
from controller.targets.kubernetes.followers import RETRY_SECONDS, Follower, Place, looked_up, place_of
from controller.targets.kubernetes.labels import installation_selector
from controller.targets.kubernetes.members import Member, Parent
from controller.targets.kubernetes.ownership import Baseline
from controller.targets.kubernetes.reach import EVERYWHERE, Reach
from controller.targets.kubernetes.seeing import Sight, see, see_answer
from controller.targets.kubernetes.store import Placements, Store
from controller.targets.kubernetes.verdicts import NO_VERDICTS, Keeper, Verdicts
from controller.targets.kubernetes.watching import (
    Away,
    Back,
    Change,
    Listed,
    Page,
    Seen,
    Unseen,
    Unserved,
    follow,
)

__all__ = ["Cache", "Member", "Parent"]

CONFIG_MAPS: Final = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True)


class Cache:
    """`async with Cache(…) as cache` follows the parents, and every kind that they name, until it is left.

    `changed` is called, from the event loop, whenever what `members` or `parents` say of a placement moved, and for
    each placement (that is here, or was asked for) once it can be told after a (re)connection.
    """

    def __init__(
        self,
        connection: Connection,
        discovery: Discovery,
        installation: InstallationId,
        *,
        clock: Clock,
        changed: Callable[[PlacementRef], None],
        reach: Reach = EVERYWHERE,
        verdicts: Verdicts = NO_VERDICTS,
    ) -> None:
        self._connection = connection
        self._reach = reach
        self._discovery = discovery
        self._selector = installation_selector(installation)
        self._clock = clock
        self._changed = changed
        self._store = Store(installation, home=reach.home, verdicts=verdicts)
        self._keeper = Keeper(verdicts, self._store, is_whole=self._is_whole)
        self._followers: dict[Place, Follower] = {}
        self._unserved: set[str] = set()  # group-kinds that parents name and that this cluster does not serve
        self._finding: dict[str, str] = {}  # group-kinds whose resource is being looked up: why it is not found yet
        self._verifying: set[str] = set()  # uids
        self._asked: set[PlacementRef] = set()  # could not be told when they were asked for
        self._tasks = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()
        self._settling = asyncio.Event()  # set when any follower settles

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._follow_in(CONFIG_MAPS, ())
        self._spawn(self._keeper.run(self._clock))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._running:
            task.cancel()
        try:
            await self._tasks.__aexit__(kind, error, traceback)
        finally:
            self._keeper.close()

    def members(self, placement: PlacementRef) -> tuple[Member, ...]:
        """Give a placement's objects, sorted by key.

        Raises Transient while any kind that its parent names has not been listed, or is away (without a parent: while
        any kind that is followed is away): since when and why.
        """
        silence = self._silence(placement)
        if silence:
            self._asked.add(placement)
            raise Transient(silence)
        return self._store.members(placement)

    def parent(self, placement: PlacementRef) -> Parent | None:
        """Give a placement's parent. Raises Transient while the parents can't be told."""
        self._require_parents()
        return self._store.parent(placement)

    def parents(self) -> tuple[Parent, ...]:
        """Give the ApplySet parents of this installation. Raises Transient while they can't be told."""
        self._require_parents()
        return self._store.parents()

    async def ensure(
        self, resources: Iterable[Resource], namespaces: Collection[str] = (), *, deadline_seconds: float = 30.0
    ) -> None:
        """Follow these kinds, and return when each has been listed: before the first object of them is written.

        `namespaces` says where they are asked for besides our own, on a target that is limited to some.

        Raises Transient when one could not be listed in time, Stalled when we may not.
        """
        followers = [follower for one in resources for follower in self._follow_in(one, namespaces)]
        try:
            async with asyncio.timeout(deadline_seconds):
                while not all(one.is_settled for one in followers):
                    self._settling.clear()
                    await self._settling.wait()
        except TimeoutError as error:
            late = next(one for one in followers if not one.is_settled)
            raise Transient(self._say(late)) from error
        for follower in followers:
            if follower.is_refused:
                where = f" in namespace {follower.namespace}" if follower.namespace else ""
                raise Stalled(f"{self._say(follower)}. Allow list and watch of {follower.resource.group_kind}{where}.")

    def judge_by(self, rules: HealthRules) -> None:
        """Judge health by these rules from now on."""
        self._wake(sorted(self._store.judge_by(rules)))

    def note_applied(self, live: bytes) -> Member:
        """Take the server's answer to an apply of ours: what later events are compared with, and what is read at once.

        The object must carry our owner annotation; raises ValueError otherwise.
        """
        member, woken = self._store.applied(see_answer(live))
        self._wake(woken)
        return member

    def note_clean(self, member: Member, judged: Baseline) -> None:
        """Take a planner's word that this state of the object, whose baseline this is, is as we applied it.

        Found from the object alone (`ownership.is_as_applied`) or by a dry run that changed nothing. Ignored when
        the object has moved since `member` was read.
        """
        self._store.clean(member, judged)

    def note_deleted(self, key: ObjectKey, uid: str) -> None:
        """Take the server's answer that our delete is done (the object is gone, not merely terminating)."""
        self._store.deleted(key, uid)

    # What can be told

    def _is_whole(self) -> bool:
        """Tell whether all that is followed has been heard of."""
        return all(one.is_listed for one in self._followers.values())

    def _require_parents(self) -> None:
        follower = self._parents()
        if follower.why:
            raise Transient(self._say(follower))

    def _silence(self, placement: PlacementRef) -> str:
        """Say why a placement can't be told, "" when it can."""
        parents = self._parents()
        if parents.why:
            return self._say(parents)
        parent = self._store.parent(placement)
        wanted = None if parent is None else frozenset(parent.group_kinds)
        places = frozenset(("", *parent.namespaces)) if parent else frozenset()
        for follower in self._followers.values():
            # Without a parent nothing says that there is anything of this kind; that somebody else brings the kind in
            # just now makes us know no less than before.
            is_named = wanted is not None and follower.resource.group_kind in wanted and follower.namespace in places
            is_asked = not follower.is_new if wanted is None else is_named
            if follower.why and is_asked:
                return self._say(follower)
        for group_kind, why in self._finding.items():
            if wanted is None or group_kind in wanted:
                return f"{self._connection.name}: {group_kind} can't be observed: {why}"
        return ""

    def _parents(self) -> Follower:
        """Give the follower that hears of parents."""
        return self._followers[place_of(CONFIG_MAPS, self._reach.home if self._reach.namespaces else "")]

    def _say(self, follower: Follower) -> str:
        since = follower.since.isoformat(timespec="seconds")
        where = f" in {follower.namespace}" if follower.namespace else ""
        what = f"{follower.resource.group_kind}{where}"
        return f"{self._connection.name}: {what} can't be observed since {since}: {follower.why}"

    def _wake(self, placements: Iterable[PlacementRef]) -> None:
        for placement in placements:
            self._changed(placement)

    def _wake_told(self, placements: Placements) -> None:
        """Wake those of the placements, and of the ones that were asked for, that can be told now."""
        told = {one for one in placements | self._asked if not self._silence(one)}
        self._asked -= told
        self._wake(sorted(told))

    # Followers

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _follow_in(self, resource: Resource, namespaces: Collection[str]) -> list[Follower]:
        return [self._follow(resource, one) for one in self._reach.places(namespaces)]

    def _follow(self, resource: Resource, namespace: str) -> Follower:
        place = place_of(resource, namespace)
        follower = self._followers.get(place)
        if follower is None:
            follower = self._followers[place] = Follower(resource, namespace, self._clock.now())
            self._unserved.discard(resource.group_kind)
            self._spawn(self._listen(follower))
        return follower

    async def _listen(self, follower: Follower) -> None:
        """Hear a kind until the cluster does not serve it any more."""
        while True:
            try:
                heard = follow(self._connection, follower.resource, self._selector, follower.namespace)
                async with aclosing(heard) as changes:
                    async for change in changes:
                        self._hear(follower, change)
                        del change
            except Transient as error:  # what it was shown can't be read
                self._hear(follower, Away(str(error), is_refused=False))
                await self._clock.sleep(RETRY_SECONDS[1])
            else:
                if await self._is_unserved(follower):
                    break
        del self._followers[place_of(follower.resource, follower.namespace)]
        self._unserved.add(follower.resource.group_kind)
        self._end_list(follower, set())
        self._settle(follower)
        self._wake_told(self._store.placements_with(follower.resource.group_kind))

    def _hear(self, follower: Follower, change: Change) -> None:
        match change:
            case Page(objects, is_first):
                if is_first:
                    follower.seen.clear()
                for one in objects:
                    sight = self._see(follower, one)
                    follower.seen.add(sight.key)
                    self._take(follower, sight, is_quiet=not follower.is_listed)
            case Seen(one):
                self._take(follower, self._see(follower, one), is_quiet=False)
            case Unseen(one):
                sight = self._see(follower, one)
                if not self._store.is_mourned(sight.uid):
                    self._doubt(follower.resource, sight.key, sight.uid)
            case Listed():
                self._end_list(follower, follower.seen)
                self._store.end_mourning(follower.resource.group_kind, follower.namespace)
                self._heard(follower)
            case Back():
                self._heard(follower)
            case Away(why, is_refused):
                follower.why, follower.is_refused, follower.since = why, is_refused, self._clock.now()
                follower.is_new = False
                if is_refused:
                    self._settle(follower)
                self._wake(sorted(self._touched(follower)))
            case Unserved():
                pass

    def _heard(self, follower: Follower) -> None:
        follower.why, follower.is_refused, follower.is_listed, follower.is_new = "", False, True, False
        follower.seen = set()
        self._settle(follower)
        self._wake_told(self._touched(follower))

    def _settle(self, follower: Follower) -> None:
        follower.is_settled = True
        self._settling.set()

    def _touched(self, follower: Follower) -> Placements:
        """Name the placements that a kind's silence makes Unknown: all of them if it hides the parents."""
        if follower is self._parents():
            return self._store.placements()
        return self._store.placements_with(follower.resource.group_kind)

    async def _is_unserved(self, follower: Follower) -> bool:
        """Ask discovery whether a kind that answered 404 is really gone; wait while it can't tell."""
        resource, pause = follower.resource, RETRY_SECONDS[0]
        while True:
            try:
                await self._discovery.refresh()
                await self._discovery.resource(resource.api_version, resource.kind)
            except (Waiting, Stalled):
                return True
            except Transient as error:
                self._hear(follower, Away(str(error), is_refused=False))
                await self._clock.sleep(pause)
                pause = min(pause * 2, RETRY_SECONDS[1])
            else:
                await self._clock.sleep(pause)
                return False

    def _see(self, follower: Follower, raw: msgspec.Raw) -> Sight:
        one = follower.resource
        return see(raw, group=one.group, kind=one.kind, api_version=one.api_version)

    def _take(self, follower: Follower, sight: Sight, *, is_quiet: bool) -> None:
        """Take an object as it is shown, unless the follower of the version it was applied in tells it."""
        resource = follower.resource
        if sight.applied_as and sight.applied_as != resource.api_version and not sight.parent_id:
            place = (resource.group_kind, sight.applied_as, follower.namespace)
            other = self._followers.get(place)
            if other is not None and other.is_listed:
                return
            if other is None:
                self._spawn(self._follow_version(sight.applied_as, resource.kind, follower.namespace))
        woken = self._store.take(sight)
        parent = self._store.parent(sight.owner.placement) if sight.parent_id and sight.owner else None
        if parent is not None:
            self._follow_named(parent)
        if not is_quiet:
            self._wake(sorted(woken))

    async def _follow_version(self, api_version: str, kind: str, namespace: str) -> None:
        try:
            resource = await self._discovery.resource(api_version, kind)
        except (Waiting, Stalled, Transient):
            return  # not served any more: what the other version shows is all there is
        self._follow(resource, namespace)

    def _follow_named(self, parent: Parent) -> None:
        """Follow every kind that a parent names and nobody follows yet."""
        for group_kind in sorted({one for one, _ in self._unfollowed(parent)} - self._unserved - set(self._finding)):
            self._finding[group_kind] = "its resource is being looked up"
            self._spawn(self._follow_group_kind(group_kind))

    def _unfollowed(self, parent: Parent) -> Iterator[tuple[str, str]]:
        """Give the kinds that a parent names, and the namespaces in which nobody follows them in any version."""
        followed = {(group_kind, namespace) for group_kind, _, namespace in self._followers}
        for one in itertools.product(parent.group_kinds, self._reach.places(parent.namespaces)):
            if one not in followed:
                yield one

    async def _follow_group_kind(self, group_kind: str) -> None:
        kind, _, group = group_kind.partition(".")
        pause = RETRY_SECONDS[0]
        while True:
            try:
                resource = await self._discovery.group_kind(group, kind)
            except Transient as error:
                self._finding[group_kind] = str(error)
                await self._clock.sleep(pause)
                pause = min(pause * 2, RETRY_SECONDS[1])
            except (Waiting, Stalled):
                self._unserved.add(group_kind)  # where a kind is not served, there are no objects of it
                break
            else:
                for parent in self._store.parents():
                    for _, namespace in [one for one in self._unfollowed(parent) if one[0] == group_kind]:
                        self._follow(resource, namespace)
                break
        del self._finding[group_kind]
        self._wake_told(self._store.placements_with(group_kind))

    # What vanished

    def _end_list(self, follower: Follower, seen: set[ObjectKey]) -> None:
        resource = follower.resource
        known = tuple(self._store.known(resource.group_kind, resource.api_version, follower.namespace))
        for key, uid in known:
            if key not in seen:
                self._doubt(resource, key, uid)

    def _doubt(self, resource: Resource, key: ObjectKey, uid: str) -> None:
        """Look once whether an object is gone or only lost its label: both look the same to a watch."""
        if uid in self._verifying or not self._store.holds(key, uid):
            return
        self._verifying.add(uid)
        self._spawn(self._verify(resource, key, uid))

    async def _verify(self, resource: Resource, key: ObjectKey, uid: str) -> None:
        sight = await looked_up(self._connection, self._clock, resource, key)
        self._verifying.discard(uid)
        if sight is None or sight.uid != uid:
            self._wake(self._store.forget(key, uid))
        else:
            self._wake(sorted(self._store.take(sight)))
