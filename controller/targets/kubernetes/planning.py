"""What a sync would do, said before anything is written.

An object whose digest is the one applied last, and that nothing moved, costs no request. The others cost one unforced
server dry run each, which is the preflight: its conflicts say who owns what; for what nobody knows yet a dry POST will
mostly do (`creating`). What can't be preflighted yet, because the
same plan creates its namespace or its kind, is looked at again when its stage comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from controller.model import (
    Action,
    Application,
    Cause,
    ConvergeError,
    Desired,
    Digest,
    InstallationId,
    Manifest,
    ObjectKey,
    ObjectPlan,
    Plan,
    Secret,
    Stalled,
    State,
    Transient,
    Waiting,
)
from controller.targets.kubernetes.cache import CONFIG_MAPS, Cache, Member
from controller.targets.kubernetes.connection import Connection, Request, Response
from controller.targets.kubernetes.creating import Permissions, is_plain
from controller.targets.kubernetes.discovery import Discovery, Resource
from controller.targets.kubernetes.errors import (
    NOTHING_COMING,
    Coming,
    combined,
    conflicts,
    is_dry_run_unsupported,
    is_missing_namespace,
    refusal,
)
from controller.targets.kubernetes.inventory import EMPTY, Inventories, Inventory, Stored
from controller.targets.kubernetes.judging import Seen, hider, judge, plan_hash, seen_body, seen_member
from controller.targets.kubernetes.labels import parent_key
from controller.targets.kubernetes.marking import Marks, Stamped, shared_namespace
from controller.targets.kubernetes.ownership import is_as_applied
from controller.targets.kubernetes.pruning import leftovers
from controller.targets.kubernetes.requests import apply_request, create_request, get_request
from controller.targets.kubernetes.stages import is_foundation, wave_of

IN_FLIGHT: Final = 32  # requests at once to one cluster
SHARED: Final = Digest("shared-namespace")  # the digest of a namespace that `createNamespace` asks for
JOB: Final = "Job.batch"


@dataclass(frozen=True, slots=True)
class Context:
    """What looking at an object needs to know besides it."""

    application: Application
    marks: Marks
    inventory: Inventory
    members: Mapping[ObjectKey, Member]
    coming: Coming = NOTHING_COMING


class Planner:
    """Plans for one cluster. Shares nothing between placements but the room for requests in flight."""

    def __init__(
        self,
        connection: Connection,
        discovery: Discovery,
        cache: Cache,
        inventories: Inventories,
        *,
        installation: InstallationId,
        plan_key: Secret,
    ) -> None:
        self._connection = connection
        self._discovery = discovery
        self._cache = cache
        self._inventories = inventories
        self.installation = installation
        self._plan_key = plan_key
        self.stamped = Stamped()
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self.permissions = Permissions(self.send)
        self._judged: set[str] = set()  # uids whose state this process has judged or written
        self._namespaces: set[str] = set()  # that are known to be there

    async def plan(self, desired: Desired, application: Application) -> Plan:
        """Say per object what a sync would do. Raises one error with every refusal of a preflight."""
        manifests = desired.manifests if application.state is State.PRESENT else ()
        await self.follow(manifests)
        stored = self._inventories.stored(desired.placement)
        context = Context(
            application=application,
            marks=Marks.of(self.installation, desired.placement),
            inventory=stored.inventory if stored else EMPTY,
            members={one.key: one for one in self._cache.members(desired.placement)},
        )
        objects = [*await self._writes(manifests, context), *self._deletions(manifests, context, stored)]
        return Plan(
            placement=desired.placement,
            revision=desired.revision,
            desired=desired.digest,
            objects=tuple(objects),
            hash=plan_hash(desired, objects, self._plan_key),
        )

    async def follow(self, manifests: Iterable[Manifest]) -> None:
        """Have the cache watch every kind that is asked for and served; one that a manifest brings may come later."""
        kinds = {(one.api_version, one.key.kind): one for one in manifests}
        brought = brought_kinds(manifests)
        found: list[Resource] = []
        errors: list[ConvergeError] = []
        for (api_version, kind), manifest in kinds.items():
            try:
                found.append(await self._discovery.resource(api_version, kind))
            except Waiting as error:
                if manifest.key.group_kind not in brought:
                    errors.append(Waiting(f"{manifest.key} ({manifest.origin}): {error}"))
            except Stalled as error:
                errors.append(Stalled(f"{manifest.key} ({manifest.origin}): {error}"))
        by_kind = {one.group_kind: one for one in found}
        errors += [wrong for one in manifests if (wrong := _wrong_wave(one)) is not None]
        errors += [_misplaced(one, by_kind) for one in manifests if _is_misplaced(one, by_kind)]
        if errors:
            raise combined(errors)
        await self._cache.ensure([CONFIG_MAPS, *found])

    def note_written(self, uid: str) -> None:
        """Remember that this process knows an object: what moves from now on is looked at by the server."""
        self._judged.add(uid)

    def note_namespace(self, name: str) -> None:
        self._namespaces.add(name)

    async def _writes(self, manifests: Sequence[Manifest], context: Context) -> list[ObjectPlan]:
        """Look at the foundation first: what it is about to create decides what else can be preflighted."""
        namespace = await self._shared_namespace(manifests, context)
        first = await self._look_all([one for one in manifests if is_foundation(one.key)], context)
        coming = coming_of([*namespace, *first], manifests)
        later = Context(context.application, context.marks, context.inventory, context.members, coming)
        rest = await self._look_all([one for one in manifests if not is_foundation(one.key)], later)
        return [*namespace, *first, *rest]

    async def _look_all(self, manifests: Sequence[Manifest], context: Context) -> list[ObjectPlan]:
        settled: dict[ObjectKey, ObjectPlan] = {}
        unsettled: list[Manifest] = []
        for one in manifests:
            planned = self._at_once(one, context)
            if planned is None:
                unsettled.append(one)
            else:
                settled[one.key] = planned
        results = await asyncio.gather(*(self._attempt(one, context) for one in unsettled))
        errors = [one for one in results if isinstance(one, ConvergeError)]
        if errors:
            raise combined(errors)
        looked = {one.key: one for one in results if isinstance(one, ObjectPlan)}
        return [settled.get(one.key) or looked[one.key] for one in manifests]

    def _at_once(self, manifest: Manifest, context: Context) -> ObjectPlan | None:
        """Plan what needs no request; None for what does."""
        member = context.members.get(manifest.key)
        if member is None:
            if manifest.key.group_kind == JOB and context.inventory.has_run(manifest.key, manifest.digest):
                return ObjectPlan(key=manifest.key, action=Action.NOTHING, manifest=manifest)
        elif member.digest == manifest.digest and self._is_clean(manifest, member, context.marks):
            return _untouched(manifest, member)
        elif member.is_terminating:
            return _too_early(manifest, member)
        if is_deferred(manifest.key, context.coming):
            return _blind(manifest, member, context.inventory)
        is_drift = member is not None and member.is_suspect
        return None if is_drift or context.application.sync.preflight else _blind(manifest, member, context.inventory)

    def _is_clean(self, manifest: Manifest, member: Member, marks: Marks) -> bool:
        """Tell whether nobody moved an object since it was applied with this very digest.

        After a restart the object alone tells (DESIGN, how drift is found); later only the server does.
        """
        if not member.is_suspect:
            self._judged.add(member.uid)
            return True
        if member.uid in self._judged:
            return False
        self._judged.add(member.uid)
        if not is_as_applied(marks.stamp(manifest), member.live(), member.managed()):
            return False
        self._cache.note_clean(member)
        return True

    async def _attempt(self, manifest: Manifest, context: Context) -> ObjectPlan | ConvergeError:
        try:
            return await self.look(manifest, context)
        except ConvergeError as error:
            return error

    async def look(self, manifest: Manifest, context: Context, seen: Seen | None = None) -> ObjectPlan:
        """Ask the server what applying a manifest would do. `seen` is its live state, where that is newer."""
        resource = await self._discovery.resource(manifest.api_version, manifest.key.kind)
        member = context.members.get(manifest.key)
        if seen is None and member is not None and member.api_version == manifest.api_version:
            seen = seen_member(member)
        is_same = seen is not None and seen.digest == manifest.digest
        data = self.stamped.make(context.marks, manifest)
        is_new = seen is None and member is None and not context.inventory.named(manifest.key)
        if is_new and await self._is_creatable(resource, manifest, data):
            return _created(manifest, context.inventory)
        answer = await self._dry_run(resource, manifest.key, data, is_forced=is_same)
        taken = conflicts(answer)
        if taken:
            answer = await self._dry_run(resource, manifest.key, data, is_forced=True)
        if answer.status == 201:
            return _created(manifest, context.inventory)
        if is_dry_run_unsupported(answer):
            return _blind(manifest, member, context.inventory)
        if answer.status != 200:
            self._forget_namespace(is_missing_namespace(answer), context.application)
            raise refusal(answer, manifest.key, where=str(manifest.origin), coming=context.coming)
        if seen is None:
            seen = await self.read(manifest, context.marks)
        hide = hider(self._plan_key)
        planned = judge(manifest, data, seen, orjson.loads(answer.body), taken, marks=context.marks, hide=hide)
        if planned.action is Action.NOTHING and member is not None:
            self._cache.note_clean(member)
        return planned

    def _forget_namespace(self, name: str, application: Application) -> None:
        """Unlearn a namespace that is not there; the next plan creates it where its application's entry says so."""
        self._namespaces.discard(name)
        if name and application.create_namespace and name == application.namespace:
            raise Transient(f"namespace {name} has gone: it is created anew")

    async def read(self, manifest: Manifest, marks: Marks) -> Seen:
        """Get a live object at the version that its manifest has. Raises Transient when it has gone meanwhile."""
        resource = await self._discovery.resource(manifest.api_version, manifest.key.kind)
        answer = await self.send(get_request(resource, manifest.key))
        if answer.status == 404:
            raise Transient(f"{manifest.key}: it was deleted while we looked")
        if answer.status != 200:
            raise refusal(answer, manifest.key, where=str(manifest.origin))
        return seen_body(answer.body, manifest.key, marks)

    async def send(self, request: Request) -> Response:
        """Send a request when there is room: the time spent waiting for room is not the server's."""
        async with self._slots:
            return await self._connection.send(request)

    async def _is_creatable(self, resource: Resource, manifest: Manifest, data: bytes) -> bool:
        """Tell whether an apply would create an object; False as well where only an apply can tell."""
        key = manifest.key
        if not is_plain(orjson.loads(manifest.body), key.group):
            return False
        if not await self.permissions.may_patch(resource, key.namespace):
            return False
        return (await self.send(create_request(resource, key, data))).status == 201

    async def _dry_run(self, resource: Resource, key: ObjectKey, data: bytes, *, is_forced: bool) -> Response:
        return await self.send(apply_request(resource, key, data, is_forced=is_forced, is_dry_run=True))

    async def _shared_namespace(self, manifests: Sequence[Manifest], context: Context) -> list[ObjectPlan]:
        """Plan the namespace that `createNamespace: true` asks for, when it is not there."""
        name = context.application.namespace
        if not context.application.create_namespace or not name or name in self._namespaces:
            return []
        is_wanted = any(one.key.namespace == name for one in manifests)
        is_member = any(one.key.kind == "Namespace" and one.key.name == name for one in manifests)
        if not is_wanted or is_member or any(key.namespace == name for key in context.members):
            return []
        key = ObjectKey("", "Namespace", "", name)
        answer = await self.send(Request("GET", f"/api/v1/namespaces/{name}"))
        if answer.status == 200:
            self._namespaces.add(name)
            return []
        if answer.status != 404:
            raise refusal(answer, key, where=str(context.application.origin))
        body = orjson.dumps(shared_namespace(name, context.marks.labels), option=orjson.OPT_SORT_KEYS)
        manifest = Manifest(key, "v1", body, SHARED, context.application.origin)
        return [ObjectPlan(key=key, action=Action.CREATE, manifest=manifest)]

    def _deletions(self, manifests: Sequence[Manifest], context: Context, stored: Stored | None) -> list[ObjectPlan]:
        keys = [one.key for one in manifests]
        members = tuple(context.members.values())
        plans = list(leftovers(keys, members, context.application, context.inventory).deletions)
        if context.application.state is not State.PRESENT and stored is not None:
            key = parent_key(self.installation, context.marks.placement)
            version = stored.resource_version
            plans.append(ObjectPlan(key=key, action=Action.DELETE, uid=stored.uid, resource_version=version))
        return plans


def coming_of(foundation: Iterable[ObjectPlan], manifests: Iterable[Manifest]) -> Coming:
    """Say what a plan's foundation creates, and which kinds it changes the definition of."""
    moved = [one for one in foundation if one.action is not Action.NOTHING and not one.objection]
    definitions = {one.key for one in moved if one.key.kind == "CustomResourceDefinition"}
    return Coming(
        frozenset(one.key.name for one in moved if one.key.kind == "Namespace" and one.action is Action.CREATE),
        brought_kinds(one for one in manifests if one.key in definitions),
    )


def is_deferred(key: ObjectKey, coming: Coming) -> bool:
    """Tell whether an object can only be looked at once an earlier stage is written."""
    return key.namespace in coming.namespaces or key.group_kind in coming.group_kinds


def brought_kinds(manifests: Iterable[Manifest]) -> frozenset[str]:
    """Name the kinds that the CustomResourceDefinitions among these define."""
    found = set()
    for one in manifests:
        if one.key.group_kind == "CustomResourceDefinition.apiextensions.k8s.io":
            spec = orjson.loads(one.body).get("spec") or {}
            found.add(f"{(spec.get('names') or {}).get('kind', '')}.{spec.get('group', '')}")
    return frozenset(found)


def _wrong_wave(manifest: Manifest) -> Stalled | None:
    try:
        wave_of(manifest)
    except Stalled as error:
        return error
    return None


def _is_misplaced(manifest: Manifest, resources: Mapping[str, Resource]) -> bool:
    resource = resources.get(manifest.key.group_kind)
    return resource is not None and resource.namespaced != bool(manifest.key.namespace)


def _misplaced(manifest: Manifest, resources: Mapping[str, Resource]) -> Stalled:
    key = manifest.key
    if resources[key.group_kind].namespaced:
        return Stalled(f"{key} ({manifest.origin}): it has no namespace. Give it one, or its application's entry")
    return Stalled(f"{key} ({manifest.origin}): {key.group_kind} has no namespaces. Take metadata.namespace away")


def _untouched(manifest: Manifest, member: Member) -> ObjectPlan:
    return ObjectPlan(
        key=manifest.key,
        action=Action.NOTHING,
        manifest=manifest,
        uid=member.uid,
        resource_version=member.resource_version,
    )


def _too_early(manifest: Manifest, member: Member) -> ObjectPlan:
    return ObjectPlan(
        key=manifest.key,
        action=Action.CHANGE,
        manifest=manifest,
        uid=member.uid,
        resource_version=member.resource_version,
        objection="it is being deleted: it is created anew when it has gone",
    )


def _created(manifest: Manifest, inventory: Inventory) -> ObjectPlan:
    cause = Cause.DRIFT if inventory.named(manifest.key) else Cause.PENDING
    return ObjectPlan(key=manifest.key, action=Action.CREATE, cause=cause, manifest=manifest)


def _blind(manifest: Manifest, member: Member | None, inventory: Inventory) -> ObjectPlan:
    """Plan what could not be looked at: without changes, and so without force."""
    if member is None:
        return _created(manifest, inventory)
    return ObjectPlan(
        key=manifest.key,
        action=Action.CHANGE,
        manifest=manifest,
        uid=member.uid,
        resource_version=member.resource_version,
    )
