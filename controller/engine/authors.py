"""Whose change it is that waits: the authors of what both repositories got since what is applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile
from typing import Final, TypeAlias

from controller.config import read_platform
from controller.git import CommitInfo, Mirror
from controller.model import PLATFORM, CommitId, ConvergeError, GroupRef, Revision, Tree

FURTHEST: Final = 50  # commits of a branch

Log: TypeAlias = Sequence[tuple[CommitInfo, Tree]]  # newest first
Concerns: TypeAlias = Callable[[Tree, Tree], bool]


async def authors_of(
    group: GroupRef,
    applied: Revision | None,
    application: tuple[Mirror, CommitId] | None,
    platform: tuple[Mirror, CommitId],
) -> frozenset[str]:
    """Give the addresses of who made what is pending: of the commits of both repositories since what is applied.

    Of the platform's, those that move what the group is made from: not those that approve. Nothing applied yet: of the
    newest commit of each. What takes a group away is the platform's alone (`application` None). Raises Transient.
    """
    old = (applied.application, applied.platform) if applied else (None, None)
    made = await _since(*application, old[0], lambda _tree, _older: True) if application else []
    made += await _since(*platform, old[1], partial(_concerns, group))
    return frozenset(made)


async def _since(mirror: Mirror, head: CommitId, applied: CommitId | None, concerns: Concerns) -> list[str]:
    """Give the authors of the commits after the applied one, of merged branches too. A merge is its branch's."""
    main = await mirror.log(head, limit=FURTHEST, repository=PLATFORM)
    ids = [info.commit for info, _ in main]
    count = 1 if applied is None else ids.index(applied) if applied in ids else len(ids)
    chains: list[tuple[Log, int]] = [(main, count)]
    for info, _ in main[:count]:
        for parent in info.parents[1:]:
            branch = await mirror.log(parent, limit=FURTHEST, repository=PLATFORM)
            own = list(takewhile(lambda one: one[0].commit not in ids, branch))
            chains.append((branch, len(own)))
    return [
        info.email
        for chain, count in chains
        for position, (info, tree) in enumerate(chain[:count])
        if len(info.parents) < 2 and (position + 1 == len(chain) or concerns(tree, chain[position + 1][1]))
    ]


def _concerns(group: GroupRef, tree: Tree, older: Tree) -> bool:
    """Tell whether what a group is made from differs between two trees of the platform."""
    overlays = f"overlays/{group.environment}"
    if tree.digest(overlays) != older.digest(overlays):
        return True
    files = ("converge.yaml", "environments")
    if all(tree.digest(one) == older.digest(one) for one in files):
        return False
    return _entry(group, tree) != _entry(group, older)


def _entry(group: GroupRef, tree: Tree) -> object:
    try:
        environment = read_platform(tree).environments.get(group.environment)
    except ConvergeError:
        return tree.commit
    return environment and (environment.applications.get(group.application), environment.targets)
