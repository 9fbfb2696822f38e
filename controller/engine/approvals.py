"""The yeses that are in git: `approvals/<environment>/<application>.yaml` in the platform repository.

    plans:
    - plan: sha256:…                  # a plan's hash, as the status record shows it
      by: Wang Li <li@example.com>    # for people: who it is by, the commit says
      until: 2026-11-28T12:00:00Z     # not after; without it, as long as the plan stays the same
    - sha256:…                        # the same, by hand and in short

A plan's hash covers what it would do and never a commit, so that adding the approval does not change it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controller.documents import Dialect, read
from controller.model import Digest, EntryKind, GroupRef, Invalid, Position, Problem, Tree


@dataclass(frozen=True, slots=True)
class Approval:
    """One yes."""

    plan: Digest
    by: str = ""
    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        return self.until is None or now <= self.until


def approvals_path(group: GroupRef) -> str:
    return f"approvals/{group.environment}/{group.application}.yaml"


def approvals(tree: Tree, group: GroupRef) -> tuple[Approval, ...]:
    """Read a group's approvals, expired ones too; none where there is no file. Raises Invalid for another form."""
    path = approvals_path(group)
    if tree.kind(path) is not EntryKind.FILE:
        return ()
    documents = read(tree.read(path), path=path, dialect=Dialect.KUBERNETES)
    value = documents[0].value if documents else {}
    plans = value.get("plans") if isinstance(value, dict) else None
    found = tuple(_approvals(plans)) if isinstance(plans, list) else (None,)
    known = tuple(one for one in found if one is not None)
    if len(known) < len(found):
        what = "an approvals file is a list of plan hashes, or of maps with plan, by and until"
        raise Invalid([Problem(Position(path, 1), what, "plans", 'Write "plans: [sha256:…]".')])
    return known


def approved_plans(tree: Tree, group: GroupRef, *, now: datetime) -> frozenset[Digest]:
    """Give a group's approved plan hashes that have not expired. Raises Invalid for a file of another form."""
    return frozenset(one.plan for one in approvals(tree, group) if one.holds(now))


def _approvals(plans: list[Any]) -> Iterator[Approval | None]:
    for one in plans:
        match one:
            case str():
                yield Approval(Digest(one))
            case {"plan": str(plan), **others} if others.keys() <= {"by", "until"}:
                yield _approval(plan, others)
            case _:
                yield None


def _approval(plan: str, others: dict[Any, Any]) -> Approval | None:
    try:
        until = datetime.fromisoformat(others["until"]) if "until" in others else None
    except (TypeError, ValueError):
        return None
    if until is not None and until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return Approval(Digest(plan), str(others.get("by", "")), until)
