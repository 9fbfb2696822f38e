"""`rollback`: an earlier commit of the application instead of the one that its revision leads to.

The entry names both, so that automatic sync stays on: whatever the revision leads to next is followed again, and the
entry that then says nothing may stay or go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.config import read_platform
from controller.engine.operations.entries import edit_entry, entry_of
from controller.model import CommitId, GroupRef, Stalled, Tree

SHORT = 8


@dataclass(frozen=True, slots=True)
class RollBack:
    group: GroupRef
    to: CommitId
    passed_over: CommitId  # where the revision leads now

    @property
    def subject(self) -> str:
        return f"Roll {self.group} back to {self.to[:SHORT]}, past {self.passed_over[:SHORT]}"

    def edits(self, tree: Tree) -> Mapping[str, bytes]:
        if self.to == self.passed_over:
            advice = "Name an earlier version, or see `converge resume`"
            raise Stalled(f"{self.group}: {self.to[:SHORT]} is what its revision leads to anyway. {advice}")
        _, application = entry_of(read_platform(tree), self.group)
        ends = {"to": str(self.to), "from": str(self.passed_over)}
        changes: dict[tuple[str, ...], Any] = {("rollback",): ends}
        if application.rollback is not None:
            changes = {("rollback", name): value for name, value in ends.items()}
        return edit_entry(tree, self.group, changes)
