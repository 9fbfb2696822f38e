"""One interface file: read, and held against the schema of its kind."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from controller.config.complaint import nearest, quoted
from controller.config.node import File, Node
from controller.config.schema import schemas
from controller.config.validator import Flaw, Validator
from controller.documents import Dialect, read_with_positions
from controller.model import Invalid, Position, Problem, Stalled, Tree, format_path

API_VERSION = "converge/v1"


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading a file: its root where it could be read at all, and every problem of it alone."""

    root: Node | None
    problems: tuple[Problem, ...] = ()


def read_file(tree: Tree, path: str, kind: str, *, begins: str = "") -> Reading:
    """Read a file that must be of a kind. Its problems are values, so that other files' are found too.

    `begins` is the field that such a file begins with, where that is not `apiVersion`.
    """
    try:
        positions = read_with_positions(tree.read(path), path=path, dialect=Dialect.KUBERNETES)
    except Invalid as error:
        return Reading(None, error.problems)
    except Stalled as error:  # a link that leaves the tree, an LFS pointer
        return Reading(None, (Problem(Position(path), str(error)),))
    if not positions.documents:
        advice = f"Write its `{begins or f'kind: {kind}'}`, or remove it."
        return Reading(None, (Problem(Position(path), "the file is empty", advice=advice),))
    if len(positions.documents) > 1:
        second = positions.documents[1]
        problem = Problem(
            Position(path, second.line), "the file has a second document", advice="Give it a file of its own."
        )
        return Reading(None, (problem,))
    root = Node(positions.documents[0].value, File(path, tree.repository, tree.commit, positions))
    return _checked(root, kind, begins)


@cache
def _validator(kind: str) -> Validator:
    return Validator(schemas()[kind])


def _checked(root: Node, kind: str, begins: str) -> Reading:
    if not isinstance(root.value, dict):
        advice = f"It begins with `{begins or f'apiVersion: {API_VERSION}'}`."
        return Reading(None, (root.problem("the file is no mapping", advice),))
    found = root.text("kind")
    if found and found != kind:
        return Reading(None, (_wrong_kind(root, found, kind),))
    problems = tuple(_problem(root, flaw) for flaw in _validator(kind).flaws(root.value))
    return Reading(root, problems)


def _wrong_kind(root: Node, found: str, kind: str) -> Problem:
    near = nearest(found, (kind,))
    advice = f"Write {near}." if near else f"A file at this place is of kind {kind}."
    return root.get("kind").problem(f"is {quoted(found)}", advice)


def _problem(root: Node, flaw: Flaw) -> Problem:
    where = root.file.position(flaw.path, of_key=flaw.of_key)
    return Problem(where, flaw.what, format_path(flaw.path), flaw.advice)
