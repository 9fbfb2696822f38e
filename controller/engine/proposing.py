"""`drift: propose`: what somebody changed on a target is offered to git, as a branch that people merge or delete.

One branch per state of a placement's drift: its name holds a digest of the fields and their values, so that the same
drift is offered once, also after a restart, and another one beside it. Merged, it is what git says, and the drift ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from controller.documents import canonical, digest_of
from controller.engine.backoff import backoff_seconds
from controller.engine.events import DriftProposed, ProposalFailed, Tell
from controller.engine.operations import Accepted, OperationChange, acceptance, with_prepared
from controller.engine.preparing import Workshop
from controller.engine.spawning import Spawn
from controller.git import Committer, Identity, Mirror
from controller.model import (
    ABSENT,
    CommitId,
    Digest,
    GroupRef,
    Hidden,
    JsonValue,
    PlacementRef,
    PlacementReport,
    Stalled,
    SyncStatus,
    Transient,
    Unknown,
    format_path,
)
from controller.render import RenderRequest
from controller.runtime import Clock

PREFIX: Final = "converge/accept"
ATTEMPTS: Final = 5
DIGITS: Final = 10


def drifted_fields(report: PlacementReport) -> tuple[Accepted, ...]:
    """Give the fields that drifted and can be said in git: a secret value never leaves its target."""
    return tuple(
        Accepted(one.key, change.path, change.before)
        for one in report.objects
        if one.sync is SyncStatus.DRIFTED
        for change in one.drift
        if not isinstance(change.before, Hidden | Unknown)
    )


def proposal_branch(placement: PlacementRef, fields: Sequence[Accepted]) -> str:
    """Name the branch that offers these fields."""
    said: list[JsonValue] = [
        [str(one.key), format_path(one.field), None if one.value is ABSENT else [one.value]]
        for one in sorted(fields, key=str)
    ]
    digest: Digest = digest_of(canonical([str(placement), said]))
    return f"{PREFIX}/{placement.environment}/{placement.application}-{digest.partition(':')[2][:DIGITS]}"


class Proposer:
    """Offers drift, one placement's at a time. Owned by the controller."""

    def __init__(self, spawn: Spawn, clock: Clock, tell: Tell, identity: Identity, workshop: Workshop) -> None:
        self._spawn = spawn
        self._clock = clock
        self._tell = tell
        self._identity = identity
        self._workshop = workshop
        self._offered: dict[PlacementRef, str] = {}  # the branch of what was offered last

    def offer(
        self,
        report: PlacementReport,
        requests: Mapping[PlacementRef, RenderRequest],
        mirror: Mirror,
        head: CommitId,
    ) -> None:
        """Offer a placement's drift, unless that was done. `requests`: its group's, at the platform's `head`."""
        placement, fields = report.placement, drifted_fields(report)
        if not fields:
            self._offered.pop(placement, None)
            return
        branch = proposal_branch(placement, fields)
        if self._offered.get(placement) == branch:
            return
        self._offered[placement] = branch
        self._spawn(self._offer(placement, fields, branch, requests, mirror, head), f"proposal {branch}")

    async def _offer(
        self,
        placement: PlacementRef,
        fields: Sequence[Accepted],
        branch: str,
        requests: Mapping[PlacementRef, RenderRequest],
        mirror: Mirror,
        head: CommitId,
    ) -> None:
        why = ""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._push(placement, fields, branch, requests, mirror, head)
            except Stalled as error:
                why = str(error)
                break
            except Transient as error:
                why = str(error)
                await self._clock.sleep(backoff_seconds(attempt, chance=0.5))
            else:
                return
        self._tell(ProposalFailed(placement, branch, why))
        if self._offered.get(placement) == branch:
            del self._offered[placement]  # the next time that it is looked at, it is offered again

    async def _push(
        self,
        placement: PlacementRef,
        fields: Sequence[Accepted],
        branch: str,
        requests: Mapping[PlacementRef, RenderRequest],
        mirror: Mirror,
        head: CommitId,
    ) -> None:
        """Make the branch. One that is there was offered before, and people may have gone on there."""
        if await mirror.refs([f"refs/heads/{branch}"]):
            return
        folder = _folder(placement.group, requests, placement)
        operation = await self._workshop.work(
            lambda prepared: mirror.compute(
                lambda: acceptance(placement, fields, with_prepared(requests, prepared), folder)
            )
        )
        committer = Committer(mirror, branch, identity=self._identity, clock=self._clock, suffix="", start=head)
        async with committer:
            commit = await committer.submit(OperationChange(operation, _why(placement, fields)))
        if commit is not None:
            self._tell(DriftProposed(placement, branch, commit))


def _folder(group: GroupRef, requests: Mapping[PlacementRef, RenderRequest], placement: PlacementRef) -> str:
    folder = f"overlays/{group.environment}/{group.application}"
    return folder if len(requests) == 1 else f"{folder}/{placement.target}"


def _why(placement: PlacementRef, fields: Sequence[Accepted]) -> str:
    lines = "\n".join(f"- {one}" for one in fields)
    return f"{placement} runs other values than git says:\n\n{lines}\n\nMerge this to keep them."
