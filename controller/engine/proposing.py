"""`drift: propose`: what somebody changed on a target is offered to git, as a branch that people merge or delete.

One branch per state of a placement's drift: its name holds a digest of the fields and their values, so that the same
drift is offered once, also after a restart, and another one beside it. Merged, it is what git says, and the drift ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controller.documents import canonical, digest_of
from controller.engine.backoff import backoff_seconds
from controller.engine.committing import Style
from controller.engine.events import DriftProposed, ProposalFailed, Tell
from controller.engine.operations import Accepted, OperationChange, acceptance, folder_of, with_prepared
from controller.engine.preparing import Workshop
from controller.engine.spawning import Spawn
from controller.git import Committer, Mirror
from controller.model import (
    ABSENT,
    CommitId,
    Digest,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is offered, and over which commit of the platform. `requests` are those of the placement's group there."""

    placement: PlacementRef
    fields: Sequence[Accepted]
    branch: str
    requests: Mapping[PlacementRef, RenderRequest]
    mirror: Mirror
    head: CommitId
    style: Style


class Proposer:
    """Offers drift, one placement's at a time. Owned by the controller."""

    def __init__(self, spawn: Spawn, clock: Clock, tell: Tell, workshop: Workshop) -> None:
        self._spawn = spawn
        self._clock = clock
        self._tell = tell
        self._workshop = workshop
        self._offered: dict[PlacementRef, str] = {}  # the branch of what was offered last

    def offer(
        self,
        report: PlacementReport,
        requests: Mapping[PlacementRef, RenderRequest],
        mirror: Mirror,
        head: CommitId,
        style: Style,
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
        offer = Offer(
            placement=placement, fields=fields, branch=branch, requests=requests, mirror=mirror, head=head, style=style
        )
        self._spawn(self._offer(offer), f"proposal {branch}")

    async def _offer(self, offer: Offer) -> None:
        why = ""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._push(offer)
            except Stalled as error:
                why = str(error)
                break
            except Transient as error:
                why = str(error)
                await self._clock.sleep(backoff_seconds(attempt, chance=0.5))
            else:
                return
        self._tell(ProposalFailed(offer.placement, offer.branch, why))
        if self._offered.get(offer.placement) == offer.branch:
            del self._offered[offer.placement]  # the next time that it is looked at, it is offered again

    async def _push(self, offer: Offer) -> None:
        """Make the branch. One that is there was offered before, and people may have gone on there."""
        if await offer.mirror.refs([f"refs/heads/{offer.branch}"]):
            return
        folder = folder_of(offer.placement, offer.requests)
        operation = await self._workshop.work(
            lambda prepared: offer.mirror.compute(
                lambda: acceptance(offer.placement, offer.fields, with_prepared(offer.requests, prepared), folder)
            )
        )
        committer = Committer(
            offer.mirror,
            offer.branch,
            identity=offer.style.identity,
            clock=self._clock,
            suffix="",
            start=offer.head,
            subject=offer.style.subject,
            sign=offer.style.sign,
        )
        async with committer:
            commit = await committer.submit(OperationChange(operation, _why(offer)))
        if commit is not None:
            self._tell(DriftProposed(offer.placement, offer.branch, commit))


def _why(offer: Offer) -> str:
    lines = "\n".join(f"- {one}" for one in offer.fields)
    return f"{offer.placement} runs other values than git says:\n\n{lines}\n\nMerge this to keep them."
