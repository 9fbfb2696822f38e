"""What an operation is, and how it becomes the one commit that it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from controller.config import read_platform
from controller.engine.operations.trees import EditedTree, FilesTree
from controller.git import Files
from controller.model import EntryKind, GroupRef, Invalid, Platform, Stalled, Tree


class Operation(Protocol):
    """Pure: says what it changes, without changing it."""

    @property
    def group(self) -> GroupRef:
        """Whom it concerns."""

    @property
    def subject(self) -> str:
        """What it does: the first line of the commit's message."""

    def edits(self, tree: Tree) -> Mapping[str, bytes]:
        """Give the files that shall be other than the platform's tree has them.

        Raises Stalled with a reason where the operation makes no sense on this tree.
        """


def edited(operation: Operation, tree: Tree) -> Mapping[str, bytes]:
    """Give the files that an operation changes, none where all is so already.

    Raises Invalid where the platform would not validate afterwards, or the group would be stopped by a mistake that it
    has not now; Stalled as `Operation.edits`.
    """
    before = read_platform(tree)
    files = {path: data for path, data in operation.edits(tree).items() if _bytes(tree, path) != data}
    if files:
        for path in files:
            _check_place(tree, path)
        _check(operation.group, before, read_platform(EditedTree(tree, files)))
    return files


def _check(group: GroupRef, before: Platform, after: Platform) -> None:
    known = {problem.what for problem in before.problems.get(group, ())}
    new = [problem for problem in after.problems.get(group, ()) if problem.what not in known]
    if new:
        raise Invalid(new)


def _check_place(tree: Tree, path: str) -> None:
    """Raise Stalled where writing a file would take a link's place, or lie beside a name that differs by case alone."""
    folder = ""
    for name in path.split("/"):
        here = f"{folder}/{name}" if folder else name
        if (real := tree.real_path(here)) != here:
            raise Stalled(
                f"{here} is a symbolic link to {real}, which others may share. Change {real} by hand, or put a file of "
                "its own in the link's place first"
            )
        twins = [one for one in tree.names(folder) if one != name and one.casefold() == name.casefold()]
        if twins and tree.kind(here) is EntryKind.ABSENT:
            raise Stalled(
                f"{here} would lie beside {twins[0]}, and file systems that ignore case hold only one. Rename that"
            )
        folder = here


def _bytes(tree: Tree, path: str) -> bytes | None:
    try:
        return tree.read(path)
    except KeyError:
        return None


@dataclass(frozen=True, slots=True)
class OperationChange:
    """What the committer takes: derived anew, and validated anew, over whatever is on the branch by then."""

    operation: Operation
    why: str = ""

    @property
    def subject(self) -> str:
        return self.operation.subject

    @property
    def body(self) -> str:
        return self.why

    @property
    def trailers(self) -> tuple[tuple[str, str], ...]:
        return ()

    def derive(self, base: Files) -> Mapping[str, bytes | None]:
        return {**edited(self.operation, FilesTree(base))}
