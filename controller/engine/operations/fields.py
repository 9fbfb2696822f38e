"""Fields of decoded objects: where one is, as a JSON pointer, and how to say another value of it. Pure."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, TypeAlias

from controller.model import ABSENT, Element, FieldPath, JsonValue, Missing, Step
from controller.render import is_element, value_at

Value: TypeAlias = "JsonValue | Missing"


def pointer_of(body: JsonValue, field: FieldPath) -> str | None:
    """Give the JSON pointer of a field; None where an element of it is not there."""
    steps: list[str] = []
    here: Value = body
    for step in field:
        at = _index(here, step)
        if at is None:
            return None
        steps.append(str(at).replace("~", "~0").replace("/", "~1"))
        here = value_at(here, (step,)) if not isinstance(here, Missing) else ABSENT
    return "/" + "/".join(steps)


def _index(here: Value, step: Step) -> str | int | None:
    if isinstance(step, Element):
        found = [number for number, one in enumerate(here) if is_element(one, step)] if isinstance(here, list) else []
        return found[0] if found else None
    return step


def put(body: Any, field: FieldPath, value: Value) -> None:
    """Say a field of a decoded object in place; ABSENT takes it away. What leads there and is missing is made."""
    here: Any = body
    for step, after in pairwise(field):
        at = _index(here, step)
        if at is None and isinstance(step, Element) and isinstance(here, list):
            here.append(dict(step.keys))
            at = len(here) - 1
        if isinstance(here, dict) and at not in here:
            here[at] = {} if isinstance(after, str) else []
        here = here[at]
    last: Any = _index(here, field[-1])
    if isinstance(value, Missing):
        if last is not None and (isinstance(here, list) or last in here):
            here.pop(last)
    elif last is None:
        here.append(value)
    else:
        here[last] = value


def drop_empty_parents(body: Any, field: FieldPath) -> None:
    """Take away the maps that lead to a field and hold nothing: kustomize leaves them out, a merge patch does not."""
    for length in range(len(field) - 1, 0, -1):
        if value_at(body, field[:length]) == {}:
            put(body, field[:length], ABSENT)
