"""What a sync would do, said before anything is written.

An object whose digest is the one applied last, and that nothing moved, costs no request. The others cost one unforced
server dry run each, which is the preflight: its conflicts say who owns what; for what nobody knows yet a dry POST will
mostly do (`creating`). What can't be preflighted yet, because the
same plan creates its namespace or its kind, is looked at again when its stage comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
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
    Neighbours,
    ObjectKey,
    ObjectPlan,
    PlacementRef,
    Plan,
    Secret,
    Stalled,
    State,
    Waiting,
)
from controller.targets.hooks import Phase, phase_of, runs_to_its_end
from controller.targets.kubernetes.autoscalers import released_before
from controller.targets.kubernetes.cache import CONFIG_MAPS, Cache, Member
from controller.targets.kubernetes.connection import Connection, Request
from controller.targets.kubernetes.discovery import Discovery, Resource
from controller.targets.kubernetes.errors import Coming, combined, refusal
from controller.targets.kubernetes.handover import annotation, left_out
from controller.targets.kubernetes.inventory import Inventories, Stored
from controller.targets.kubernetes.judging import (
    plan_hash,
)
from controller.targets.kubernetes.kept_hooks import KeptHooks, unpack_hooks
from controller.targets.kubernetes.looking import Context, Looker, blind, created, untouched
from controller.targets.kubernetes.marking import NOTHING_LEFT, Marks, shared_namespace
from controller.targets.kubernetes.options import options_of
from controller.targets.kubernetes.ownership import baseline, is_as_applied
from controller.targets.kubernetes.pruning import leftovers
from controller.targets.kubernetes.reach import EVERYWHERE, Reach
from controller.targets.kubernetes.stages import is_foundation

SHARED: Final = Digest("shared-namespace")  # the digest of a namespace that `createNamespace` asks for


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
        reach: Reach = EVERYWHERE,
    ) -> None:
        self._reach = reach
        self._discovery = discovery
        self._cache = cache
        self._inventories = inventories
        self.installation = installation
        self._plan_key = plan_key
        self._judged: set[str] = set()  # uids whose state this process has judged or written
        self._namespaces: set[str] = set()  # that are known to be there
        self.looker = Looker(connection, discovery, cache, plan_key=plan_key, namespaces=self._namespaces)

    async def plan(self, desired: Desired, application: Application) -> Plan:
        """Say per object what a sync would do. Raises one error with every refusal of a preflight."""
        application = self.authorized(desired.placement, application)
        manifests = desired.manifests if application.state is State.PRESENT else ()
        await self.follow(manifests)
        stored = self._inventories.stored(desired.placement)
        inventory = self._inventories.inventory(desired.placement)
        context = Context(
            application=application,
            marks=self.marks(desired.placement, desired.neighbours),
            inventory=inventory,
            members={one.key: one for one in self._cache.members(desired.placement)},
            is_applied=inventory.digest == desired.digest,
        )
        hooks = KeptHooks(desired.before_delete, desired.after_delete)
        if application.state is not State.PRESENT:
            hooks = unpack_hooks(context.inventory.hooks)
            members = {key: one for key, one in context.members.items() if key not in hooks.keys}
            context = replace(context, members=members)  # they have their own turn
        objects = [
            *await self._writes(manifests, context),
            *self._deletions(manifests, context, stored, desired.spared),
        ]
        return Plan(
            placement=desired.placement,
            revision=desired.revision,
            desired=desired.digest,
            objects=tuple(objects),
            hash=plan_hash(desired, objects, self._plan_key),
            neighbours=desired.neighbours,
            on_failure=desired.on_failure,
            before_delete=hooks.before,
            after_delete=hooks.after,
        )

    def marks(self, placement: PlacementRef, neighbours: Neighbours | None) -> Marks:
        """Give the marks of a placement's objects."""
        return Marks.of(self.installation, placement, neighbours, self._reach.home)

    def authorized(self, placement: PlacementRef, application: Application) -> Application:
        """Give an application that left git the service account that wrote it: nobody says one any more."""
        if application.state is not State.REMOVED:
            return application
        return replace(application, service_account=self._inventories.inventory(placement).account)

    def parent(self, placement: PlacementRef) -> ObjectKey:
        """Name a placement's ApplySet parent."""
        return self._inventories.key(placement)

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
        errors += [wrong for one in manifests if (wrong := _wrong_option(one)) is not None]
        errors += [_misplaced(one, by_kind) for one in manifests if _is_misplaced(one, by_kind)]
        errors += [_beyond(one, why) for one in manifests if (why := self._reach.objection(one.key.namespace))]
        if errors:
            raise combined(errors)
        await self._cache.ensure([CONFIG_MAPS, *found], {one.key.namespace for one in manifests})

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
        later = replace(context, coming=coming)
        rest = await self._look_all([one for one in manifests if not is_foundation(one.key)], later)
        return [*namespace, *first, *self._with_company(rest, later)]

    def _with_company(self, planned: Sequence[ObjectPlan], context: Context) -> Sequence[ObjectPlan]:
        """Bring hooks back that were taken away after their work, where a hook beside them is about to be written.

        What a Job of hooks reads may have gone with the last one; a Job itself runs once per content.
        """
        if not context.inventory.finished:
            return planned
        phases = {phase_of(one.manifest) for one in planned if one.manifest and one.action is not Action.NOTHING}
        phases.discard(Phase.ORDINARY)

        def comes_back(one: ObjectPlan, manifest: Manifest) -> bool:
            is_away = one.action is Action.NOTHING and one.key not in context.members
            return is_away and not runs_to_its_end(one.key) and phase_of(manifest) in phases

        return [
            replace(created(one.manifest, context.inventory), cause=Cause.PENDING)
            if one.manifest is not None and comes_back(one, one.manifest)
            else one
            for one in planned
        ]

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
            if context.inventory.has_run(manifest.key, manifest.digest):
                return ObjectPlan(key=manifest.key, action=Action.NOTHING, manifest=manifest)
        elif member.is_terminating:
            return _too_early(manifest, member)
        elif options_of(manifest).is_applied_once or (
            member.digest == manifest.digest and self._is_clean(manifest, member, context.marks)
        ):
            return untouched(manifest, member)
        if is_deferred(manifest.key, context.coming):
            return blind(manifest, member, context.inventory)
        is_drift = member is not None and member.is_suspect
        return None if is_drift or context.application.sync.preflight else blind(manifest, member, context.inventory)

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
        live, managed = member.live(), member.managed()
        releases = (*manifest.releases, *released_before(member.released))
        left = left_out(orjson.loads(manifest.body), releases, managed) if releases else NOTHING_LEFT
        if annotation(left) != member.released or not is_as_applied(marks.stamp(manifest, left), live, managed):
            return False
        self._cache.note_clean(member, baseline(live, managed))
        return True

    async def _attempt(self, manifest: Manifest, context: Context) -> ObjectPlan | ConvergeError:
        try:
            return await self.looker.look(manifest, context)
        except ConvergeError as error:
            return error

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
        answer = await self.looker.send(Request("GET", f"/api/v1/namespaces/{name}"))
        if answer.status == 200:
            self._namespaces.add(name)
            return []
        if answer.status != 404:
            raise refusal(answer, key, where=str(context.application.origin))
        body = orjson.dumps(shared_namespace(name, context.marks.labels), option=orjson.OPT_SORT_KEYS)
        manifest = Manifest(key, "v1", body, SHARED, context.application.origin)
        return [ObjectPlan(key=key, action=Action.CREATE, manifest=manifest)]

    def _deletions(
        self, manifests: Sequence[Manifest], context: Context, stored: Stored | None, spared: frozenset[ObjectKey]
    ) -> list[ObjectPlan]:
        keys = [one.key for one in manifests]
        moving = context.marks.neighbours.moving if context.marks.neighbours else frozenset()
        members = tuple(one for one in context.members.values() if one.key not in moving)
        plans = list(leftovers(keys, members, context.application, context.inventory, spared).deletions)
        if context.application.state is not State.PRESENT and stored is not None:
            key = self.parent(context.marks.placement)
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


def _wrong_option(manifest: Manifest) -> Stalled | None:
    try:
        options_of(manifest)
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


def _beyond(manifest: Manifest, why: str) -> Stalled:
    return Stalled(f"{manifest.key} ({manifest.origin}): {why}. Move it, or widen `namespaces` of the target")


def _too_early(manifest: Manifest, member: Member) -> ObjectPlan:
    return ObjectPlan(
        key=manifest.key,
        action=Action.CREATE,
        cause=Cause.DRIFT if member.digest == manifest.digest else Cause.PENDING,
        manifest=manifest,
        uid=member.uid,
        resource_version=member.resource_version,
        objection="it is being deleted: it is created anew when it has gone",
        waits=True,
    )
