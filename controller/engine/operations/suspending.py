"""`suspend` and `resume`: nothing of an application is written for a while, and then again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.config import read_platform
from controller.documents import DELETE
from controller.engine.operations.entries import edit_entry, entry_of
from controller.model import GroupRef, Stalled, Tree


@dataclass(frozen=True, slots=True)
class Suspend:
    """Write nothing of the group to any target; drift is still found and shown."""

    group: GroupRef

    @property
    def subject(self) -> str:
        return f"Suspend {self.group}"

    def edits(self, tree: Tree) -> Mapping[str, bytes]:
        return edit_entry(tree, self.group, {("suspend",): True})


@dataclass(frozen=True, slots=True)
class Resume:
    """Follow git again: take a suspension and a rollback of the group back."""

    group: GroupRef

    @property
    def subject(self) -> str:
        return f"Resume {self.group}"

    def edits(self, tree: Tree) -> Mapping[str, bytes]:
        environment, _ = entry_of(read_platform(tree), self.group)
        if environment.suspend:
            raise Stalled(
                f"{self.group} is suspended with all of {environment.name} ({environment.origin.path}). "
                "Take `spec.suspend` back there"
            )
        return edit_entry(tree, self.group, {("suspend",): DELETE, ("rollback",): DELETE})
