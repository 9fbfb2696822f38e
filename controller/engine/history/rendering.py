"""Renders versions again: rendering is pure, so that the commits of a version are all it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.config import read_platform
from controller.engine.fleet import Entry, Fleet, fleet_of
from controller.engine.history.comparing import ObjectDifference, compare
from controller.engine.history.versions import Version
from controller.engine.preparing import Workshop
from controller.engine.rendering import Renderer
from controller.engine.sources import Checkout
from controller.git import Mirror, Mirrors
from controller.model import (
    PLATFORM,
    CommitId,
    Desired,
    GroupRef,
    PlacementRef,
    RepositoryName,
    Revision,
    Stalled,
    TargetName,
)


@dataclass(frozen=True, slots=True)
class PastRender:
    """A placement as it was at a revision, and what the platform said then."""

    desired: Desired
    fleet: Fleet
    entry: Entry
    application: Mirror
    asks_cluster: bool
    follows: tuple[str, ...] = ()  # versions of charts that ranges lead to now


async def render_at(
    platform: Mirror,
    mirrors: Mirrors,
    placement: PlacementRef,
    revision: Revision,
    *,
    workshop: Workshop | None = None,
) -> PastRender:
    """Render a placement as it was at a revision. Raises Stalled where its commits or its entry are not to be had."""
    checkout = await _checkout(platform, PLATFORM, revision.platform)
    fleet = fleet_of(read_platform(checkout.tree), checkout)
    entry = fleet.entries.get(placement)
    if entry is None:
        raise Stalled(f"platform commit {revision.platform[:8]} has no {placement}")
    mirror = mirrors.mirror(entry.repository.url, entry.repository.credentials)
    application = await _checkout(mirror, entry.repository.name, revision.application)
    rendered = await Renderer(workshop=workshop).rendered(placement, entry, application, checkout)
    return PastRender(rendered.desired, fleet, entry, mirror, rendered.asks_cluster, rendered.follows)


async def _checkout(mirror: Mirror, name: RepositoryName, commit: CommitId) -> Checkout:
    tree = await mirror.tree(commit, repository=name)
    return Checkout(name, commit, commit, tree, await mirror.describe(commit))


async def differences(
    platform: Mirror,
    mirrors: Mirrors,
    group: GroupRef,
    before: Version,
    after: Version,
    *,
    workshop: Workshop | None = None,
) -> Mapping[TargetName, tuple[ObjectDifference, ...]]:
    """Say what differs between two versions on each target that the newer one concerned. Raises as `render_at`."""
    found: dict[TargetName, tuple[ObjectDifference, ...]] = {}
    for target in map(TargetName, after.targets):
        placement = PlacementRef(group.environment, group.application, target)
        old, new = [
            await render_at(platform, mirrors, placement, one.revision, workshop=workshop) for one in (before, after)
        ]
        found[target] = compare(old.desired, new.desired)
    return found
