"""`approve`: a yes to plans, by their hashes. What has expired, or is no plan any more, goes with the same commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controller.config import read_platform
from controller.documents import DELETE, edit, write
from controller.engine.approvals import Approval, approvals, approvals_path
from controller.engine.operations.entries import entry_of
from controller.model import Digest, EntryKind, GroupRef, JsonValue, Tree

SHORT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """`current` names every plan that the group has now; None where that is not known of all its placements."""

    group: GroupRef
    plans: tuple[Digest, ...]
    by: str
    now: datetime
    until: datetime | None = None
    current: frozenset[Digest] | None = None

    @property
    def subject(self) -> str:
        named = ", ".join(plan.removeprefix("sha256:")[:SHORT] for plan in self.plans)
        return f"Approve {self.group}: plan {named}"

    def edits(self, tree: Tree) -> Mapping[str, bytes]:
        entry_of(read_platform(tree), self.group)
        path, known = approvals_path(self.group), approvals(tree, self.group)
        new: list[JsonValue] = [self._entry(plan) for plan in self.plans]
        if tree.kind(path) is not EntryKind.FILE:
            return {path: write({"plans": new})}
        # What is new comes first into the list's end, so that the list never runs empty on the way.
        changes: dict[tuple[str | int, ...], Any] = {
            ("plans", number): entry for number, entry in enumerate(new, start=len(known))
        }
        for number in sorted(self._stale(known), reverse=True):
            changes["plans", number] = DELETE
        return {path: edit(tree.read(path), changes, path=path)}

    def _entry(self, plan: Digest) -> dict[str, JsonValue]:
        entry: dict[str, JsonValue] = {"plan": str(plan), "by": self.by}
        if self.until:
            entry["until"] = self.until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return entry

    def _stale(self, known: tuple[Approval, ...]) -> Iterator[int]:
        """Name the approvals that hold no more, and those that are said anew."""
        for number, one in enumerate(known):
            is_repeated = one.plan in self.plans and one.by in ("", self.by)
            is_gone = self.current is not None and one.plan not in self.current
            if is_repeated or is_gone or not one.holds(self.now):
                yield number
