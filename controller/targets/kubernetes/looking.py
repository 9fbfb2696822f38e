"""Looking at one object: what applying its manifest would do, as the server says it.

One unforced dry run, whose conflicts say who owns what; for what nobody knows yet a dry POST will mostly do
(`creating`). An object that was there before us is read first, for it may be another's; one whose replicas an apply
would move has the autoscalers of its namespace asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import orjson

from controller.model import (
    Action,
    Adopt,
    Application,
    Cause,
    Manifest,
    ObjectKey,
    ObjectPlan,
    Release,
    Secret,
    Transient,
)
from controller.targets.hooks import is_made_anew
from controller.targets.kubernetes.adopting import Migration, adopted, merge_patch, migration
from controller.targets.kubernetes.autoscalers import PATH as REPLICAS
from controller.targets.kubernetes.autoscalers import found_on_cluster, is_known, released_before
from controller.targets.kubernetes.cache import Cache, Member
from controller.targets.kubernetes.connection import Connection, Request, Response
from controller.targets.kubernetes.creating import Permissions, is_plain
from controller.targets.kubernetes.discovery import Discovery, Resource
from controller.targets.kubernetes.errors import NOTHING_COMING, Coming, refusal
from controller.targets.kubernetes.handover import filled, handed_over, left_out
from controller.targets.kubernetes.inventory import Inventory
from controller.targets.kubernetes.judging import (
    Answer,
    Seen,
    existing_objection,
    hider,
    judge,
    seen_body,
    seen_member,
)
from controller.targets.kubernetes.marking import Marks, Stamped, footprint, is_footprint, is_ours
from controller.targets.kubernetes.options import options_of
from controller.targets.kubernetes.ownership import baseline
from controller.targets.kubernetes.pruning import replacement_objection
from controller.targets.kubernetes.requests import apply_request, create_request, get_request, merge_request
from controller.targets.kubernetes.status import conflicts, is_dry_run_unsupported, is_missing_namespace, is_modified

ATTEMPTS: Final = 5  # at an object that changes while we look
IN_FLIGHT: Final = 32  # requests at once to one cluster


@dataclass(frozen=True, slots=True)
class Context:
    """What looking at an object needs to know besides it."""

    application: Application
    marks: Marks
    inventory: Inventory
    members: Mapping[ObjectKey, Member]
    coming: Coming = NOTHING_COMING
    is_applied: bool = False  # all of what is desired was applied before: whatever differs has drifted

    @property
    def account(self) -> str:
        """The service account in whose place everything is asked."""
        return self.application.service_account


class Looker:
    """Looks at objects of one cluster. `namespaces` holds those that are known to be there; one may be unlearned."""

    def __init__(
        self, connection: Connection, discovery: Discovery, cache: Cache, *, plan_key: Secret, namespaces: set[str]
    ) -> None:
        self._connection = connection
        self._discovery = discovery
        self._cache = cache
        self._plan_key = plan_key
        self._namespaces = namespaces
        self.stamped = Stamped()
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self.permissions = Permissions(self.send)

    async def look(self, manifest: Manifest, context: Context, seen: Seen | None = None) -> ObjectPlan:
        """Ask the server what applying a manifest would do. `seen` is its live state, where that is newer."""
        resource = await self._discovery.resource(manifest.api_version, manifest.key.kind)
        member = context.members.get(manifest.key)
        if seen is None and member is not None and member.api_version == manifest.api_version:
            seen = seen_member(member)
        if seen is None:
            is_unknown = member is None
            seen = await (self._find(resource, manifest, context) if is_unknown else self.find(manifest, context))
        if seen is None:
            return created(manifest, context.inventory)
        if options_of(manifest).is_applied_once:
            return untouched(manifest, seen)
        seen = _recognised(manifest, seen, context)
        if not seen.is_ours and (objection := self._objection(manifest, seen, context)):
            return _refused(manifest, seen, objection)
        manifest = await self._with_known_autoscaler(manifest, seen, context)
        planned = await self._judge(resource, manifest, seen, context)
        if planned is not None and not is_known(manifest) and any(one.path == REPLICAS for one in planned.changes):
            release = await self._autoscaler(manifest.key, seen, context)
            if release is not None:
                manifest = replace(manifest, releases=(*manifest.releases, release))
                planned = await self._judge(resource, manifest, seen, context)
        if planned is None:
            return blind(manifest, member, context.inventory)
        if planned.action is Action.NOTHING and member is not None:
            self._cache.note_clean(member, baseline(member.live(), member.managed()))
        if planned.action is Action.CHANGE and seen.is_ours and seen.digest != manifest.digest:
            return _anew(manifest, seen, context) if is_made_anew(manifest) else planned
        return planned

    async def _find(self, resource: Resource, manifest: Manifest, context: Context) -> Seen | None:
        """Find the live object of a manifest; None where the server says that an apply would create it."""
        data = self.stamped.make(context.marks, manifest)
        if not context.inventory.named(manifest.key) and await self._is_creatable(
            resource, manifest, data, context.account
        ):
            return None
        answer = await self._dry_run(resource, manifest.key, data, context.account, is_forced=False)
        if answer.status == 201:
            return None
        self._forget_namespace(is_missing_namespace(answer), context.application)
        refused = answer.status != 200 and not conflicts(answer) and not is_dry_run_unsupported(answer)
        seen = await self.find(manifest, context) if not refused or answer.status == 422 else None
        if refused and seen is None:
            raise refusal(answer, manifest.key, where=str(manifest.origin), coming=context.coming)
        return seen  # what does not fit beside the live fields may fit once they are ours: a port instead of another

    def _objection(self, manifest: Manifest, seen: Seen, context: Context) -> str:
        return existing_objection(manifest.key, seen, adoption(manifest, context), context.marks)

    async def _with_known_autoscaler(self, manifest: Manifest, seen: Seen, context: Context) -> Manifest:
        """Go on leaving replicas to an autoscaler that was found on the cluster, while it is there."""
        if is_known(manifest) or not released_before(seen.released):
            return manifest
        release = await self._autoscaler(manifest.key, seen, context)
        return manifest if release is None else replace(manifest, releases=(*manifest.releases, release))

    async def _autoscaler(self, key: ObjectKey, seen: Seen, context: Context) -> Release | None:
        return await found_on_cluster(self.send, self._discovery, key, seen.managed, ours=context.members)

    async def _judge(self, resource: Resource, manifest: Manifest, seen: Seen, context: Context) -> ObjectPlan | None:
        """Ask the server what an apply would do to a live object; None where no dry run can tell."""
        if not seen.is_ours and (found := migration(seen.managed)).managers:
            return await self._preview(resource, manifest, seen, context, found)
        left = left_out(orjson.loads(manifest.body), manifest.releases, seen.managed)
        data = self.stamped.make(context.marks, manifest, left)
        is_same = seen.digest == manifest.digest
        if handed := handed_over(seen.live, seen.managed, manifest.releases, was_cleared=seen.was_cleared):
            data = orjson.dumps(filled(orjson.loads(data), seen.live, handed))
        response = await self._dry_run(resource, manifest.key, data, context.account, is_forced=is_same)
        taken = conflicts(response)
        if taken:
            response = await self._dry_run(resource, manifest.key, data, context.account, is_forced=True)
        if response.status == 422 and options_of(manifest).is_replaced:
            return await self._replacement(resource, manifest, seen, context, response)
        if response.status == 201:
            # Without our label no watch tells of its end.
            self._cache.note_deleted(manifest.key, seen.uid)
            raise Transient(f"{manifest.key}: it was deleted while we looked")
        if is_dry_run_unsupported(response):
            return None
        if response.status != 200:
            self._forget_namespace(is_missing_namespace(response), context.application)
            raise refusal(response, manifest.key, where=str(manifest.origin), coming=context.coming)
        live = orjson.loads(response.body)
        managed = (live.get("metadata") or {}).get("managedFields") or ()
        answer = Answer(data, live, managed, taken, None if seen.is_ours else Migration((), ()))
        hide = hider(self._plan_key)
        return judge(manifest, seen, answer, adopt=adoption(manifest, context), marks=context.marks, hide=hide)

    async def _replacement(
        self, resource: Resource, manifest: Manifest, seen: Seen, context: Context, refused: Response
    ) -> ObjectPlan:
        """Plan to make an object anew whose change is refused, where its manifest is right in itself.

        A dry creation under the name that is taken answers 409 for a right one and 422 for a wrong one. Raises the
        refusal of the change for what is wrong, and for what is not ours.
        """
        data = self.stamped.make(context.marks, manifest)
        answer = await self.send(create_request(resource, manifest.key, data), context.account)
        if answer.status != 409 or not seen.is_ours:
            raise refusal(refused, manifest.key, where=str(manifest.origin), coming=context.coming)
        return _anew(manifest, seen, context)

    async def _preview(
        self, resource: Resource, manifest: Manifest, seen: Seen, context: Context, adopted_from: Migration
    ) -> ObjectPlan:
        """Have the server say what an adoption makes of an object: what its deployers set and git does not say goes."""
        for _ in range(ATTEMPTS):
            left = left_out(orjson.loads(manifest.body), manifest.releases, seen.managed)
            body = context.marks.stamp(manifest, left)
            data = self.stamped.make(context.marks, manifest, left)
            taken = conflicts(await self._dry_run(resource, manifest.key, data, context.account, is_forced=False))
            patch = merge_patch(seen.live, adopted(seen.live, seen.managed, body))
            request = merge_request(resource, manifest.key, patch, seen.resource_version)
            response = await self.send(request, context.account)
            if not is_modified(response):
                break
            seen = await self.read(manifest, context)  # its status counts on while it rolls out
            adopted_from = migration(seen.managed)
        else:
            raise Transient(f"{manifest.key}: it keeps changing while we look")
        if response.status != 200:
            raise refusal(response, manifest.key, where=str(manifest.origin))
        live = orjson.loads(response.body)
        live["metadata"].pop("managedFields", None)
        answer = Answer(data, live, (), taken, adopted_from)
        hide = hider(self._plan_key)
        return judge(manifest, seen, answer, adopt=adoption(manifest, context), marks=context.marks, hide=hide)

    def _forget_namespace(self, name: str, application: Application) -> None:
        """Unlearn a namespace that is not there; the next plan creates it where its application's entry says so."""
        self._namespaces.discard(name)
        if name and application.create_namespace and name == application.namespace:
            raise Transient(f"namespace {name} has gone: it is created anew")

    async def read(self, manifest: Manifest, context: Context) -> Seen:
        """Get a live object at the version that its manifest has. Raises Transient when it has gone meanwhile."""
        found = await self.find(manifest, context)
        if found is None:
            raise Transient(f"{manifest.key}: it was deleted while we looked")
        return found

    async def find(self, manifest: Manifest, context: Context) -> Seen | None:
        """Get a live object at the version that its manifest has; None where there is none."""
        resource = await self._discovery.resource(manifest.api_version, manifest.key.kind)
        answer = await self.send(get_request(resource, manifest.key), context.account)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise refusal(answer, manifest.key, where=str(manifest.origin))
        return seen_body(answer.body, manifest.key, context.marks)

    async def send(self, request: Request, account: str = "") -> Response:
        """Send a request, in the place of a service account where one is named.

        It is sent when there is room: the time spent waiting for room is not the server's.
        """
        async with self._slots:
            return await self._connection.send(replace(request, account=account) if account else request)

    async def _is_creatable(self, resource: Resource, manifest: Manifest, data: bytes, account: str) -> bool:
        """Tell whether an apply would create an object; False as well where only an apply can tell."""
        key = manifest.key
        if not is_plain(orjson.loads(manifest.body), key.group):
            return False
        if not await self.permissions.may_patch(resource, key.namespace, account):
            return False
        return (await self.send(create_request(resource, key, data), account)).status == 201

    async def _dry_run(
        self, resource: Resource, key: ObjectKey, data: bytes, account: str, *, is_forced: bool
    ) -> Response:
        return await self.send(apply_request(resource, key, data, is_forced=is_forced, is_dry_run=True), account)


def adoption(manifest: Manifest, context: Context) -> Adopt:
    """Say what may be adopted: an object's own wish widens the environment's policy, and never opens a closed one."""
    policy = context.application.sync.adopt
    if policy is Adopt.REFUSE and context.inventory.named(manifest.key):
        return Adopt.UNOWNED  # it was not there before us: somebody took our marks off
    is_wider = policy is Adopt.UNOWNED and options_of(manifest).is_taken_over
    return Adopt.TAKE_OVER if is_wider else policy


def _recognised(manifest: Manifest, seen: Seen, context: Context) -> Seen:
    """Know an object again that we applied and whose marks somebody took off, as `kubectl replace` does, or spoiled.

    The parent says that it was applied. Where nothing is pending, all that differs is drift. Else one that still says
    whose it is counts as if it had named what git names now, and any other is taken over like one that nobody manages.
    """
    is_marked = seen.digest == manifest.digest or is_footprint(seen.footprint)
    if is_marked or not context.inventory.named(manifest.key):
        return seen
    if existing_objection(manifest.key, seen, Adopt.UNOWNED, context.marks):
        return seen
    if context.is_applied:
        return replace(seen, is_ours=True, digest=manifest.digest)
    if is_ours(context.marks, manifest.key, seen.live):
        return replace(seen, assumed=footprint(orjson.loads(manifest.body)))
    return replace(seen, is_ours=False)


def _refused(manifest: Manifest, seen: Seen, objection: str) -> ObjectPlan:
    return ObjectPlan(
        key=manifest.key,
        action=Action.CHANGE,
        manifest=manifest,
        uid=seen.uid,
        resource_version=seen.resource_version,
        objection=objection,
    )


def _anew(manifest: Manifest, seen: Seen, context: Context) -> ObjectPlan:
    return ObjectPlan(
        key=manifest.key,
        action=Action.REPLACE,
        manifest=manifest,
        uid=seen.uid,
        resource_version=seen.resource_version,
        objection=replacement_objection(manifest.key, context.application),
    )


def untouched(manifest: Manifest, seen: Seen | Member) -> ObjectPlan:
    return ObjectPlan(
        key=manifest.key,
        action=Action.NOTHING,
        manifest=manifest,
        uid=seen.uid,
        resource_version=seen.resource_version,
    )


def created(manifest: Manifest, inventory: Inventory) -> ObjectPlan:
    cause = Cause.DRIFT if inventory.named(manifest.key) else Cause.PENDING
    return ObjectPlan(key=manifest.key, action=Action.CREATE, cause=cause, manifest=manifest)


def blind(manifest: Manifest, member: Member | None, inventory: Inventory) -> ObjectPlan:
    """Plan what could not be looked at: without changes, and so without force."""
    if member is None:
        return created(manifest, inventory)
    return ObjectPlan(
        key=manifest.key,
        action=Action.CHANGE,
        manifest=manifest,
        uid=member.uid,
        resource_version=member.resource_version,
    )
