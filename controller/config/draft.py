"""The platform repository before it is known to be right: its files' nodes, environments' parts added up.

Form of an environment: `environments/<name>.yaml`, and every `.yaml` file of the folder `environments/<name>/`,
are parts of it. What is said twice is a problem, because an order of files is nothing to rely on.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from controller.config.complaint import quoted
from controller.config.node import Node
from controller.config.reading import Reading, read_file
from controller.model import EntryKind, Position, Problem, Stalled, Tree

FILE = "converge.yaml"
FOLDER = "environments"


@dataclass(frozen=True, slots=True)
class EnvironmentDraft:
    name: str
    root: Node  # of the first part
    targets: Mapping[str, Node]
    applications: Mapping[str, Node]
    parameters: Mapping[str, Node]
    sync: Node  # empty where no part says it
    suspend: Node
    secrets: Node
    decryption: Node


@dataclass(frozen=True, slots=True)
class Draft:
    """`platform` is None where converge.yaml can't be read; rules about it keep silent then."""

    platform: Node | None
    repositories: Mapping[str, Node]
    environments: Mapping[str, EnvironmentDraft]
    problems: tuple[Problem, ...]
    unreadable: frozenset[str] = field(default_factory=frozenset)  # environments of which a part can't be read


def draft(tree: Tree) -> Draft:
    """Read every interface file of a platform repository."""
    problems: list[Problem] = []
    platform = _platform(tree)
    problems += platform.problems
    environments: dict[str, EnvironmentDraft] = {}
    unreadable: set[str] = set()
    for name, readings in _parts(tree, problems):
        roots = [reading.root for reading in readings if reading.root is not None]
        if len(roots) < len(readings):
            unreadable.add(name)
        problems += (problem for reading in readings for problem in reading.problems)
        if roots:
            problems += _misnamed(name, roots)
            environments[name] = _added_up(name, roots, problems)
    repositories = platform.root.get("spec").named("repositories") if platform.root else {}
    return Draft(platform.root, repositories, environments, tuple(problems), frozenset(unreadable))


def _platform(tree: Tree) -> Reading:
    if tree.kind(FILE) is EntryKind.FILE:
        return read_file(tree, FILE, "Platform")
    advice = "`converge init` writes one; or is this an application's repository?"
    return Reading(None, (Problem(Position(FILE), "the platform repository has no such file", advice=advice),))


def _parts(tree: Tree, problems: list[Problem]) -> Iterator[tuple[str, Sequence[Reading]]]:
    """Give each environment's name with the readings of its files, in the order of names."""
    files: dict[str, list[str]] = {}
    for name, path in _entries(tree, problems):
        files.setdefault(name, []).append(path)
    for name in sorted(files):
        yield name, [read_file(tree, path, "Environment") for path in sorted(files[name], key=_depth)]


def _depth(path: str) -> tuple[int, str]:
    return path.count("/"), path


def _entries(tree: Tree, problems: list[Problem]) -> Iterator[tuple[str, str]]:
    """Give each environment file's path with the name of its environment."""
    for name in tree.names(FOLDER):
        path = f"{FOLDER}/{name}"
        if _kind(tree, path, problems) is not EntryKind.DIRECTORY:
            if _is_part(path, problems):
                yield name.removesuffix(".yaml"), path
            continue
        for inner in tree.names(path):
            part = f"{path}/{inner}"
            if _kind(tree, part, problems) is EntryKind.DIRECTORY:
                problems.append(Problem(Position(part), "no folder is read here", advice=f"Move its files to {path}/."))
            elif _is_part(part, problems):
                yield name, part


def applications(draft: Draft) -> Iterator[tuple[EnvironmentDraft, str, Node]]:
    """Give every application's entry with its environment and name."""
    for environment in draft.environments.values():
        for name, entry in environment.applications.items():
            yield environment, name, entry


def _kind(tree: Tree, path: str, problems: list[Problem]) -> EntryKind:
    try:
        return tree.kind(path)
    except Stalled as error:
        problems.append(Problem(Position(path), str(error)))
        return EntryKind.ABSENT


def _is_part(path: str, problems: list[Problem]) -> bool:
    """Tell whether a file belongs to an environment; other files, such as a README, may lie beside them."""
    stem, suffix = posixpath.splitext(path)
    if suffix.lower() in (".yml", ".yaml", ".json") and suffix != ".yaml":
        problems.append(
            Problem(Position(path), f"files with the ending {suffix} are not read", advice=f"Rename it to {stem}.yaml.")
        )
    return suffix == ".yaml" and not posixpath.basename(path).startswith(".")


def _misnamed(name: str, roots: Sequence[Node]) -> Iterator[Problem]:
    for root in roots:
        written = root.get("metadata").text("name")
        if written and written != name:
            what = f"is {quoted(written)}, and the file belongs to {quoted(name)}"
            yield root.get("metadata", "name").problem(what, f"Write {name}, or move the file.")


def _added_up(name: str, roots: Sequence[Node], problems: list[Problem]) -> EnvironmentDraft:
    specs = [root.get("spec") for root in roots]
    return EnvironmentDraft(
        name=name,
        root=roots[0],
        targets=_maps(specs, "targets", problems),
        applications=_maps(specs, "applications", problems),
        parameters=_maps(specs, "parameters", problems),
        sync=_once(specs, "sync", problems),
        suspend=_once(specs, "suspend", problems),
        secrets=_once(specs, "secrets", problems),
        decryption=_once(specs, "decryption", problems),
    )


def _maps(specs: Sequence[Node], field_name: str, problems: list[Problem]) -> Mapping[str, Node]:
    found: dict[str, Node] = {}
    for spec in specs:
        for key, node in spec.named(field_name).items():
            if key in found:
                problems.append(_twice(node, found[key]))
            else:
                found[key] = node
    return found


def _once(specs: Sequence[Node], field_name: str, problems: list[Problem]) -> Node:
    said = [spec.get(field_name) for spec in specs if spec.get(field_name).value is not None]
    problems += (_twice(node, said[0]) for node in said[1:])
    return said[0] if said else specs[0].get(field_name)


def _twice(node: Node, first: Node) -> Problem:
    return node.problem(f"is said at {first.origin()} already", "Keep one of them.", of_key=True)
