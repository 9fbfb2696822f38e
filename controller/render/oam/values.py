"""Values that one component gives another: `outputs` by expression, `inputs` by where they go.

KubeVela reads them from what runs. Rendering reads git alone, so an expression may name what a component renders to:
`output` (its workload), `outputs.<name>` (what is beside it, by its output's name), `context`. What only a cluster
knows is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controller.model import ABSENT, JsonValue, Missing
from controller.render.taking import Symbol


@dataclass(frozen=True, slots=True)
class Later:
    """A value that is asked for when an expression names it, and not before."""

    read: Callable[[], JsonValue]


_LITERAL: Final = re.compile(r'^"([^"\\]*)"$')
_KEY: Final = re.compile(r'\["([^"]+)"\]|([^.\[\]]+)')
_STEP: Final = re.compile(r'(?:^|\.)([A-Za-z_][\w-]*)|\[(\d+)\]|\["([^"]+)"\]')


def evaluate(expression: str, scope: Mapping[str, Any]) -> JsonValue | Missing:
    """Give what an expression comes to: paths and texts, put together by `+`; ABSENT where a part is not there."""
    parts = [_part(one.strip(), scope) for one in expression.split(" + ")]
    if any(isinstance(one, Missing) for one in parts):
        return ABSENT
    if len(parts) == 1:
        return parts[0]
    symbol = next((one for one in parts if isinstance(one, Symbol)), None)
    if symbol is not None:
        return symbol
    return "".join(parts) if all(isinstance(one, str) for one in parts) else ABSENT  # type: ignore[arg-type]


def _part(text: str, scope: Mapping[str, Any]) -> JsonValue | Missing:
    literal = _LITERAL.match(text)
    if literal:
        return literal[1]
    value: Any = scope
    at = 0
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            return ABSENT
        at = step.end()
        value = inside(value, int(step[2]) if step[2] else step[1] or step[3])
    if isinstance(value, Later):
        return value.read()
    return value if at else ABSENT


def inside(value: Any, step: str | int) -> Any:
    """Give what a mapping has under a name, or a list at a place; ABSENT where there is nothing."""
    if isinstance(step, int):
        return value[step] if isinstance(value, list) and step < len(value) else ABSENT
    return value.get(step, ABSENT) if isinstance(value, dict) else ABSENT


def put(properties: Any, steps: Sequence[str | int], value: JsonValue) -> Any:
    """Set a field, making what leads to it. Gives a copy."""
    return _put(properties, steps, value)


def steps_of(key: str) -> tuple[str | int, ...]:
    """Read a dotted path: `env[0].value`, `data["a.b"]`."""
    found = (one[1] or one[2] for one in _KEY.finditer(key))
    return tuple(int(one) if one.isdigit() else one for one in found)


def _put(properties: Any, steps: Sequence[str | int], value: JsonValue) -> Any:
    if not steps:
        return value
    first, *rest = steps
    if isinstance(first, int):
        listed = list(properties) if isinstance(properties, list) else []
        while len(listed) <= first:
            listed.append({})
        listed[first] = _put(listed[first], rest, value)
        return listed
    body = dict(properties) if isinstance(properties, dict) else {}
    body[first] = _put(body.get(first), rest, value)
    return body
