"""Mistakes that stop single groups and nobody else: cycles of `dependsOn`, and what a repository may not touch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from controller.config.complaint import listed, quoted
from controller.config.cycles import cycle_of_each
from controller.config.draft import Draft, EnvironmentDraft
from controller.config.globs import matches_any
from controller.config.node import Node
from controller.config.rules import applications, group_of
from controller.config.selecting import targets_of
from controller.model import ApplicationName, EnvironmentName, GroupRef, Problem


def group_problems(draft: Draft) -> Mapping[GroupRef, tuple[Problem, ...]]:
    """Give the problems of every group that has one, sorted."""
    found: dict[GroupRef, list[Problem]] = {}
    for group, problem in (*_cycles(draft), *_limits(draft)):
        found.setdefault(group, []).append(problem)
    return {group: tuple(sorted(problems)) for group, problems in sorted(found.items())}


def _cycles(draft: Draft) -> Iterator[tuple[GroupRef, Problem]]:
    entries = {_group(environment, name): entry for environment, name, entry in applications(draft)}
    graph = {
        group: [
            other for one in entry.texts("dependsOn") or () if (other := group_of(one, group.environment)) in entries
        ]
        for group, entry in entries.items()
    }
    for group, cycle in cycle_of_each(graph).items():
        way = " → ".join(map(str, cycle))
        node = entries[group].get("dependsOn")
        yield group, node.problem(f"waits for itself: {way}", "Remove one of these dependencies.", of_key=True)


def _limits(draft: Draft) -> Iterator[tuple[GroupRef, Problem]]:
    for environment, name, entry in applications(draft):
        repository = draft.repositories.get(entry.text("repository"))
        if repository is None:
            continue
        may = repository.get("may")
        for field, values in _touched(environment, entry).items():
            allowed = may.texts(field)
            for value, node in values:
                if allowed is not None and not matches_any(value, allowed):
                    yield _group(environment, name), _beyond(node, field, value, allowed, may)


def _touched(environment: EnvironmentDraft, entry: Node) -> Mapping[str, list[tuple[str, Node]]]:
    """Give what an entry touches, as far as it shows before rendering, by the field of `may` that limits it."""
    targets = [(one.value, one) for one in entry.get("targets").elements() if isinstance(one.value, str)]
    if entry.get("targets").value is None:
        targets = [(name, entry) for name in targets_of(environment, entry)]
    namespace = entry.text("namespace")
    return {
        "environments": [(environment.name, entry)],
        "targets": targets,
        "namespaces": [(namespace, entry.get("namespace"))] if namespace else [],
    }


def _beyond(node: Node, field: str, value: str, allowed: tuple[str, ...], may: Node) -> Problem:
    owner = may.field[-2]
    limits = listed(allowed) or "nothing"
    what = f"repository {quoted(str(owner))} may not touch {field[:-1]} {quoted(value)} (it may: {limits})"
    return node.problem(what, f"Move the application, or widen {may.get(field).origin()}.", of_key=True)


def _group(environment: EnvironmentDraft, name: str) -> GroupRef:
    return GroupRef(EnvironmentName(environment.name), ApplicationName(name))
