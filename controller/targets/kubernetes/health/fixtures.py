"""Live objects that a user's rules are held against: `health/<rule file>/<health>-….yaml` of the platform."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from controller.config import nearest
from controller.documents import Dialect, read
from controller.model import EntryKind, Health, HealthRules, Invalid, Position, Problem, Stalled, Tree
from controller.targets.kubernetes.health import health
from controller.targets.kubernetes.health.reading import Object, text

FOLDER = "health"
VERDICTS = {one.lower(): one for one in (Health.HEALTHY, Health.PROGRESSING, Health.DEGRADED, Health.SUSPENDED)}


def check_fixtures(tree: Tree, rules: HealthRules) -> tuple[Problem, ...]:
    """Judge every object that lies beside a rule, and tell of each that is not what its file's name says. Pure."""
    return tuple(problem for path in _paths(tree) for problem in _check(tree, path, rules))


def _paths(tree: Tree) -> Iterator[str]:
    for name in sorted(tree.names(FOLDER)):
        folder = f"{FOLDER}/{name}"
        try:
            is_folder = tree.kind(folder) is EntryKind.DIRECTORY
        except Stalled:
            continue
        for inner in sorted(tree.names(folder)) if is_folder else ():
            if inner.endswith(".yaml") and not inner.startswith("."):
                yield f"{folder}/{inner}"


def _check(tree: Tree, path: str, rules: HealthRules) -> Iterator[Problem]:
    where = Position(path, 1)
    said = posixpath.basename(path).removesuffix(".yaml").partition("-")[0]
    if said not in VERDICTS:
        near = nearest(said, tuple(VERDICTS))
        advice = f"Begin it with {near or ', '.join(VERDICTS)}."
        yield Problem(where, "its name does not begin with a health", advice=advice)
        return
    try:
        documents = read(tree.read(path), path=path, dialect=Dialect.KUBERNETES)
    except Invalid as error:
        yield from error.problems
        return
    except Stalled as error:
        yield Problem(where, str(error))
        return
    for document in documents:
        if isinstance(document.value, dict):
            yield from _judge(document.value, Position(path, document.line), VERDICTS[said], rules)
        else:
            yield Problem(
                Position(path, document.line), "is no object", advice="Write what `kubectl get -o yaml` says."
            )


def _judge(live: Object, where: Position, wanted: Health, rules: HealthRules) -> Iterator[Problem]:
    group = text(live, "apiVersion").rpartition("/")[0]
    kind = f"{text(live, 'kind')}.{group}" if group else text(live, "kind")
    if kind not in rules:
        near = nearest(kind, tuple(rules))
        advice = f"Did you mean {near}?" if near else "Name its kind in the rule beside this folder."
        yield Problem(where, f'no rule speaks of "{kind}"', advice=advice)
        return
    found, reason = health(live, rules)
    if found is not wanted:
        why = f" ({reason})" if reason else ""
        yield Problem(where, f"is judged {found}{why}", advice=f"Its name says {wanted}: correct the rule or the name.")
