"""Name the fields in which two values differ (structured-merge-diff, typed/compare.go)."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.model import ABSENT, JsonValue
from controller.sandbox.cluster.fieldset import FieldSet, insert
from controller.sandbox.cluster.schema import ANY, ListOf, MapOf, Scalar, Shape
from controller.sandbox.cluster.typed import Maybe, as_dict, as_list, element_key, has_content, resolve, same


@dataclass(slots=True)
class Comparison:
    """What changed between two values."""

    added: FieldSet = field(default_factory=dict)
    modified: FieldSet = field(default_factory=dict)
    removed: FieldSet = field(default_factory=dict)

    @property
    def is_same(self) -> bool:
        return not self.added and not self.modified and not self.removed


def compare(old: JsonValue, new: JsonValue, shape: Shape) -> Comparison:
    """Name the fields that a change from `old` to `new` adds, modifies and removes."""
    found = Comparison()
    _compare(old, new, shape, (), found)
    return found


def _compare(old: Maybe, new: Maybe, shape: Shape, path: tuple[str, ...], found: Comparison) -> None:
    if old is ABSENT and new is ABSENT:
        return
    one, other = resolve(shape, old), resolve(shape, new)
    seen = one if new is ABSENT or new is None else other
    if old is not ABSENT and new is not ABSENT and old is not None and new is not None and one is not other:
        _leaf(old, new, path, found)
        return
    if not _compare_below(old, new, seen, path, found):
        if old is ABSENT:
            insert(found.added, path)
        elif new is ABSENT:
            insert(found.removed, path)


def _compare_below(old: Maybe, new: Maybe, shape: Shape, path: tuple[str, ...], found: Comparison) -> bool:
    """Compare what is below. True when the two were compared as one leaf."""
    is_leaf = isinstance(shape, Scalar) or shape.is_atomic or (not has_content(old) and not has_content(new))
    if is_leaf:
        if path:
            _leaf(old, new, path, found)
        return True
    if isinstance(shape, MapOf):
        before, after = as_dict(old), as_dict(new)
        for name in (*before, *(name for name in after if name not in before)):
            inner = shape.shape_of(name) or ANY
            _compare(before.get(name, ABSENT), after.get(name, ABSENT), inner, (*path, f"f:{name}"), found)
    elif isinstance(shape, ListOf):
        _compare_lists(as_list(old), as_list(new), shape, path, found)
    return not path


def _leaf(old: Maybe, new: Maybe, path: tuple[str, ...], found: Comparison) -> None:
    if old is ABSENT:
        insert(found.added, path)
    elif new is ABSENT:
        insert(found.removed, path)
    elif not same(old, new):
        insert(found.modified, path)


def _compare_lists(
    old: list[JsonValue], new: list[JsonValue], shape: ListOf, path: tuple[str, ...], found: Comparison
) -> None:
    before, after = _by_key(old, shape), _by_key(new, shape)
    for key in (*before, *(key for key in after if key not in before)):
        ours, theirs = before.get(key, []), after.get(key, [])
        if len(ours) <= 1 and len(theirs) <= 1:
            pair = (ours[0] if ours else ABSENT, theirs[0] if theirs else ABSENT)
            _compare(*pair, shape.element, (*path, key), found)
        elif len(ours) >= 2 and len(theirs) >= 2:
            if ours != theirs:
                insert(found.modified, (*path, key))
        elif len(ours) >= 2:
            if theirs:
                _compare(ABSENT, theirs[0], shape.element, (*path, key), found)
            insert(found.removed, (*path, key))
        else:
            if ours:
                _compare(ours[0], ABSENT, shape.element, (*path, key), found)
            insert(found.added, (*path, key))


def _by_key(values: list[JsonValue], shape: ListOf) -> dict[str, list[JsonValue]]:
    found: dict[str, list[JsonValue]] = {}
    for one in values:
        found.setdefault(element_key(one, shape), []).append(one)
    return found
