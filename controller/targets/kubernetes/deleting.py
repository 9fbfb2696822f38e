"""Deleting what git no longer says: in reverse order, each in exactly the state that was last seen of it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Final

import orjson

from controller.model import ConvergeError, ObjectKey, ObjectPlan, Result, Stalled, Transient, Waiting
from controller.targets.kubernetes.cache import Cache, Member
from controller.targets.kubernetes.connection import Request, Response
from controller.targets.kubernetes.discovery import Discovery, Resource
from controller.targets.kubernetes.errors import refusal
from controller.targets.kubernetes.judging import seen_body
from controller.targets.kubernetes.lease import Lease
from controller.targets.kubernetes.marking import is_ours, unmarked
from controller.targets.kubernetes.planning import Planner
from controller.targets.kubernetes.requests import delete_request, get_request, let_go_request
from controller.targets.kubernetes.running import Run
from controller.targets.kubernetes.stages import pruning_order
from controller.targets.kubernetes.status import is_modified
from controller.targets.kubernetes.waiting import Changes

ATTEMPTS: Final = 10  # at an object that keeps changing, as one does while it rolls out


class Deleter:
    """Deletes objects of one cluster."""

    def __init__(self, planner: Planner, discovery: Discovery, cache: Cache, lease: Lease, changes: Changes) -> None:
        self._planner = planner
        self._discovery = discovery
        self._cache = cache
        self._lease = lease
        self._changes = changes

    async def prune(self, run: Run, *, staying: Collection[ObjectKey] = ()) -> bool:
        """Delete what the plan says, the parent excepted; True when that is done and its kinds may be forgotten.

        `staying` are not waited for where all of the placement goes.
        """
        parent = self._planner.parent(run.plan.placement)
        is_last = any(one.key == parent for one in run.deletions)
        members = [one for one in run.deletions if one.key != parent]
        stages = pruning_order(members)
        for index, stage in enumerate(stages):
            if run.is_superseded():
                return False
            results = await asyncio.gather(*(self._delete_caught(run, one) for one in stage))
            if not run.settle(stage, results):
                return False
            if index + 1 < len(stages) and not await self._is_gone(run, [one.key for one in stage]):
                return False
        if any(one.objection and one.manifest is None for one in run.plan.objects):
            return not is_last  # what was held back still needs its parent
        return not is_last or await self.is_gone(run, staying=staying)

    async def delete(self, run: Run, planned: Sequence[ObjectPlan]) -> bool:
        """Delete some objects together; True when all of them were."""
        results = await asyncio.gather(*(self._delete_caught(run, one) for one in planned))
        return run.settle(planned, results)

    async def is_gone(self, run: Run, *, staying: Collection[ObjectKey] = ()) -> bool:
        """Wait until all of the placement has vanished, but for what stays."""
        return await self._is_gone(run, None, staying)

    async def _is_gone(self, run: Run, keys: Sequence[ObjectKey] | None, staying: Collection[ObjectKey] = ()) -> bool:
        """Wait until deleted objects (None: all of the placement) have vanished; at the deadline say what holds it."""

        def left() -> str:
            members = self._cache.members(run.plan.placement)
            here = (one for one in members if one.key not in staying and (keys is None or one.key in keys))
            return "; ".join(_still_there(one) for one in here)

        text = await self._changes.until_met(
            run.plan.placement,
            left,
            deadline_seconds=run.application.sync.health_seconds,
            superseded=run.superseded,
        )
        if text:
            run.failures.append(Waiting(f"is still there: {text}"))
        return not text

    async def _delete_caught(self, run: Run, one: ObjectPlan) -> Result | ConvergeError:
        try:
            return await self._delete(run, one)
        except ConvergeError as error:
            return error

    async def _delete(self, run: Run, one: ObjectPlan) -> Result:
        """Delete one object, in exactly the state that was last seen of it, while it says that it is ours."""
        member = run.member(self._cache, one.key)
        if member is None:
            return Result.PRUNED  # it went by itself
        resource = await self._discovery.resource(member.api_version, one.key.kind)
        version = member.resource_version
        if member.uid != one.uid:
            raise Transient(f"{one.key}: it was deleted and made anew since the plan was made")
        if not is_ours(run.own_marks, one.key, member.live()):
            raise Stalled(f"{one.key}: somebody took our owner annotation from it. Delete it by hand, or put it back")
        if one.keeps:
            return await self._let_go(run, one, resource)
        for _ in range(ATTEMPTS):
            self._lease.check()
            answer = await self._send(run, delete_request(resource, one.key, one.uid, version))
            if answer.status in {200, 202, 404}:
                self._note_deleted(one, answer)
                return Result.PRUNED
            if not is_modified(answer):
                raise refusal(answer, one.key)
            answer = await self._send(run, get_request(resource, one.key))
            if answer.status == 404:
                self._cache.note_deleted(one.key, one.uid)
                return Result.PRUNED
            if answer.status != 200:
                raise refusal(answer, one.key)
            seen = seen_body(answer.body, one.key, run.own_marks)
            if seen.uid != one.uid or not seen.is_ours:
                raise Transient(f"{one.key}: it is not ours any more: somebody replaced or took it meanwhile")
            version = seen.resource_version
        raise Transient(f"{one.key}: it keeps changing while we delete it")

    async def _let_go(self, run: Run, one: ObjectPlan, resource: Resource) -> Result:
        """Take our marks from an object that stays, and leave our fields to the manager of what is released."""
        for _ in range(ATTEMPTS):
            answer = await self._send(run, get_request(resource, one.key))
            if answer.status == 404:
                self._cache.note_deleted(one.key, one.uid)
                return Result.PRUNED
            if answer.status != 200:
                raise refusal(answer, one.key)
            live = orjson.loads(answer.body)
            if live["metadata"]["uid"] != one.uid or not is_ours(run.own_marks, one.key, live):
                raise Transient(f"{one.key}: it is not ours any more: somebody replaced or took it meanwhile")
            self._lease.check()
            answer = await self._send(run, let_go_request(resource, one.key, unmarked(live)))
            if answer.status == 200:
                self._cache.note_deleted(one.key, one.uid)
                run.note(one.key, "let go of: it stays, as its annotation asks for")
                return Result.PRUNED
            if not is_modified(answer) and answer.status != 422:
                raise refusal(answer, one.key)
        raise Transient(f"{one.key}: it keeps changing while we let go of it")

    async def _send(self, run: Run, request: Request) -> Response:
        """Send a request in the place of the application's service account."""
        return await self._planner.looker.send(request, run.application.service_account)

    def _note_deleted(self, one: ObjectPlan, answer: Response) -> None:
        """Tell the cache when it is gone for good.

        The server answers with a Status then, or (Services, ServiceAccounts, Pods…) with the object as it was last; one
        that only terminates carries the time of its deletion.
        """
        if answer.status == 404 or "deletionTimestamp" not in orjson.loads(answer.body).get("metadata", {}):
            self._cache.note_deleted(one.key, one.uid)


def _still_there(member: Member) -> str:
    finalizers = (member.live().get("metadata") or {}).get("finalizers") or ()
    return f"{member.key}, held by {', '.join(finalizers)}" if finalizers else str(member.key)
