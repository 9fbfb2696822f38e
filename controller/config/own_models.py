"""Models of a user's own: `models/<Kind.group>.yaml` in the platform repository. They add to what records tell.

Read like every interface file: against its schema, then against what Converge tells of the kind anyhow.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from controller.config.complaint import quoted
from controller.config.formats import FORMATS
from controller.config.known_models import extended, is_known, known_attributes
from controller.config.node import Node
from controller.config.reading import read_file
from controller.config.telling import objection
from controller.model import EntryKind, FactPath, KindModels, Position, Problem, Stalled, Tree, parse_fact_path

FOLDER: Final = "models"
TERRAFORM: Final = "terraform"
# What every record tells, and what queries and exports take for a field of records: no attribute can have these names.
RESERVED: Final = frozenset(
    {
        "apiVersion", "kind", "group", "namespace", "key", "id", "model", "name", "environment", "application",
        "target", "sync", "health", "lifecycle", "since", "drift", "repository", "path", "line", "commit", "author",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ModelsDraft:
    """What came of reading them: `models` counts only where nothing is wrong."""

    models: KindModels = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def read_models(tree: Tree) -> ModelsDraft:
    """Read every model of a platform repository."""
    problems: list[Problem] = []
    read: dict[str, Any] = {}
    for kind, path in _files(tree, problems):
        found = read_file(tree, path, "Model", begins="attributes:")
        problems += found.problems
        if found.root is not None:
            read[kind] = found.root.value
            problems += _mistakes(kind, found.root)
    return ModelsDraft({} if problems else {kind: extended(kind, said) for kind, said in read.items()}, tuple(problems))


def _files(tree: Tree, problems: list[Problem]) -> Iterator[tuple[str, str]]:
    """Give each model's kind and path."""
    for name in sorted(tree.names(FOLDER)):
        path = f"{FOLDER}/{name}"
        stem, suffix = posixpath.splitext(name)
        if _is_directory(tree, path):
            problems.append(Problem(Position(path), "folders are not read", advice=f"Move its models to {FOLDER}/."))
            continue
        if suffix.lower() not in (".yml", ".yaml", ".json") or name.startswith("."):
            continue
        wrong = FORMATS["group-kind"](stem)
        if suffix != ".yaml":
            advice = f"Rename it to {FOLDER}/{stem}.yaml."
            problems.append(Problem(Position(path), f"files with the ending {suffix} are not read", advice=advice))
        elif wrong is not None:
            advice = wrong.advice or "A model is named after its kind, such as Widget.example.com.yaml."
            problems.append(Problem(Position(path), f"the file's name: {wrong.what}", advice=advice))
        elif stem.partition(".")[2] == TERRAFORM:
            what = "what terraform makes is told by its target: a module's files and values may be secret"
            problems.append(Problem(Position(path), what, advice="Remove it."))
        else:
            yield stem, path


def _is_directory(tree: Tree, path: str) -> bool:
    try:
        return tree.kind(path) is EntryKind.DIRECTORY
    except Stalled:  # a link that leaves the tree is told where it is read
        return False


def _mistakes(kind: str, root: Node) -> Iterator[Problem]:
    """Tell what is wrong with a model that fits its schema."""
    if not root.value:
        yield root.problem("says nothing", "Write its `attributes:`, or remove the file.")
    yield from _pod_mistakes(kind, root.get("pod"))
    said = root.value if isinstance(root.value, dict) else {}
    known = known_attributes(kind, said)
    for name, node in root.named("attributes").items():
        if name in known:
            what = f"Converge tells {quoted(name)} of every {kind} already, from {known[name]}"
            yield node.problem(what, "Choose another name.", of_key=True)
        elif name in RESERVED:
            what = f"{quoted(name)} is a field of every record"
            yield node.problem(what, "Choose another name.", of_key=True)
        else:
            yield from _untellable(kind, node)
    for one in root.get("relations").elements():
        yield from _either(one, "name", "reference")
        if one.text("name") and not one.text("to"):
            yield one.problem("does not say what the other is", "Add `to`, such as `to: Secret`.")
        for name in ("name", "reference"):
            yield from _untellable(kind, one.get(name), is_relation=True)
    for one in root.get("selectors").elements():
        yield from _either(one, "labels", "selector")


def _pod_mistakes(kind: str, pod: Node) -> Iterator[Problem]:
    path = _path(pod)
    if pod.value is not None and is_known(kind):
        yield pod.problem(f"Converge knows where the pods of a {kind} are, if it has any", "Remove it.", of_key=True)
    elif path is not None and (why := objection(kind, path)):
        yield pod.problem(why, "Name the pod template in what git says.")


def _path(node: Node) -> FactPath | None:
    """Give the path that a node says; None where it says none, which the schema has told."""
    try:
        return parse_fact_path(node.value) if isinstance(node.value, str) and node.value else None
    except ValueError:
        return None


def _untellable(kind: str, node: Node, *, is_relation: bool = False) -> Iterator[Problem]:
    path = _path(node)
    if path is None:
        return
    if not path:
        yield node.problem("this is the whole object", "Name a field of it.")
    elif why := objection(kind, path, is_relation=is_relation):
        yield node.problem(f"{quoted(str(node.value))} is never told: {why}", "Remove it, or name another field.")


def _either(node: Node, one: str, other: str) -> Iterator[Problem]:
    said = [name for name in (one, other) if node.text(name)]
    if len(said) != 1:
        what = f"says both {one} and {other}" if said else f"says neither {one} nor {other}"
        yield node.problem(what, "Keep one." if said else "Add one of them.")
