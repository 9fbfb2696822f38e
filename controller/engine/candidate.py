"""A commit that is asked about before anything follows it: which repository it is of, and its tree."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from controller.engine.snapshot import Snapshot
from controller.engine.sources import Checkout
from controller.git import CommitGone, Mirror, Mirrors, choose, ref_patterns
from controller.model import PLATFORM, CommitId, EntryKind, RepositoryName, Stalled, Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person asks about.

    `ref` is a branch, a tag or a commit's id; `of` the repository by its name in converge.yaml, or `platform`, "" where
    the ref says it; `clone` a repository on this machine that has the commit, None for the repository's own host.
    """

    ref: str
    of: str = ""
    clone: Path | None = None


async def find_candidate(snapshot: Snapshot, question: Question, mirrors: Mirrors) -> Checkout:
    """Find a commit and read it. Raises Stalled where no repository has it, or several; Transient."""
    homes = _homes(snapshot, question)
    if question.clone is not None:
        mirror = mirrors.mirror(str(question.clone.resolve()))
        commit = await mirror.resolve(question.ref)
        if len(homes) > 1:
            homes = _told_by(await mirror.tree(commit), homes)
        return await _checkout(mirror, commit, _only(homes, question), question.ref)
    found = await _hosting(homes, question.ref)
    if not found:
        known = ", ".join(homes)
        raise Stalled(f"{question.ref}: no branch, tag or commit of that name is in {known}. Was it pushed?")
    name = _only(found, question)
    return await _checkout(homes[name], found[name], name, question.ref)


def _homes(snapshot: Snapshot, question: Question) -> Mapping[RepositoryName, Mirror]:
    """Give the repositories that may have it: the named one, or all that the platform reads."""
    mirrors = {name: source.mirror for name, source in snapshot.sources.items()}
    if not question.of:
        return mirrors
    if question.of not in mirrors:
        raise Stalled(f"{question.of}: converge.yaml names no such repository. There are: {', '.join(sorted(mirrors))}")
    name = RepositoryName(question.of)
    return {name: mirrors[name]}


def _told_by(tree: Tree, homes: Mapping[RepositoryName, Mirror]) -> Mapping[RepositoryName, Mirror]:
    """Tell a clone's repository by what lies in it: the platform's has a converge.yaml with environments beside it."""
    is_platform = tree.kind("converge.yaml") is EntryKind.FILE and tree.kind("environments") is EntryKind.DIRECTORY
    return {name: mirror for name, mirror in homes.items() if (name == PLATFORM) == is_platform}


async def _hosting(homes: Mapping[RepositoryName, Mirror], ref: str) -> Mapping[RepositoryName, CommitId]:
    """Ask every repository at once. One that is away has it not; where none has it, its error is the answer."""
    names = list(homes)
    answers = await asyncio.gather(*(_find(homes[name], ref) for name in names), return_exceptions=True)
    found: dict[RepositoryName, CommitId] = {}
    away: list[BaseException] = []
    for name, answer in zip(names, answers, strict=True):
        if isinstance(answer, BaseException):
            away.append(answer)
        elif answer is not None:
            found[name] = answer
    if away and not found:
        raise away[0]
    return found


async def _find(mirror: Mirror, ref: str) -> CommitId | None:
    if mirror.is_chart:
        return None  # its versions are no commits that people make
    patterns = ref_patterns(ref)
    if patterns:
        refs = await mirror.refs(patterns)
        return choose(ref, refs, url=mirror.url) if refs else None
    commit = CommitId(ref)
    with suppress(CommitGone):
        await mirror.fetch(commit)
        return commit
    return None


def _only(found: Mapping[RepositoryName, object], question: Question) -> RepositoryName:
    if len(found) == 1:
        return next(iter(found))
    several = ", ".join(sorted(found))
    raise Stalled(f"{question.ref}: {several} may each be the repository that is meant. Say which: --of NAME")


async def _checkout(mirror: Mirror, commit: CommitId, name: RepositoryName, ref: str) -> Checkout:
    tree = await mirror.tree(commit, repository=name)
    return Checkout(name, ref, commit, tree, await mirror.describe(commit))
