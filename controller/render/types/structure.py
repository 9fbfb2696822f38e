"""Manifests with parameters, as structure: a parameter stands for a value, never for text inside a value.

    {$param: image}                         a parameter's value (a path: `ports[0].port`), or a loop's variable's
    {$param: replicas, $default: 1}         … or another value where it is not given
    {$context: name}                        name, application or namespace of what is rendered
    {$concat: [{$context: name}, "-data"]}  strings and numbers put together
    {$if: tls, …}                           the fields beside it, only where the condition holds
    {$if: tls, $then: …, $else: …}          the one value or the other
    {$each: ports, $as: port, $do: …}       in a list: an element per element; of a mapping: `{key, value}` by key

A condition is a parameter's path (given, and not false, null, 0 or empty), or {$not: …}, {$all: [...]}, {$any: [...]},
{$equals: [a, b]}. A field whose value is a parameter that is not given, and has no default, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from controller.model import ABSENT, FieldPath, Missing
from controller.render.oam.reporting import Report, suggestion

CONTEXT: Final = ("application", "name", "namespace")
_VALUES: Final = {
    "$param": {"$default"},
    "$context": set[str](),
    "$concat": set[str](),
    "$each": {"$as", "$do"},
}
_CONDITIONS: Final = ("$all", "$any", "$equals", "$not")
_WORDS: Final = frozenset({*_VALUES, "$default", "$as", "$do", "$if", "$then", "$else", *_CONDITIONS})
_STEP: Final = re.compile(r"[^.\[\]]+")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a manifest may name, and where its mistakes are told."""

    values: Mapping[str, Any]  # parameters, and the variables of loops
    context: Mapping[str, str]
    report: Report


def fill(node: Any, scope: Scope, path: FieldPath = ()) -> Any:
    """Give a manifest's value with everything put in; ABSENT for what is not there. Tells the report every mistake."""
    if isinstance(node, list):
        return [one for number, item in enumerate(node) for one in _elements(item, scope, (*path, number))]
    if not isinstance(node, dict):
        return node
    word = next((name for name in node if name.startswith("$")), "")
    if not word:
        return _mapping(node, scope, path)
    if not _is_known(node, word, scope, path):
        return ABSENT
    if "$if" in node:
        return _conditional(node, scope, path)
    match word:
        case "$param" | "$default":
            return _parameter(node, scope, path)
        case "$context":
            return scope.context[node["$context"]] if _is_context(node["$context"], scope, path) else ABSENT
        case "$concat":
            parts = fill(node["$concat"], scope, (*path, "$concat"))
            return "".join(_text(one, scope, path) for one in parts) if isinstance(parts, list) else ABSENT
        case _:
            scope.report.wrong(path, f"{word} has no place here", "$each makes elements of a list.")
            return ABSENT


def _is_known(node: Mapping[str, Any], word: str, scope: Scope, path: FieldPath) -> bool:
    """Tell whether a mapping's words are ours, and may stand together."""
    words = {name for name in node if name.startswith("$")}
    for name in sorted(words - _WORDS):
        scope.report.wrong((*path, name), "there is no such word", suggestion(name, _WORDS))
    if words - _WORDS:
        return False
    if "$if" in words:
        return True
    main = next((name for name in _VALUES if name in words), word)
    others = sorted(set(node) - {main} - _VALUES.get(main, set()))
    if others:
        scope.report.wrong((*path, others[0]), f"stands beside {main}, which is a value by itself")
    return not others


def _mapping(node: Mapping[str, Any], scope: Scope, path: FieldPath) -> dict[str, Any]:
    filled = {name: fill(one, scope, (*path, name)) for name, one in node.items()}
    return {name: one for name, one in filled.items() if not isinstance(one, Missing)}


def _elements(item: Any, scope: Scope, path: FieldPath) -> Iterator[Any]:
    """Give what one written element of a list comes to: one, none, or one per turn of its loop."""
    if isinstance(item, dict) and "$each" in item and _is_known(item, "$each", scope, path):
        yield from _turns(item, scope, path)
        return
    filled = fill(item, scope, path)
    if not isinstance(filled, Missing):
        yield filled


def _turns(item: Mapping[str, Any], scope: Scope, path: FieldPath) -> Iterator[Any]:
    found = _look_up(item["$each"], scope, (*path, "$each"))
    if isinstance(found, dict):
        found = [{"key": key, "value": value} for key, value in sorted(found.items())]
    if isinstance(found, Missing) or found is None:
        return
    if not isinstance(found, list):
        scope.report.wrong((*path, "$each"), f"{item['$each']} is neither a list nor a mapping")
        return
    name = item.get("$as", "item")
    for one in found:
        inner = replace(scope, values={**scope.values, name: one})
        filled = fill(item.get("$do"), inner, (*path, "$do"))
        if not isinstance(filled, Missing):
            yield filled


def _conditional(node: Mapping[str, Any], scope: Scope, path: FieldPath) -> Any:
    holds = _holds(node["$if"], scope, (*path, "$if"))
    if "$then" in node or "$else" in node:
        branch = "$then" if holds else "$else"
        return fill(node[branch], scope, (*path, branch)) if branch in node else ABSENT
    rest = {name: one for name, one in node.items() if name != "$if"}
    return fill(rest, scope, path) if holds else ABSENT


def _holds(condition: Any, scope: Scope, path: FieldPath) -> bool:
    match condition:
        case str():
            found = _look_up(condition, scope, path)
            return not isinstance(found, Missing) and bool(found)
        case {"$not": inner}:
            return not _holds(inner, scope, (*path, "$not"))
        case {"$all": [*inner]}:
            return all(_holds(one, scope, (*path, "$all", at)) for at, one in enumerate(inner))
        case {"$any": [*inner]}:
            return any(_holds(one, scope, (*path, "$any", at)) for at, one in enumerate(inner))
        case {"$equals": [one, other]}:
            return bool(fill(one, scope, path) == fill(other, scope, path))
        case _:
            advice = f"Write a parameter's path, or one of {', '.join(_CONDITIONS)}."
            scope.report.wrong(path, "this is no condition", advice)
            return False


def _parameter(node: Mapping[str, Any], scope: Scope, path: FieldPath) -> Any:
    if "$param" not in node:
        scope.report.wrong(path, "$default stands beside no $param")
        return ABSENT
    found = _look_up(node["$param"], scope, (*path, "$param"))
    if isinstance(found, Missing) and "$default" in node:
        return fill(node["$default"], scope, (*path, "$default"))
    return found


def _look_up(written: Any, scope: Scope, path: FieldPath) -> Any:
    """Follow a path into the parameters. Its first step must be declared; below, what is not there is ABSENT."""
    steps = _STEP.findall(written) if isinstance(written, str) else []
    if not steps:
        scope.report.wrong(path, "this is no parameter's path", "Write it like ports[0].port.")
        return ABSENT
    if steps[0] not in scope.values:
        scope.report.wrong(path, f'there is no parameter "{steps[0]}"', suggestion(steps[0], scope.values))
        return ABSENT
    found: Any = scope.values
    for step in steps:
        if isinstance(found, dict):
            found = found.get(step, ABSENT)
        elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            return ABSENT
    return found


def _is_context(name: Any, scope: Scope, path: FieldPath) -> bool:
    if name in CONTEXT:
        return True
    scope.report.wrong((*path, "$context"), f'there is no "{name}" in the context', suggestion(str(name), CONTEXT))
    return False


def _text(value: Any, scope: Scope, path: FieldPath) -> str:
    if isinstance(value, str) or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return str(value)
    scope.report.wrong((*path, "$concat"), "only strings and numbers can be put together")
    return ""
