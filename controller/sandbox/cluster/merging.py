"""Put one value over another, and take fields out of one (structured-merge-diff, typed/merge.go and remove.go)."""

from __future__ import annotations

from controller.model import ABSENT, JsonValue
from controller.model.fields import Missing
from controller.sandbox.cluster.fieldset import FieldSet, is_member
from controller.sandbox.cluster.schema import ANY, ListOf, MapOf, Scalar, Shape
from controller.sandbox.cluster.typed import Maybe, as_dict, as_list, element_key, has_content, resolve


def merge(live: Maybe, applied: Maybe, shape: Shape) -> Maybe:
    """Put what was applied over what is live: the applied value wins, what it does not name stays."""
    if applied is ABSENT or live is ABSENT:
        return live if applied is ABSENT else applied
    one, other = resolve(shape, live), resolve(shape, applied)
    if one is not other and live is not None and applied is not None:
        return applied
    shape = other if applied is not None else one
    if isinstance(shape, Scalar) or shape.is_atomic or (not has_content(live) and not has_content(applied)):
        return applied
    if isinstance(shape, MapOf):
        before, after = as_dict(live), as_dict(applied)
        merged = {
            name: merge(before.get(name, ABSENT), after.get(name, ABSENT), shape.shape_of(name) or ANY)
            for name in (*before, *(name for name in after if name not in before))
        }
        return {name: one for name, one in merged.items() if not isinstance(one, Missing)}
    return _merge_lists(as_list(live), as_list(applied), shape)


def _merge_lists(live: list[JsonValue], applied: list[JsonValue], shape: ListOf) -> list[JsonValue]:
    """Merge two lists known by keys: applied items keep their order, live ones that are not applied keep their places.

    This is the loop of typed/merge.go, visitListItems.
    """
    left, right = [element_key(one, shape) for one in live], [element_key(one, shape) for one in applied]
    ours, theirs = dict(zip(left, live, strict=True)), dict(zip(right, applied, strict=True))
    shared = iter([key for key in right if key in ours])
    awaited = next(shared, None)
    merged: set[str] = set()
    out: list[JsonValue] = []

    def put(one: Maybe, other: Maybe) -> None:
        value = merge(one, other, shape.element)
        if not isinstance(value, Missing):
            out.append(value)

    i = j = 0
    while i < len(left) or j < len(right):
        if i < len(left) and j < len(right):
            key = left[i]
            if key == right[j]:
                merged.add(key)
                put(ours[key], theirs[key])
                i, j = i + 1, j + 1
                awaited = next(shared, None)
                continue
            if key in theirs and awaited is not None and awaited != key:
                i += 1  # a shared item, but not the one whose turn it is
                continue
        if i < len(left):
            key = left[i]
            if key not in theirs:
                put(live[i], ABSENT)
                i += 1
                continue
            if key in merged:
                i += 1
        if j < len(right):
            key = right[j]
            merged.add(key)
            put(ours.get(key, ABSENT), theirs[key])
            j += 1
            if awaited == key:
                awaited = next(shared, None)
    return out


def remove(value: JsonValue, fields: FieldSet, shape: Shape) -> JsonValue:
    """Take the members of a set away, each with all that is below it. None when nothing is left."""
    shape = resolve(shape, value)
    if isinstance(shape, Scalar):
        return value
    if shape.is_atomic:
        return None
    if isinstance(shape, MapOf):
        if not isinstance(value, dict):
            return None
        left: dict[str, JsonValue] = {}
        for name, one in value.items():
            node = fields.get(f"f:{name}")
            if node is None:
                left[name] = one
            elif not is_member(node):
                left[name] = remove(one, node, shape.shape_of(name) or ANY)
        return left or None
    kept: list[JsonValue] = []
    for one in value if isinstance(value, list) else ():
        node = fields.get(element_key(one, shape))
        if node is None:
            kept.append(one)
        elif not is_member(node):
            kept.append(remove(one, node, shape.element))
    return kept or None
