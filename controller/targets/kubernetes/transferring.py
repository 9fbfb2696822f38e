"""What is written beside our apply of an object whose fields change hands.

Before it: an object that was there before us gets its deployers' field sets made ours, and what is released of ours is
applied with its live value under `converge-released`. After it: what was released and is ours again, that manager lets
go of; and a new object, which began with what git says, is let go of. Each is one request, for such objects only. Who
dies in between leaves an object that the next run takes up where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import orjson

from controller.model import Action, ObjectPlan, Stalled, Transient
from controller.targets.kubernetes.adopting import migration
from controller.targets.kubernetes.autoscalers import released_before
from controller.targets.kubernetes.cache import Cache
from controller.targets.kubernetes.connection import Response
from controller.targets.kubernetes.discovery import Discovery, Resource
from controller.targets.kubernetes.errors import refusal
from controller.targets.kubernetes.handover import (
    Left,
    handed_over,
    left_out,
    not_yet_held,
    released_body,
    taken_back,
    with_held,
)
from controller.targets.kubernetes.judging import Seen, existing_objection, seen_body
from controller.targets.kubernetes.labels import RELEASED_MANAGER
from controller.targets.kubernetes.lease import Lease
from controller.targets.kubernetes.looking import Context, adoption
from controller.targets.kubernetes.ownership import Tree
from controller.targets.kubernetes.planning import Planner
from controller.targets.kubernetes.requests import apply_request, managers_request
from controller.targets.kubernetes.running import Run, manifest_of
from controller.targets.kubernetes.status import conflicts, is_modified

ATTEMPTS: Final = 10  # at an object that moves between looking and writing, as one does while it rolls out
RELEASED: Final = RELEASED_MANAGER.encode()


class Transfers:
    """Hands fields over, for one cluster."""

    def __init__(
        self,
        planner: Planner,
        discovery: Discovery,
        cache: Cache,
        lease: Lease,
        *,
        context: Callable[[Run], Context],
    ) -> None:
        self._context = context
        self._planner = planner
        self._discovery = discovery
        self._cache = cache
        self._lease = lease

    def is_due(self, run: Run, one: ObjectPlan) -> bool:
        """Tell whether an object has to be looked at before it is written: most have not."""
        if one.action in {Action.CREATE, Action.REPLACE}:
            return False
        if one.adopts or manifest_of(one).releases:
            return True
        return one.key in run.released(self._cache)

    async def begin(self, run: Run, one: ObjectPlan) -> tuple[ObjectPlan, Left]:
        """Hand over what has to be before our apply. Gives the plan for the state that it leaves, and what is left out.

        Raises Transient when the object is not as it was planned, Stalled when it is not ours to take.
        """
        manifest = manifest_of(one)
        resource = await self._discovery.resource(manifest.api_version, manifest.key.kind)
        seen = await self._planner.looker.read(manifest, self._context(run))
        is_planned = seen.resource_version == one.resource_version
        if not seen.is_ours:
            await self._require_as_planned(run, one, seen)
            seen = await self._adopt(run, one, resource, seen)
        releases = manifest.releases or released_before(seen.released)
        for _ in range(ATTEMPTS):
            owed = handed_over(seen.live, seen.managed, releases, was_cleared=seen.was_cleared)
            handed = not_yet_held(seen.managed, owed)
            if not handed:
                break
            response = await self._apply_released(run, one, resource, seen, with_held(seen.managed, handed))
            if response.status == 200:
                seen = seen_body(response.body, one.key, run.marks)
            elif is_modified(response) or conflicts(response):
                seen = await self._planner.looker.read(manifest, self._context(run))
            else:
                raise refusal(response, one.key, where=str(manifest.origin))
        else:
            raise Transient(f"{one.key}: it keeps changing while its fields are handed over")
        left = left_out(orjson.loads(manifest.body), releases, seen.managed)
        # A state that nobody looked at is not written by force: the planned version will be refused, and looked at.
        is_as_planned = not one.force or is_planned
        return (replace(one, resource_version=seen.resource_version) if is_as_planned else one), left

    async def end(self, run: Run, one: ObjectPlan, answer: Response) -> Response:
        """Do what is left after our apply; gives the last answer that shows the object."""
        manifest = manifest_of(one)
        if answer.status == 201 and self._begins_released(run, one, answer):
            answer = await self._let_go(run, one)
        if RELEASED not in answer.body:
            return answer
        seen = seen_body(answer.body, one.key, run.marks)
        rest = taken_back(seen.managed)
        if rest is None:
            return answer
        resource = await self._discovery.resource(manifest.api_version, manifest.key.kind)
        response = await self._apply_released(run, one, resource, seen, rest)
        if response.status == 200:
            return response
        if is_modified(response) or conflicts(response):
            return answer  # somebody was faster: two managers with one value do no harm until the next apply
        raise refusal(response, one.key, where=str(manifest.origin))

    def _begins_released(self, run: Run, one: ObjectPlan, answer: Response) -> bool:
        """Tell whether a new object holds something of ours that is left to others from now on."""
        releases = manifest_of(one).releases
        if not releases:
            return False
        seen = seen_body(answer.body, one.key, run.marks)
        return bool(handed_over(seen.live, seen.managed, releases))

    async def _let_go(self, run: Run, one: ObjectPlan) -> Response:
        """Let go of what a new object began with."""
        manifest = manifest_of(one)
        resource = await self._discovery.resource(manifest.api_version, manifest.key.kind)
        one, left = await self.begin(run, one)
        data = self._planner.looker.stamped.take(run.marks, manifest, left)
        self._lease.check()
        answer = await self._planner.looker.send(
            apply_request(resource, one.key, data, is_forced=False, is_dry_run=False), run.application.service_account
        )
        if answer.status != 200:
            raise refusal(answer, one.key, where=str(manifest.origin))
        return answer

    async def _require_as_planned(self, run: Run, one: ObjectPlan, seen: Seen) -> None:
        """Take an object over only as announced; what counts on in its status is no change."""
        objection = existing_objection(one.key, seen, adoption(manifest_of(one), self._context(run)), run.marks)
        if objection:
            raise Stalled(f"{one.key} ({manifest_of(one).origin}): {objection}")
        if seen.resource_version == one.resource_version:
            return
        looked = await self._planner.looker.look(manifest_of(one), self._context(run), seen)
        if (looked.changes, looked.adopts, looked.objection) != (one.changes, one.adopts, one.objection):
            raise Transient(f"{one.key}: it changed since the plan to take it over was made")

    async def _adopt(self, run: Run, one: ObjectPlan, resource: Resource, seen: Seen) -> Seen:
        """Make the field sets of an object's deployers ours, in exactly the state that was planned for."""
        found = migration(seen.managed)
        if not found.managers:
            return seen
        self._lease.check()
        entries = [dict(entry) for entry in found.entries]
        response = await self._planner.looker.send(
            managers_request(resource, one.key, entries, seen.resource_version), run.application.service_account
        )
        if response.status == 200:
            return seen_body(response.body, one.key, run.marks)
        if is_modified(response) or response.status == 422:  # the patch's test of the version
            raise Transient(f"{one.key}: it changed since the plan to take it over was made")
        raise refusal(response, one.key, where=str(manifest_of(one).origin))

    async def _apply_released(self, run: Run, one: ObjectPlan, resource: Resource, seen: Seen, tree: Tree) -> Response:
        body = released_body(seen.live, manifest_of(one).api_version, tree)
        body["metadata"]["resourceVersion"] = seen.resource_version
        self._lease.check()
        data = orjson.dumps(body)
        return await self._planner.looker.send(
            apply_request(resource, one.key, data, is_forced=False, is_dry_run=False, manager=RELEASED_MANAGER),
            run.application.service_account,
        )
