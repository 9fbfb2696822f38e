"""Plain scalars that mean one thing to kubectl and another to kustomize: `on`, `yes`, dates, a few numbers."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from controller.documents.encoding import canonical
from controller.documents.resolving import MAYBE_SPECIAL, RESOLVERS, Dialect, ScalarError
from controller.documents.scalars import unspelled
from controller.model import JsonValue, Position, Problem


def ambiguities(data: bytes, *, path: str) -> tuple[Problem, ...]:
    """Find scalars without quotes that the two read otherwise, each with its place; none in what is no YAML."""
    try:
        return tuple(_found(data, path))
    except yaml.YAMLError:
        return ()


def _found(data: bytes, path: str) -> Iterator[Problem]:
    for event in iter(yaml.CSafeLoader(data).get_event, None):
        if not isinstance(event, yaml.ScalarEvent) or not event.implicit[0] or event.value[:1] not in MAYBE_SPECIAL:
            continue
        kubectl, kustomize = (_read(event.value, dialect) for dialect in (Dialect.KUBERNETES, Dialect.KUSTOMIZE))
        if type(kubectl) is not type(kustomize) or kubectl != kustomize:
            mark = event.start_mark
            where = Position(path, mark.line + 1, mark.column + 1) if mark else Position(path)
            what = f"{event.value} is {_shown(kubectl)} to kubectl and {_shown(kustomize)} to kustomize"
            yield Problem(where, what, advice="Put it in quotes.")


def _read(text: str, dialect: Dialect) -> object:
    try:
        return unspelled(RESOLVERS[dialect](text))
    except ScalarError:
        return None


def _shown(value: object) -> str:
    if value is None:
        return "an error"
    shown: JsonValue = value if isinstance(value, str | int | float) else str(value)
    return f"the text {canonical(shown).decode()}" if isinstance(value, str) else canonical(shown).decode()
