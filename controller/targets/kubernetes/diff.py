"""Field by field, what a server's answer to an apply would change in a live object. Pure.

Both sides come from the server, defaults filled in and webhooks run, so that every difference is one that the apply
would make. Lists are matched by their merge keys, which the objects tell themselves: `managedFields` names
elements by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson

from controller.model import ABSENT, Element, FieldPath, FieldValue
from controller.targets.kubernetes.labels import BOOKKEEPING

Shape: TypeAlias = dict[str, Any]  # the union of several fieldsV1 trees
ManagedFields: TypeAlias = Iterable[Mapping[str, Any]]

SERVERS_METADATA: Final = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs: `before` is live, `after` is the answer."""

    path: FieldPath
    before: FieldValue
    after: FieldValue


def shape_of(*managed_fields: ManagedFields) -> Shape:
    """Add up the field sets of every manager: what they call an element tells a list's merge keys."""
    shape: Shape = {}
    for entries in managed_fields:
        for entry in entries:
            _merge(shape, entry.get("fieldsV1") or {})
    return shape


def _merge(into: Shape, tree: Mapping[str, Any]) -> None:
    for step, below in tree.items():
        node = into.setdefault(step, {})
        if below:
            _merge(node, below)


def difference(live: Mapping[str, Any], answer: Mapping[str, Any], shape: Shape) -> tuple[Difference, ...]:
    """Compare two states of one object. What only the server writes, and status, is left out."""
    return tuple(_of_objects(live, answer, shape))


def _of_objects(live: Mapping[str, Any], answer: Mapping[str, Any], shape: Shape) -> Iterator[Difference]:
    for name in sorted({*live, *answer} - {"status", "metadata", "apiVersion", "kind"}):
        yield from _of_values(live.get(name, ABSENT), answer.get(name, ABSENT), _below(shape, name), (name,))
    before, after = live.get("metadata") or {}, answer.get("metadata") or {}
    for name in sorted({*before, *after} - SERVERS_METADATA):
        one, other = before.get(name, ABSENT), after.get(name, ABSENT)
        if name == "annotations":
            one, other = _without_bookkeeping(one), _without_bookkeeping(other)
        yield from _of_values(one, other, _below(_below(shape, "metadata"), name), ("metadata", name))


def _without_bookkeeping(annotations: Any) -> Any:
    if annotations is ABSENT:
        return {}
    return {name: value for name, value in annotations.items() if name not in BOOKKEEPING}


def _below(shape: Shape, name: str) -> Shape:
    below: Shape = shape.get(f"f:{name}", {})
    return below


def _of_values(before: Any, after: Any, shape: Shape, path: FieldPath) -> Iterator[Difference]:
    if before == after and type(before) is type(after):
        return
    if _is_map(before) and _is_map(after) and (before or after):
        before, after = ({} if one is ABSENT else one for one in (before, after))
        for name in sorted({*before, *after}):
            yield from _of_values(before.get(name, ABSENT), after.get(name, ABSENT), _below(shape, name), (*path, name))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_lists(before, after, shape, path)
    elif not (_is_nothing(before) and _is_nothing(after)):
        yield Difference(path, before, after)


def _is_map(value: Any) -> bool:
    """Tell whether to look inside: an absent map beside one that is there lacks each of its fields."""
    return isinstance(value, dict) or value is ABSENT


def _is_nothing(value: Any) -> bool:
    return value is ABSENT or value == {}


def _of_lists(before: list[Any], after: list[Any], shape: Shape, path: FieldPath) -> Iterator[Difference]:
    names = merge_keys(shape)
    one, other = _keyed(before, names), _keyed(after, names)
    if one is None or other is None:
        yield Difference(path, before, after)
        return
    found = False
    for element in [*one, *(new for new in other if new not in one)]:
        for each in _of_elements(one.get(element, ABSENT), other.get(element, ABSENT), shape, (*path, element)):
            found = True
            yield each
    if not found:  # the same elements in another order
        yield Difference(path, before, after)


def _of_elements(before: Any, after: Any, shape: Shape, path: FieldPath) -> Iterator[Difference]:
    if before is ABSENT or after is ABSENT:
        yield Difference(path, before, after)  # an element comes and goes whole
    else:
        element = path[-1]
        assert isinstance(element, Element)  # noqa: S101  # the caller has just put it there
        yield from _of_values(before, after, _element_shape(shape, element), path)


def merge_keys(shape: Shape) -> tuple[str, ...] | None:
    """Give the names of a list's merge keys; () for a set; None for an atomic one, or where nobody owns any."""
    for step in shape:
        if step.startswith("k:"):
            return tuple(orjson.loads(step[2:]))
        if step.startswith("v:"):
            return ()
    return None


def _keyed(values: list[Any], names: tuple[str, ...] | None) -> dict[Element, Any] | None:
    """Index a list by merge keys; None when that can't be done without doubt."""
    if names is None:
        return None
    found: dict[Element, Any] = {}
    for value in values:
        element = _element(value, names)
        if element is None or element in found:
            return None
        found[element] = value
    return found


def _element(value: Any, names: tuple[str, ...]) -> Element | None:
    if not names:
        return Element((("", value),)) if isinstance(value, str | int | bool) else None
    if not isinstance(value, dict):
        return None
    keys = tuple((name, value[name]) for name in names if isinstance(value.get(name), str | int | bool))
    return Element(keys) if keys else None


def _element_shape(shape: Shape, element: Element) -> Shape:
    """Find an element's own shape; elements have all the same one, so any will do where nobody owns this one."""
    wanted = dict(element.keys)
    fallback: Shape = {}
    for step, below in shape.items():
        if step.startswith("k:"):
            if orjson.loads(step[2:]) == wanted:
                fallback = {**fallback, **below}
                continue
            fallback = {**below, **fallback}
    return fallback
