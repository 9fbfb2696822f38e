"""The fleet: the platform commit in force, as one frozen value, and how it comes into force.

A platform commit that does not validate changes nothing: its newest first-parent ancestor that does stays
in force, and the error is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from controller.config import read_platform
from controller.engine.sources import Checkout, Signers
from controller.git import Mirror
from controller.model import (
    PLATFORM,
    Application,
    CommitId,
    ConvergeError,
    EnvironmentName,
    GroupRef,
    Invalid,
    KubernetesTarget,
    PlacementRef,
    Platform,
    Problem,
    Repository,
    RepositoryName,
    Target,
    TargetName,
)
from controller.render import NOWHERE, Lender, Place, Surroundings

K = TypeVar("K")
LOOK_BACK = 50  # first-parent ancestors that are tried


@dataclass(frozen=True, slots=True)
class Entry:
    """What git says of one placement."""

    application: Application
    repository: Repository
    target: Target
    is_suspended: bool
    surroundings: Surroundings = field(default=NOWHERE, compare=False)  # renders tell whether they asked of it


@dataclass(frozen=True, slots=True)
class Fleet:
    """The platform in force. `rejected` is the newest commit where that is another one, with its problems.

    Who waits for whom is looked up at every end of a run, so it is not searched for among all entries.
    """

    platform: Platform
    checkout: Checkout
    rejected: CommitId | None = None
    problems: tuple[Problem, ...] = ()
    entries: Mapping[PlacementRef, Entry] = field(default_factory=dict)
    takers: Mapping[PlacementRef, tuple[PlacementRef, ...]] = field(default_factory=dict)  # by who gives out
    followers: Mapping[GroupRef, tuple[PlacementRef, ...]] = field(default_factory=dict)  # by what they depend on
    later: Mapping[GroupRef, tuple[PlacementRef, ...]] = field(default_factory=dict)  # by what runs the same before


def fleet_of(platform: Platform, checkout: Checkout) -> Fleet:
    surroundings = surroundings_of(platform, checkout)
    entries = {
        PlacementRef(environment.name, application.name, target): Entry(
            application,
            platform.repositories[application.repository],
            environment.targets[target],
            environment.suspend or application.suspend,
            surroundings,
        )
        for environment in platform.environments.values()
        for application in environment.applications.values()
        for target in application.targets
    }
    return Fleet(
        platform,
        checkout,
        entries=entries,
        takers=_gathered(
            (PlacementRef(ref.environment, ref.application, one.target), ref)
            for ref, entry in entries.items()
            for one in entry.application.inputs
            if one.target != ref.target
        ),
        followers=_gathered((group, ref) for ref, entry in entries.items() for group in entry.application.depends_on),
        later=_gathered(
            (GroupRef(one.environment, ref.application), ref)
            for ref, entry in entries.items()
            for one in entry.application.sync.after
        ),
    )


def _gathered(pairs: Iterable[tuple[K, PlacementRef]]) -> Mapping[K, tuple[PlacementRef, ...]]:
    """Gather placements by what they are looked up by, each once, in the order of the entries."""
    found: dict[K, dict[PlacementRef, None]] = {}
    for key, ref in pairs:
        found.setdefault(key, {})[ref] = None
    return {key: tuple(refs) for key, refs in found.items()}


def surroundings_of(platform: Platform, checkout: Checkout) -> Surroundings:
    """Give what applications may name of a platform beside themselves."""
    environments = platform.environments.values()
    return Surroundings(
        places={
            one.name: {
                name: Place(target.labels, is_cluster=isinstance(target, KubernetesTarget))
                for name, target in one.targets.items()
            }
            for one in environments
        },
        applications={one.name: tuple(sorted(one.applications)) for one in environments},
        charts={one.url: one.credentials for one in platform.repositories.values() if one.is_chart},
        modules={
            one.url: _lender(one, signers_in(checkout, one))
            for one in platform.repositories.values()
            if not one.is_chart
        },
    )


def _lender(repository: Repository, signers: Signers) -> Lender:
    return Lender(repository.credentials, signers.ssh, signers.gpg)


def places_of(platform: Platform) -> Mapping[tuple[EnvironmentName, TargetName], Target]:
    """Give every target of every environment."""
    return {
        (environment.name, target.name): target
        for environment in platform.environments.values()
        for target in environment.targets.values()
    }


async def fleet_at(checkout: Checkout, mirror: Mirror, before: Fleet | None) -> Fleet:
    """Read the platform at a commit, or at its newest first-parent ancestor that validates.

    Raises Invalid (the newest commit's problems) where none of the last ancestors validates, which can only
    be before anything was in force, and Transient where the host can't be asked for older commits.
    """
    try:
        return fleet_of(read_platform(checkout.tree), checkout)
    except Invalid as error:
        problems = error.problems
    if before is not None and await _is_ancestor(mirror, before.checkout.commit, checkout.commit):
        return replace(before, rejected=checkout.commit, problems=problems)
    for commit in (await mirror.first_parents(checkout.commit, limit=LOOK_BACK))[1:]:
        found = await _try(commit, checkout, mirror)
        if found is not None:
            return replace(found, rejected=checkout.commit, problems=problems)
    raise Invalid(problems)


async def _is_ancestor(mirror: Mirror, old: CommitId, new: CommitId) -> bool:
    try:
        return old in await mirror.first_parents(new, limit=LOOK_BACK)
    except ConvergeError:
        return True  # in doubt, what is in force stays in force


async def _try(commit: CommitId, head: Checkout, mirror: Mirror) -> Fleet | None:
    tree = await mirror.tree(commit, repository=PLATFORM)
    try:
        platform = read_platform(tree)
    except Invalid:
        return None
    older = Checkout(PLATFORM, head.revision, commit, tree, await mirror.describe(commit))
    return fleet_of(platform, older)


def revisions_of(platform: Platform, repository: RepositoryName) -> frozenset[str]:
    """Give the branches, tags and commits that applications follow in a repository, or are rolled back to."""
    return frozenset(
        revision
        for environment in platform.environments.values()
        for application in environment.applications.values()
        if application.repository == repository
        for revision in revisions_for(application)
    )


def revisions_for(application: Application) -> tuple[str, ...]:
    """Name the revisions that must be read to know which commit an application is at."""
    return (application.revision, *((application.rollback.to,) if application.rollback else ()))


def checkout_for(application: Application, current: Callable[[str], Checkout]) -> Checkout:
    """Give the checkout that an application is at: where its revision leads, unless it is rolled back from there.

    A rollback names the commit that it passes over, so that any other one, newer as a rule, is followed at once and
    without anybody's doing. Raises as `current`.
    """
    head = current(application.revision)
    rollback = application.rollback
    if rollback is None or head.commit != rollback.passed_over:
        return head
    return current(rollback.to)


def signers_of(fleet: Fleet, repository: Repository) -> Signers:
    """Read the files of allowed signers from the platform tree; config has checked that they are there."""
    return signers_in(fleet.checkout, repository)


def signers_in(platform: Checkout, repository: Repository) -> Signers:
    """Read the files of allowed signers from a platform's tree; config has checked that they are there."""
    if repository.verify is None:
        return Signers()
    tree = platform.tree
    return Signers(
        ssh=tree.read(repository.verify.ssh) if repository.verify.ssh else b"",
        gpg=tree.read(repository.verify.gpg) if repository.verify.gpg else b"",
    )


def groups_that_follow(fleet: Fleet, group: GroupRef) -> tuple[PlacementRef, ...]:
    """Name the placements whose application depends on a group."""
    return fleet.followers.get(group, ())


def groups_that_come_after(fleet: Fleet, group: GroupRef) -> tuple[PlacementRef, ...]:
    """Name the placements of the same application that wait until it runs well in a group's environment."""
    return fleet.later.get(group, ())


def takers_of(fleet: Fleet, placement: PlacementRef) -> tuple[PlacementRef, ...]:
    """Name the placements of the same group that take in what one gives out."""
    return fleet.takers.get(placement, ())
