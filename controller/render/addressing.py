"""Fields inside a rendered object: what stands there, and which elements a person's brackets mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from controller.model import ABSENT, Element, FieldPath, JsonValue, Missing, Step

# The keys by which Kubernetes knows the elements of its lists (x-kubernetes-list-map-keys), and custom kinds theirs.
LIST_KEYS: Final = (
    ("name",), ("key",), ("type",), ("mountPath",), ("devicePath",), ("ip",), ("uid",), ("host",), ("path",),
    ("containerPort", "protocol"), ("port", "protocol"), ("topologyKey", "whenUnsatisfiable"),
)  # fmt: skip


def value_at(value: JsonValue, field: Sequence[Step]) -> JsonValue | Missing:
    """Give what stands at a field; ABSENT where there is none."""
    here: JsonValue | Missing = value
    for step in field:
        here = _child(here, step)
    return here


def resolve(value: JsonValue, field: Sequence[Step]) -> FieldPath:
    """Say which keys the elements of a path have that was read from text (`model.parse_path`).

    A number is an index where the list is that long, and else a key. What matches nothing stays as it is.
    """
    found: list[Step] = []
    here: JsonValue | Missing = value
    for step in field:
        known = _resolved(here, step)
        found.append(known)
        here = _child(here, known)
    return tuple(found)


def keyed(value: JsonValue, field: Sequence[Step]) -> FieldPath:
    """Put keys in the place of positions, where the elements of a list have such: what they name may move."""
    found: list[Step] = []
    here: JsonValue | Missing = value
    for step in field:
        found.append(_by_key(here, step) if isinstance(step, int) and isinstance(here, list) else step)
        here = _child(here, step)
    return tuple(found)


def _by_key(elements: list[JsonValue], at: int) -> Step:
    one = elements[at] if -len(elements) <= at < len(elements) else None
    if not isinstance(one, dict):
        return at
    for keys in LIST_KEYS:
        element = Element(_scalars([(key, one[key]) for key in keys if key in one]))
        if keys[0] in one and element.keys and sum(is_element(each, element) for each in elements) == 1:
            return element
    return at


def _resolved(here: JsonValue | Missing, step: Step) -> Step:
    if not isinstance(here, list) or isinstance(step, str) or (isinstance(step, int) and step < len(here)):
        return step
    wanted = tuple(str(part) for _, part in step.keys) if isinstance(step, Element) else (str(step),)
    for one in here:
        if not isinstance(one, dict):
            if wanted == (str(one),) and isinstance(one, str | int):
                return Element((("", one),))
            continue
        for keys in LIST_KEYS:
            named = tuple((key, one[key]) for key in keys[: len(wanted)] if key in one)
            if keys[0] in one and len(wanted) <= len(keys) and all(map(_reads, named, wanted)):
                return Element(_scalars(named))
    return step


def _reads(named: tuple[str, JsonValue], text: str) -> bool:
    return str(named[1]) == text


def _scalars(named: Sequence[tuple[str, JsonValue]]) -> tuple[tuple[str, str | int | bool], ...]:
    return tuple((key, part) for key, part in named if isinstance(part, str | int))


def _child(here: JsonValue | Missing, step: Step) -> JsonValue | Missing:
    match step:
        case str():
            return here.get(step, ABSENT) if isinstance(here, dict) else ABSENT
        case int():
            return here[step] if isinstance(here, list) and -len(here) <= step < len(here) else ABSENT
        case Element():
            return next((one for one in here if is_element(one, step)), ABSENT) if isinstance(here, list) else ABSENT


def is_element(one: JsonValue, element: Element) -> bool:
    """Compare by the keys that are written: a key with a default, such as a protocol, may be left out."""
    if not isinstance(one, dict):
        return any(one == value for _, value in element.keys)
    known = [(name, value) for name, value in element.keys if name in one]
    return bool(known) and all(one[name] == value for name, value in known)
