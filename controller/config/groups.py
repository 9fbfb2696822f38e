"""Mistakes that stop single groups and nobody else: cycles of `dependsOn` and `after`, and what may not be touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from controller.config.complaint import listed, quoted
from controller.config.cycles import cycle_of_each
from controller.config.draft import Draft, EnvironmentDraft, applications
from controller.config.globs import matches_any
from controller.config.node import Node
from controller.config.rules import group_of
from controller.config.selecting import targets_of
from controller.model import ApplicationName, EnvironmentName, GroupRef, Problem


def group_problems(draft: Draft) -> Mapping[GroupRef, tuple[Problem, ...]]:
    """Give the problems of every group that has one, sorted."""
    found: dict[GroupRef, list[Problem]] = {}
    for group, problem in (*_cycles(draft), *_comparable(draft), *_limits(draft), *_reach(draft)):
        found.setdefault(group, []).append(problem)
    return {group: tuple(sorted(problems)) for group, problems in sorted(found.items())}


def _cycles(draft: Draft) -> Iterator[tuple[GroupRef, Problem]]:
    """Find groups that wait for themselves: by `dependsOn`, by `sync.after`, or by both."""
    entries = {_group(environment, name): (environment, entry) for environment, name, entry in applications(draft)}
    needed = {
        group: [
            other for one in entry.texts("dependsOn") or () if (other := group_of(one, group.environment)) in entries
        ]
        for group, (_, entry) in entries.items()
    }
    earlier = {
        group: [other for one in _after(*said) if (other := replace(group, environment=one)) in entries]
        for group, said in entries.items()
    }
    graph = {group: [*needed[group], *earlier[group]] for group in entries}
    for group, cycle in cycle_of_each(graph).items():
        way = " → ".join(map(str, cycle))
        environment, entry = entries[group]
        is_order = cycle[1] not in needed[group]
        node = _order(environment, entry) if is_order else entry.get("dependsOn")
        advice = "Take one of these out of `sync.after`." if is_order else "Remove one of these dependencies."
        yield group, node.problem(f"waits for itself: {way}", advice, of_key=True)


def _order(environment: EnvironmentDraft, entry: Node) -> Node:
    """Give the `after` that counts for an entry: its own, or its environment's."""
    own = entry.get("sync", "after")
    return own if own.value is not None else environment.sync.get("after")


def _after(environment: EnvironmentDraft, entry: Node) -> Iterator[EnvironmentName]:
    for one in _order(environment, entry).elements():
        if (name := one.text("environment")) != environment.name:  # which is a mistake of its own
            yield EnvironmentName(name)


def _comparable(draft: Draft) -> Iterator[tuple[GroupRef, Problem]]:
    """Refuse an order between entries of different repositories, which have no commit in common."""
    for environment, name, entry in applications(draft):
        for one in _after(environment, entry):
            other = draft.environments.get(one)
            earlier = other.applications.get(name) if other else None
            if earlier is None or earlier.text("repository") == entry.text("repository"):
                continue
            what = f"comes after {one}/{name}, which is of repository {quoted(earlier.text('repository'))}"
            advice = "Let both come from one repository, or say `after: []` in this entry's `sync`."
            yield _group(environment, name), entry.get("repository").problem(what, advice)


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


def _reach(draft: Draft) -> Iterator[tuple[GroupRef, Problem]]:
    """Hold an entry's namespace against the targets that are limited to some."""
    for environment, name, entry in applications(draft):
        for target in targets_of(environment, entry):
            node = environment.targets.get(target)
            cluster = node.get("kubernetes") if node else None
            reached = cluster.texts("namespaces") if cluster else None
            if cluster is None or not reached:
                continue
            group, namespace = _group(environment, name), entry.text("namespace")
            limits = f"target {quoted(target)} is limited to {listed(reached)}"
            if entry.flag("createNamespace", default=False):
                what = f"{limits}, and a namespace is made with a right over the cluster"
                yield group, entry.get("createNamespace").problem(what, "Make it by hand.", of_key=True)
            if namespace and namespace not in reached:
                advice = f"Choose one of these, or add it at {cluster.get('namespaces').origin()}."
                yield group, entry.get("namespace").problem(f"{quoted(namespace)}: {limits}", advice)


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
