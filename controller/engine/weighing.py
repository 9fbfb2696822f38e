"""The yeses to a group's plans as git holds them now, weighed: files of approvals, and merges that were reviews."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from controller.engine.approvers import judged
from controller.engine.authors import authors_of
from controller.engine.fleet import Fleet
from controller.engine.judging import Judged, Lack
from controller.engine.known import Known
from controller.engine.predecessors import recorded_files
from controller.engine.sources import Checkout
from controller.model import PLATFORM, Approvals, Digest, GroupRef, Revision
from controller.records import reviewed_plans
from controller.runtime import Clock

SHOWN: Final = 19  # characters of a plan's hash, as people compare them


async def weighed(
    platform: Known,
    clock: Clock,
    fleet: Fleet,
    group: GroupRef,
    rules: Approvals,
    application: Checkout | None,
    applied: Revision | None,
) -> Judged:
    """Weigh the yeses to a group's plans. `application`: what they would bring, if anything; `applied`: what there is.

    Raises Transient where a repository can't be asked, Stalled for approvals that can't be read.
    """
    mirror = platform.source(PLATFORM).mirror
    authors: frozenset[str] = frozenset()
    if not rules.by_author:
        ours = mirror, fleet.checkout.commit
        source = (platform.source(application.repository).mirror, application.commit) if application else None
        authors = await authors_of(group, applied, source, ours)
    now = clock.now()
    found = await judged(rules, group, fleet.checkout, mirror, now=now, authors=authors)
    if rules.by_review:
        files = await recorded_files(platform, fleet)
        reviewed = reviewed_plans(files, group, now=now)
        found = replace(found, approved=found.approved | reviewed.keys(), needs=_other_than(reviewed, found.needs))
    return found


def _other_than(reviewed: Mapping[Digest, str], needs: Lack) -> Lack:
    """Say of a plan that nobody said yes to which ones were reviewed: people merged one of those, and see another."""
    if not reviewed:
        return needs
    named = ", ".join(f"{branch} ({plan[:SHOWN]}…)" for plan, branch in sorted(reviewed.items()))
    what = f"reviewed was another plan, {named}: what is live, or what was merged, is not as it was then"
    return replace(needs, what="; ".join(filter(None, (needs.what, what))))
