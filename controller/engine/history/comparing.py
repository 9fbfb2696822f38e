"""What differs between two desired states of a placement, field by field. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from controller.documents import decode
from controller.model import ABSENT, Desired, Element, FieldPath, FieldValue, Hidden, Manifest, ObjectKey

SECRET_FIELDS: Final = ("data", "stringData")
NAMES: Final = ("name", "containerPort", "port", "mountPath", "ip", "key", "host", "path")  # what elements are known by


@dataclass(frozen=True, slots=True)
class FieldDifference:
    path: FieldPath
    before: FieldValue
    after: FieldValue


@dataclass(frozen=True, slots=True)
class ObjectDifference:
    """One object. No fields are told of one that came or went."""

    key: ObjectKey
    before: Manifest | None
    after: Manifest | None
    fields: tuple[FieldDifference, ...] = ()


def compare(before: Desired, after: Desired) -> tuple[ObjectDifference, ...]:
    """Give the objects that differ, in key order. Values of a Secret are hidden."""
    old = {one.key: one for one in before.manifests}
    new = {one.key: one for one in after.manifests}
    return tuple(
        _object(key, old.get(key), new.get(key)) for key in sorted({*old, *new}) if not _is_same(key, old, new)
    )


def _is_same(key: ObjectKey, old: dict[ObjectKey, Manifest], new: dict[ObjectKey, Manifest]) -> bool:
    return key in old and key in new and old[key].digest == new[key].digest


def _object(key: ObjectKey, before: Manifest | None, after: Manifest | None) -> ObjectDifference:
    if before is None or after is None:
        return ObjectDifference(key, before, after)
    found = _fields((), decode(before.body), decode(after.body))
    return ObjectDifference(key, before, after, tuple(_hidden(key, one) for one in found))


def _fields(path: FieldPath, before: Any, after: Any) -> Iterator[FieldDifference]:
    match before, after:
        case dict(), dict():
            for name in sorted({*before, *after}):
                yield from _fields((*path, name), before.get(name, ABSENT), after.get(name, ABSENT))
        case list(), list() if name := _known_by(before, after):
            old = {one[name]: one for one in before}
            new = {one[name]: one for one in after}
            for key in dict.fromkeys([*old, *new]):
                step = Element(((name, key),))
                yield from _fields((*path, step), old.get(key, ABSENT), new.get(key, ABSENT))
        case _ if before != after or type(before) is not type(after):
            yield FieldDifference(path, before, after)


def _known_by(before: list[Any], after: list[Any]) -> str:
    """Give the field by which the elements of both lists are told apart, "" where there is none."""
    both = (before, after)
    for name in NAMES:
        keys = [[one.get(name) for one in some] for some in both if all(isinstance(one, dict) for one in some)]
        if len(keys) == len(both) and all(_are_names(some) for some in keys) and any(keys):
            return name
    return ""


def _are_names(keys: list[Any]) -> bool:
    return all(isinstance(one, str | int) for one in keys) and len(set(keys)) == len(keys)


def _hidden(key: ObjectKey, one: FieldDifference) -> FieldDifference:
    if (key.group, key.kind) != ("", "Secret") or not one.path or one.path[0] not in SECRET_FIELDS:
        return one
    before, after = (value if value is ABSENT else Hidden() for value in (one.before, one.after))
    return FieldDifference(one.path, before, after)
