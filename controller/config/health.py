"""Health rules of a user's own: `health/*.yaml` in the platform repository.

Read like every interface file: each against its schema, then all against each other, every mistake at once.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from controller.config.complaint import quoted
from controller.config.node import File, Node
from controller.config.schema import schemas
from controller.config.validator import Validator
from controller.documents import Dialect, read_with_positions
from controller.model import (
    CONDITIONS,
    EntryKind,
    Health,
    HealthRules,
    Invalid,
    Judgement,
    Position,
    Problem,
    Stalled,
    Tree,
    format_path,
)

FOLDER = "health"
TESTS = frozenset({"absent", "field", "annotation", "condition", "unobserved"})
OF_CONDITIONS = ("status", "reasons", "severity", "of")


@dataclass(frozen=True, slots=True)
class HealthDraft:
    """What came of reading them: `rules` counts only where nothing is wrong."""

    rules: HealthRules = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def read_health(tree: Tree) -> HealthDraft:
    """Read every rule file of a platform repository."""
    problems: list[Problem] = []
    rules: dict[str, tuple[Judgement, ...]] = {}
    said: dict[str, Node] = {}
    for path in _files(tree, problems):
        for document in _documents(tree, path, problems):
            problems += _mistakes(document)
            judgements = tuple(_judgements(document))
            for one in document.get("kinds").elements():
                kind = str(one.value)
                if kind in said:
                    problems.append(one.problem(f"{kind} is judged at {said[kind].origin()} already", "Keep one."))
                said.setdefault(kind, one)
                rules[kind] = judgements
    return HealthDraft({} if problems else rules, tuple(problems))


def _files(tree: Tree, problems: list[Problem]) -> Iterator[str]:
    for name in sorted(tree.names(FOLDER)):
        path = f"{FOLDER}/{name}"
        stem, suffix = posixpath.splitext(path)
        if _kind(tree, path) is EntryKind.DIRECTORY:
            if _kind(tree, f"{path}.yaml") is not EntryKind.FILE:
                advice = f"Its objects belong to a rule file {path}.yaml."
                problems.append(Problem(Position(path), "no rule is beside this folder", advice=advice))
        elif suffix == ".yaml" and not name.startswith("."):
            yield path
        elif suffix.lower() in (".yml", ".yaml", ".json"):
            advice = f"Rename it to {stem}.yaml."
            problems.append(Problem(Position(path), f"files with the ending {suffix} are not read", advice=advice))


def _kind(tree: Tree, path: str) -> EntryKind:
    try:
        return tree.kind(path)
    except Stalled:  # a link that leaves the tree is told where it is read
        return EntryKind.FILE


def _documents(tree: Tree, path: str, problems: list[Problem]) -> Iterator[Node]:
    try:
        positions = read_with_positions(tree.read(path), path=path, dialect=Dialect.KUBERNETES)
    except Invalid as error:
        problems += error.problems
        return
    except Stalled as error:
        problems.append(Problem(Position(path), str(error)))
        return
    if not positions.documents:
        problems.append(Problem(Position(path), "the file is empty", advice="Write a rule, or remove it."))
    for number, document in enumerate(positions.documents):
        root = Node(document.value, File(path, tree.repository, tree.commit, positions, number))
        if isinstance(document.value, dict):
            yield root
        else:
            problems.append(root.problem("the rule is no mapping", "It begins with `kinds:`."))


@cache
def _validator() -> Validator:
    return Validator(schemas()["HealthRule"])


def _mistakes(document: Node) -> Iterator[Problem]:
    for flaw in _validator().flaws(document.value):
        where = document.file.position(flaw.path, of_key=flaw.of_key)
        yield Problem(where, flaw.what, format_path(flaw.path), flaw.advice)
    judgements = tuple(document.get("judge").elements())
    for index, one in enumerate(judgements):
        names = one.value.keys() if isinstance(one.value, dict) else frozenset[str]()
        yield from _pairs(one, frozenset(names))
        if not TESTS & names and index < len(judgements) - 1:
            yield one.problem("always holds, so that none of those after it is looked at", "Make it the last.")


def _pairs(one: Node, names: frozenset[str]) -> Iterator[Problem]:
    """Tell of tests that lack their other half."""
    if names & {"field", "annotation"} and "in" not in names:
        yield one.problem("says no values", "Add `in: […]`, or use `absent`.")
    if "in" in names and not names & {"field", "annotation"}:
        yield one.get("in").problem("says values of nothing", "Add `field` or `annotation`.", of_key=True)
    for name in OF_CONDITIONS:
        if name in names and "condition" not in names:
            yield one.get(name).problem(f"{quoted(name)} is said of no condition", "Add `condition`.", of_key=True)


def _judgements(document: Node) -> Iterator[Judgement]:
    for one in document.get("judge").elements():
        health = one.text("health")
        among = one.get("in").value
        if health in set(Health):
            yield Judgement(
                health=Health(health),
                absent=one.text("absent"),
                field=one.text("field"),
                among=tuple(among) if isinstance(among, list) else (),
                annotation=one.text("annotation"),
                condition=one.text("condition"),
                status=one.text("status"),
                severity=one.text("severity"),
                reasons=one.texts("reasons") or (),
                of=one.text("of", CONDITIONS),
                unobserved=one.flag("unobserved", default=False),
                say=one.text("say"),
                why=one.text("why"),
            )
