"""Queries as SQL over the tables of `index`. Pure; values are bound, never written into the statement."""
# ruff: noqa: S608 - every part of a statement is a text of this module

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from controller.config import nearest
from controller.engine.query.language import FIELDS, Query, Related, Term, Which
from controller.model import Stalled

Statement = tuple[str, list[str | float]]

COLUMNS: Final = {name: f'i."{name}"' for name in FIELDS} | {"id": "i.uuid"}
PLURAL: Final = ("s", "es")  # `image` asks for the attribute `images`


def select(query: Query, attribute_names: Callable[[], frozenset[str]]) -> Statement:
    """Give the statement that finds a query's records by key. Raises Stalled for an unknown field."""
    conditions: list[str] = [] if query.has_lifecycle else ["i.lifecycle = 'active'"]
    values: list[str | float] = []
    for term in query.terms:
        condition, bound = _term(term, attribute_names)
        conditions.append(condition)
        values += bound
    for related in query.related:
        condition, bound = _related(related)
        conditions.append(condition)
        values += bound
    where = " AND ".join(conditions) or "1"
    return f'SELECT i.record FROM instance i WHERE {where} ORDER BY i."key"', values


def _term(term: Term, attribute_names: Callable[[], frozenset[str]]) -> Statement:
    if term.field in COLUMNS:
        return _compared(COLUMNS[term.field], "", term)
    name = _attribute(term.field, attribute_names())
    positive = Term(term.field, term.operator.removeprefix("!"), term.values)
    if term.operator in {"!=", "!~"}:  # no value of it may match; an instance without the attribute is taken
        inner, bound = _compared("a.value", "a.number", positive)
        return f"NOT EXISTS (SELECT 1 FROM attribute a WHERE a.instance = i.id AND a.name = ? AND {inner})", [
            name,
            *bound,
        ]
    inner, bound = _compared("a.value", "a.number", term)
    return f"i.id IN (SELECT a.instance FROM attribute a WHERE a.name = ? AND {inner})", [name, *bound]


def _attribute(field: str, known: frozenset[str]) -> str:
    for name in (field, *(f"{field}{ending}" for ending in PLURAL)):
        if name in known:
            return name
    near = nearest(field, {*known, *FIELDS})
    hint = f'Did you mean "{near}"?' if near else f"There are {', '.join(FIELDS)}, and the attributes of the models."
    raise Stalled(f'query: no instance has a field "{field}". {hint}')


def _compared(text: str, number: str, term: Term) -> Statement:
    """Compare a text; or its number, where there may be one and the query says one."""
    match term.operator:
        case "=":
            return _any(f"{text} = ? COLLATE NOCASE", term.values)
        case "!=":
            condition, bound = _any(f"{text} = ? COLLATE NOCASE", term.values)
            return f"NOT {condition}", bound
        case "~" | "!~":
            condition, bound = _containing(text, term.values)
            return (condition, bound) if term.operator == "~" else (f"NOT {condition}", bound)
        case operator:
            (value,) = term.values
            if number and _is_number(value):
                return f"{number} {operator} ?", [float(value)]
            return f"{text} {operator} ?", [value]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _any(condition: str, values: tuple[str, ...]) -> Statement:
    return f"({' OR '.join([condition] * len(values))})", list(values)


def _containing(text: str, values: tuple[str, ...]) -> Statement:
    parts: list[str] = []
    bound: list[str | float] = []
    for value in values:
        if "*" in value or "?" in value:
            parts.append(f"lower({text}) GLOB lower(?)")
            bound.append(value.replace("[", "[[]"))
        else:
            parts.append(f"instr(lower({text}), lower(?)) > 0")
            bound.append(value)
    return f"({' OR '.join(parts)})", bound


def _related(related: Related) -> Statement:
    kind, bound = ("r.type = ? AND ", [related.type]) if related.type else ("", [])
    if related.is_inverse:
        where, more = _described("s", related.which)
        sources = f"instance s ON s.id = r.instance WHERE {kind}s.lifecycle = 'active' AND {where}"
        return f"i.place IN (SELECT r.place FROM relation r JOIN {sources})", [*bound, *more]
    where, more = _described("r", related.which)
    return f"i.id IN (SELECT r.instance FROM relation r WHERE {kind}{where})", [*bound, *more]


def _described(table: str, which: Which) -> Statement:
    conditions = [f"{table}.kind = ? COLLATE NOCASE"]
    values: list[str | float] = [which.kind]
    for column, value in (("group", which.group), ("namespace", which.namespace or None)):
        if value is not None:
            conditions.append(f'{table}."{column}" = ?')
            values.append(value)
    if which.name:
        operator = "GLOB" if "*" in which.name or "?" in which.name else "="
        conditions.append(f"{table}.name {operator} ?")
        values.append(which.name.replace("[", "[[]") if operator == "GLOB" else which.name)
    return " AND ".join(conditions), values
