"""The selection language of `converge query`: terms that all must hold. Pure.

    kind=Deployment environment=prod health!=Healthy        fields, and the attributes of a model
    image~nginx:1.2   name~"web-*"                          contains; with * or ? the whole value matches
    replicas>3   since<2026-11-01                           numbers, and texts in their order
    sync=Drifted,Failed                                     one of these
    related:uses Secret/db                                  has this relation to such an instance
    relatedBy:uses Deployment/web                           such an instance has this relation to it

Retired instances are left out unless a term speaks of `lifecycle`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from controller.model import Stalled
from controller.records import relation_types

FIELDS: Final = (
    "key", "id", "model", "kind", "group", "name", "environment", "application", "target", "namespace",
    "sync", "health", "lifecycle", "since", "drift", "repository", "path", "commit", "author",
)  # fmt: skip
RELATIONS: Final[tuple[str, ...]] = relation_types()

_WORD = re.compile(r'(?:[^\s"]|"[^"]*")+')
_TERM = re.compile(r"(?P<field>[A-Za-z_][A-Za-z0-9_.-]*)(?P<operator>!=|!~|<=|>=|==?|~|<|>)(?P<value>.*)", re.DOTALL)
_RELATED = re.compile(r"(?P<way>related|relatedBy):(?P<type>[A-Za-z*]+)(?:=(?P<which>.+))?")
_EXAMPLE: Final = "Write it like kind=Deployment, image~nginx, replicas>3 or related:uses Secret/db."


@dataclass(frozen=True, slots=True)
class Term:
    """A field or attribute and what its value must be; any of `values` for = and ~, none of them for != and !~."""

    field: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Which:
    """The instances at the other end of a relation; "" stands for any, and `*` and `?` are wild in the name."""

    kind: str = ""
    group: str | None = None
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Related:
    """A relation: from the wanted instance, or (`is_inverse`) to it. `type` is "" for any."""

    type: str
    which: Which
    is_inverse: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    terms: tuple[Term, ...] = ()
    related: tuple[Related, ...] = ()

    @property
    def has_lifecycle(self) -> bool:
        return any(one.field == "lifecycle" for one in self.terms)


def parse_query(text: str) -> Query:
    """Read a query; an empty one takes everything. Raises Stalled with the word that is wrong."""
    if text.count('"') % 2:
        raise Stalled(f"query: a quotation mark is not closed: {text}")
    words = iter(_WORD.findall(text))
    terms: list[Term] = []
    related: list[Related] = []
    for word in words:
        found = _RELATED.fullmatch(word)
        if found is not None:
            related.append(_related(found, words))
        else:
            terms.append(_term(word))
    return Query(tuple(terms), tuple(related))


def _term(word: str) -> Term:
    found = _TERM.fullmatch(word)
    if found is None:
        raise Stalled(f'query: "{word}" is no term (a field, an operator and a value, without blanks). {_EXAMPLE}')
    values = tuple(_values(found["value"]))
    operator = "=" if found["operator"] == "==" else found["operator"]  # as in kubectl's selectors
    if operator in {"<", ">", "<=", ">="} and len(values) != 1:
        raise Stalled(f'query: "{word}" compares with several values. Name one.')
    return Term(found["field"], operator, values)


def _values(text: str) -> Iterator[str]:
    for one in re.findall(r'(?:[^,"]|"[^"]*")+', text) or [""]:
        yield one.replace('"', "")


def _related(found: re.Match[str], words: Iterator[str]) -> Related:
    kind = found["type"]
    if kind != "*" and kind not in RELATIONS:
        raise Stalled(f'query: "{kind}" is no relation. There are {", ".join(RELATIONS)}, and * for any.')
    which = found["which"] or next(words, "")
    if not which:
        raise Stalled(f'query: "{found[0]}" does not say to which instance. Write it like related:uses Secret/db.')
    return Related("" if kind == "*" else kind, _which(which.replace('"', "")), found["way"] == "relatedBy")


def _which(text: str) -> Which:
    """Read `Kind/name`, `Kind.group/name`, `Kind/namespace/name`, or a kind alone."""
    parts: Sequence[str] = text.split("/")
    if len(parts) > 3 or not parts[0]:
        raise Stalled(f'query: "{text}" names no instance. Write Kind/name or Kind/namespace/name.')
    kind, dot, group = parts[0].partition(".")
    namespace = parts[1] if len(parts) == 3 else ""
    return Which(kind, group if dot else None, namespace, parts[-1] if len(parts) > 1 else "")
