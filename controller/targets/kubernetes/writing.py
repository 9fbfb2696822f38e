"""Applying one object: forced only for what was announced and in exactly the state that was looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace
from typing import Any, Final

import orjson

from controller.model import (
    Action,
    Application,
    Cause,
    ConvergeError,
    FieldPath,
    Manifest,
    ObjectPlan,
    OnDrift,
    Result,
    Stalled,
    Transient,
    Waiting,
    format_path,
)
from controller.targets.kubernetes.cache import Cache
from controller.targets.kubernetes.conflict_fields import conflict_text
from controller.targets.kubernetes.connection import JSON, Request, Response
from controller.targets.kubernetes.discovery import Discovery
from controller.targets.kubernetes.errors import refusal
from controller.targets.kubernetes.holding import hold
from controller.targets.kubernetes.inventory import Inventories
from controller.targets.kubernetes.judging import seen_body, seen_member
from controller.targets.kubernetes.labels import FIRST_APPLY
from controller.targets.kubernetes.lease import Lease
from controller.targets.kubernetes.looking import Context
from controller.targets.kubernetes.marking import NOTHING_LEFT, is_mark_path
from controller.targets.kubernetes.planning import SHARED, Planner
from controller.targets.kubernetes.requests import (
    BY_MANAGER,
    apply_request,
    delete_request,
    get_request,
    managers_request,
)
from controller.targets.kubernetes.running import Run, manifest_of
from controller.targets.kubernetes.status import conflicts, is_modified
from controller.targets.kubernetes.transferring import Transfers
from controller.targets.kubernetes.waiting import Changes

REPLACE_SECONDS: Final = 60.0  # until what is replaced has gone
ATTEMPTS: Final = 8  # at an object that moves between looking and writing
SCHEMA_PAUSES: Final = (0.1, 0.4, 1.5)  # seconds


class Writer:
    """Writes single objects of one cluster."""

    def __init__(
        self,
        planner: Planner,
        discovery: Discovery,
        cache: Cache,
        inventories: Inventories,
        lease: Lease,
        changes: Changes,
    ) -> None:
        self._changes = changes
        self._planner = planner
        self._discovery = discovery
        self._cache = cache
        self._inventories = inventories
        self._lease = lease
        self._transfers = Transfers(planner, discovery, cache, lease, context=self.context)

    async def look(self, run: Run, one: ObjectPlan, context: Context) -> ObjectPlan | ConvergeError:
        """Look at what the plan could not look at."""
        manifest = manifest_of(one)
        try:
            looked = await self._look_patiently(manifest, context)
        except ConvergeError as error:
            return error
        if looked.objection:
            return Stalled(f"{one.key} ({manifest.origin}): {looked.objection}")
        return _with_policy(looked, run.application)

    async def _look_patiently(self, manifest: Manifest, context: Context) -> ObjectPlan:
        """Look again while the server may still go by the definition that was in force a moment ago.

        It takes up a changed CustomResourceDefinition shortly after it said yes to it, and no event tells when.
        """
        for seconds in SCHEMA_PAUSES:
            try:
                return await self._planner.looker.look(manifest, context)
            except Stalled:
                await asyncio.sleep(seconds)
        return await self._planner.looker.look(manifest, context)

    def context(self, run: Run) -> Context:
        placement = run.plan.placement
        inventory = self._inventories.inventory(placement)
        return Context(
            application=run.application,
            marks=run.marks,
            inventory=inventory,
            members={one.key: one for one in self._cache.members(placement)},
            is_applied=inventory.digest == run.plan.desired,
        )

    async def write(self, run: Run, one: ObjectPlan) -> Result | ConvergeError:
        try:
            return await self._attempt(run, one)
        except ConvergeError as error:
            return error

    async def _attempt(self, run: Run, one: ObjectPlan) -> Result:
        """Apply one object. Raises what the server's refusal means."""
        manifest = manifest_of(one)
        one = replace(one, held=tuple(path for path in one.held if not is_mark_path(path)))
        if manifest.digest == SHARED:
            return await self._create_namespace(manifest)
        if one.action is Action.REPLACE:
            await self._make_way(run, one)
        announced = frozenset(change.path for change in one.changes)
        answer = await self._send(run, one)
        for _ in range(ATTEMPTS):
            if not is_modified(answer):
                break
            one = await self._look_again(run, one, announced)
            if one.action is Action.NOTHING:
                return Result.UNCHANGED
            answer = await self._send(run, one)
        if answer.status not in {200, 201}:
            if answer.status == 403:
                self._planner.looker.permissions.forget(manifest.key)
            raise _refused(run, manifest, answer)
        is_created = answer.status == 201
        answer = await self._transfers.end(run, one, answer)
        if not one.held:  # else the object is not as git says: the cache's next event must find it suspect
            await self._note_written(run, manifest, answer)
        if one.left_behind:
            run.note(one.key, f"left behind: {_kept_text(one)}")
        return Result.CREATED if is_created else Result.CONFIGURED

    async def _make_way(self, run: Run, one: ObjectPlan) -> None:
        """Delete what is to be made anew, in exactly the state that was looked at, and wait until it has gone."""
        manifest = manifest_of(one)
        resource = await self._discovery.resource(manifest.api_version, manifest.key.kind)
        version = one.resource_version
        for _ in range(ATTEMPTS):
            self._lease.check()
            answer = await self._send_as(run, delete_request(resource, one.key, one.uid, version))
            if not is_modified(answer):
                break
            seen = await self._planner.looker.read(manifest, self.context(run))  # its status counts on
            looked = await self._planner.looker.look(manifest, self.context(run), seen)
            if seen.uid != one.uid or looked.action is not Action.REPLACE or looked.objection:
                raise Transient(f"{one.key}: it changed since the plan to make it anew was made")
            version = seen.resource_version
        else:
            raise Transient(f"{one.key}: it keeps changing while we make it anew")
        if answer.status not in {200, 202, 404}:
            raise refusal(answer, one.key, where=str(manifest.origin))

        def is_still_there() -> str:
            member = run.member(self._cache, one.key)
            return str(one.key) if member is not None and member.uid == one.uid else ""

        text = await self._changes.until_met(
            run.plan.placement, is_still_there, deadline_seconds=REPLACE_SECONDS, superseded=run.superseded
        )
        if text:
            raise Waiting(f"{text} is made anew once its predecessor has gone, which is still there")

    async def _send(self, run: Run, one: ObjectPlan) -> Response:
        manifest, left = manifest_of(one), NOTHING_LEFT
        if self._transfers.is_due(run, one):
            one, left = await self._transfers.begin(run, one)
        resource = await self._discovery.resource(manifest.api_version, manifest.key.kind)
        takes_back = any(each.cause is Cause.DRIFT and each.path not in one.held for each in one.changes)
        is_forced = one.force and (takes_back or one.seize)
        data = self._planner.looker.stamped.take(run.marks, manifest, left)
        if one.held:
            data = await self._held_out(run, one, data)
        if is_forced:  # exactly the state that was looked at
            data = _at_version(data, one.resource_version)
        self._lease.check()
        request = apply_request(resource, manifest.key, data, is_forced=is_forced, is_dry_run=False)
        return await self._send_as(run, request)

    async def _send_as(self, run: Run, request: Request) -> Response:
        """Send a request in the place of the application's service account."""
        return await self._planner.looker.send(request, run.application.service_account)

    async def _held_out(self, run: Run, one: ObjectPlan, data: bytes) -> bytes:
        """Take out what is held, or give it its live value. What lost our label is not in the cache: it is read."""
        body: dict[str, Any] = orjson.loads(data)
        member = run.member(self._cache, one.key)
        seen = seen_member(member) if member else await self._planner.looker.read(manifest_of(one), self.context(run))
        hold(body, one.held, seen.live, seen.managed)
        return orjson.dumps(body)

    async def _look_again(self, run: Run, one: ObjectPlan, announced: Collection[FieldPath]) -> ObjectPlan:
        """Judge an object anew that moved since it was looked at; go on only if nothing new would be taken."""
        manifest = manifest_of(one)
        seen = await self._planner.looker.read(manifest, self.context(run))
        looked = await self._planner.looker.look(manifest, self.context(run), seen)
        if looked.objection:
            raise Stalled(f"{one.key} ({manifest.origin}): {looked.objection}")
        news = [each.path for each in looked.changes if each.cause is Cause.DRIFT and each.path not in announced]
        if news:
            raise Transient(f"{one.key}: somebody changed more of it since the plan was made")
        return replace(looked, held=one.held)

    async def _create_namespace(self, manifest: Manifest) -> Result:
        self._lease.check()
        request = Request("POST", "/api/v1/namespaces", (BY_MANAGER,), manifest.body, JSON)
        answer = await self._planner.looker.send(request)
        self._planner.note_namespace(manifest.key.name)
        if answer.status == 409:
            return Result.UNCHANGED  # somebody was faster: it is a shared one anyway
        if answer.status != 201:
            raise refusal(answer, manifest.key, where=str(manifest.origin))
        return Result.CREATED

    async def _note_written(self, run: Run, manifest: Manifest, answer: Response) -> None:
        member = self._cache.note_applied(answer.body)
        self._planner.note_written(member.uid)
        if FIRST_APPLY.encode() in answer.body:
            await self._disown_first_apply(run, manifest, answer.body)

    async def _disown_first_apply(self, run: Run, manifest: Manifest, body: bytes) -> None:
        """Take back the co-owner that the server made up for an object of ours whose managers had been cleared.

        It would keep every field that git drops later. An object that was not ours keeps it: somebody wrote its fields.
        """
        resource = await self._discovery.resource(manifest.api_version, manifest.key.kind)
        for _ in range(ATTEMPTS):
            seen = seen_body(body, manifest.key, run.marks)
            others = [dict(one) for one in seen.managed if one.get("manager") != FIRST_APPLY]
            made_up = [one for one in seen.managed if one.get("manager") == FIRST_APPLY]
            named_us = any("f:converge/owner" in str(one.get("fieldsV1")) for one in made_up)
            if not named_us or not seen.is_ours:
                return
            answer = await self._send_as(run, managers_request(resource, manifest.key, others, seen.resource_version))
            if answer.status == 200:
                self._cache.note_applied(answer.body)
                return
            if not is_modified(answer) and answer.status != 422:  # the patch's test of the version
                raise refusal(answer, manifest.key, where=str(manifest.origin))
            now = await self._send_as(run, get_request(resource, manifest.key))  # its status counts on
            if now.status != 200:
                raise refusal(now, manifest.key, where=str(manifest.origin))
            if seen_body(now.body, manifest.key, run.marks).resource_version == seen.resource_version:
                raise refusal(answer, manifest.key, where=str(manifest.origin))  # it was not the version
            body = now.body
        raise Transient(f"{manifest.key}: it keeps changing while its managers are put in order")


def _at_version(data: bytes, resource_version: str) -> bytes:
    body: dict[str, Any] = orjson.loads(data)
    body["metadata"]["resourceVersion"] = resource_version
    return orjson.dumps(body)


def _kept_text(one: ObjectPlan) -> str:
    return ", ".join(f"{format_path(path)} (kept by {keeper})" for path, keeper in one.left_behind)


def _with_policy(looked: ObjectPlan, application: Application) -> ObjectPlan:
    """Hold what drifted where policy does not take it back: the gate could not see it."""
    if application.sync.drift is OnDrift.REVERT:
        return looked
    held = tuple(one.path for one in looked.changes if one.cause is Cause.DRIFT)
    return replace(looked, held=held, force=False) if held else looked


def _refused(run: Run, manifest: Manifest, answer: Response) -> ConvergeError:
    """Say what a refusal means; a conflict that the preflight did not see is somebody who came in between."""
    taken = conflicts(answer)
    if taken and run.application.sync.preflight:
        return Transient(f"{manifest.key} ({manifest.origin}): since the plan was made, {conflict_text(taken)}")
    return refusal(answer, manifest.key, where=str(manifest.origin))
