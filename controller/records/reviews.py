"""What was planned for branches before they are merged: `reviews/<repository>/<branch>.yaml`. Pure.

Whoever merges such a branch has seen these plans; where the merge leads to a plan with the same hash, it is approved by
that (`sync.approvals.byReview`). What such a file says counts for a week; it goes with a later one when its branch is
gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from controller.documents import write
from controller.model import CommitId, Digest, GroupRef, PlacementRef, RepositoryName
from controller.records.earlier import Earlier, earlier
from controller.records.files import Files
from controller.records.paths import segment
from controller.records.showing import shown_time
from controller.records.status import API_VERSION

KIND: Final = "Review"
FOLDER: Final = "reviews"
COUNTS_FOR: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A branch's plans: per placement the plan's hash, or why there is none."""

    repository: RepositoryName
    branch: str
    commit: CommitId
    plans: Mapping[PlacementRef, Digest]
    problems: Mapping[PlacementRef, str]
    at: datetime
    branches: frozenset[str]  # of the same repository that are reviewed now

    @property
    def subject(self) -> str:
        return f"review: {self.repository} {self.branch} at {self.commit[:8]}, {len(self.plans)} plans"

    @property
    def trailers(self) -> tuple[tuple[str, str], ...]:
        return (("Reviewed-Branch", self.branch), ("Source-Commit", self.commit))

    def derive(self, base: Files) -> Mapping[str, bytes | None]:
        """Give the branch's file, and the end of those that count no more."""
        path = review_path(self.repository, self.branch)
        told = self._told()
        before = earlier(base, path, KIND)
        if all(before.get(name) == value for name, value in told.items() if name != "since"):
            told["since"] = before["since"]
        return {path: write(told), **{gone: None for gone in self._gone(base) if gone != path}}

    def _told(self) -> dict[str, Any]:
        plans = [{"placement": str(ref), "plan": str(plan)} for ref, plan in sorted(self.plans.items())]
        problems = [{"placement": str(ref), "what": what} for ref, what in sorted(self.problems.items())]
        return {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "repository": str(self.repository),
            "branch": self.branch,
            "commit": str(self.commit),
            "since": shown_time(self.at),
            "plans": plans,
            **({"problems": problems} if problems else {}),
        }

    def _gone(self, base: Files) -> Iterator[str]:
        for path, one in _reviews(base, self.repository):
            if one["branch"] not in self.branches and not _counts(one, self.at):
                yield path


def review_path(repository: RepositoryName, branch: str) -> str:
    return f"{FOLDER}/{segment(repository)}/{segment(branch)}.yaml"


def reviewed_plans(files: Files, group: GroupRef, *, now: datetime) -> Mapping[Digest, str]:
    """Give the plans of a group that were recorded for branches, and count, with the branch of each."""
    return {
        Digest(plan["plan"]): str(one["branch"])
        for repository in files.names(FOLDER)
        for _, one in _reviews(files, repository)
        if _counts(one, now)
        for plan in one["plans"]
        if plan["placement"].partition("@")[0] == str(group)
    }


def _reviews(files: Files, repository: str) -> Iterator[tuple[str, Earlier]]:
    folder = f"{FOLDER}/{segment(repository)}"
    for name in files.names(folder):
        if one := earlier(files, f"{folder}/{name}", KIND):
            yield f"{folder}/{name}", one


def _counts(review: Earlier, now: datetime) -> bool:
    return datetime.fromisoformat(review["since"]) + COUNTS_FOR >= now
