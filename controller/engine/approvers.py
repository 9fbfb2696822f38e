"""Finds out who said yes to plans: the commits of the platform repository that added what stands in an approvals file.

A merge adds what its branch brought: the yes is then of whoever committed it there. Where a host rewrites commits as it
merges (squash, rebase), the author stays, and the signature is the host's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final, TypeAlias

from controller.engine.approvals import Approval, approvals, approvals_path, approved_plans
from controller.engine.judging import Judged, Yes, is_plain, judge, people_of, signers_named
from controller.engine.sources import Checkout, Signers
from controller.git import CommitInfo, Mirror
from controller.model import PLATFORM, Approvals, CommitId, ConvergeError, GroupRef, Invalid, Stalled, Tree

LOOKED_THROUGH: Final = 200  # commits, for those that added an approval
OF_A_BRANCH: Final = 50  # commits of what was merged
DEEPEST: Final = 4  # merges inside of merges

Log: TypeAlias = Sequence[tuple[CommitInfo, Tree]]  # newest first


async def judged(
    rules: Approvals,
    group: GroupRef,
    platform: Checkout,
    mirror: Mirror,
    *,
    now: datetime,
    authors: frozenset[str] = frozenset(),
) -> Judged:
    """Weigh the yeses to a group's plans that are in force. `authors`: addresses of who made the change.

    Raises Invalid for a file of another form, Transient where history can't be asked for.
    """
    if is_plain(rules):
        return Judged(approved_plans(platform.tree, group, now=now))
    signers = signers_in(platform.tree, rules)
    people = people_of(rules, signers.ssh)
    if not approvals(platform.tree, group):
        return judge(rules, (), now=now, people=people, authors=authors)
    log = await mirror.log(platform.commit, limit=LOOKED_THROUGH, repository=PLATFORM)
    found = await _Yeses(mirror, group, signers).of(log)
    return judge(rules, found, now=now, people=people, authors=authors)


def signers_in(tree: Tree, rules: Approvals) -> Signers:
    """Read the files of who may approve; config has checked that they are there."""
    named = signers_named(rules)
    return Signers(ssh=tree.read(named.ssh) if named.ssh else b"", gpg=tree.read(named.gpg) if named.gpg else b"")


class _Yeses:
    """One search: for each entry that stands in the file now, the newest commit that added it."""

    def __init__(self, mirror: Mirror, group: GroupRef, signers: Signers) -> None:
        self._mirror = mirror
        self._group = group
        self._signers = signers
        self._path = approvals_path(group)

    async def of(self, log: Log) -> list[Yes]:
        yeses = []
        for info, approval in self._added(log, list(self._read(log[0][1]))):
            found = await self._origin(info, approval, DEEPEST)
            signer = await self._signer(found.commit)
            yeses.append(Yes(approval=approval, author=found.email, signer=signer, at=found.committed))
        return yeses

    def _added(self, log: Log, wanted: list[Approval]) -> Iterator[tuple[CommitInfo, Approval]]:
        """Give who added each wanted entry, from the newest commit on; what the oldest has already, that one added."""
        for (info, tree), (_, older) in pairwise(log):
            if not wanted:
                return
            if tree.digest(self._path) == older.digest(self._path):
                continue
            before = self._read(older)
            for approval in [one for one in wanted if one not in before]:
                wanted.remove(approval)
                yield info, approval
        if wanted and not log[-1][0].parents:
            yield from ((log[-1][0], one) for one in wanted)

    async def _origin(self, info: CommitInfo, approval: Approval, depth: int) -> CommitInfo:
        """Follow a merge to the commit of its branch that added an entry."""
        for parent in info.parents[1:] if depth else ():
            try:
                log = await self._mirror.log(parent, limit=OF_A_BRANCH, repository=PLATFORM)
            except ConvergeError:
                continue
            if approval in self._read(log[0][1]):
                for found, _ in self._added(log, [approval]):
                    return await self._origin(found, approval, depth - 1)
        return info

    async def _signer(self, commit: CommitId) -> str:
        """Name whose trusted signature a commit carries, "" where it has none."""
        for kind, keys in (("ssh", self._signers.ssh), ("gpg", self._signers.gpg)):
            if keys:
                try:
                    return await self._mirror.signer(commit, keys, kind=kind)  # type: ignore[arg-type]
                except Stalled:
                    continue
        return ""

    def _read(self, tree: Tree) -> tuple[Approval, ...]:
        try:
            return approvals(tree, self._group)
        except Invalid:
            return ()
