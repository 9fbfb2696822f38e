"""Two values of a resource, field by field, as Terraform's plan describes them. Pure.

Beside `before` and `after` stand trees of the same shape that say `true` where a value is unknown yet, or sensitive.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from controller.documents import canonical
from controller.model import ABSENT, FieldPath, FieldValue, Hidden, Missing, Secret, Unknown

_EMPTY: Final[tuple[Any, ...]] = (None, {}, [], "")


@dataclass(frozen=True, slots=True)
class Difference:
    path: FieldPath
    before: FieldValue
    after: FieldValue


class Change(msgspec.Struct):
    """The `change` of a resource or an output (Terraform's JSON format, `change-representation`)."""

    actions: list[str]
    before: Any = None
    after: Any = None
    after_unknown: Any = False
    before_sensitive: Any = False
    after_sensitive: Any = False
    replace_paths: list[list[str | int]] = []
    importing: dict[str, Any] | None = None


def keyed_hash(key: Secret, value: object) -> str:
    return hmac.new(key.reveal(), canonical(value), hashlib.sha256).hexdigest()  # type: ignore[arg-type]


def differences(change: Change, key: Secret) -> tuple[Difference, ...]:
    """Give every field in which a change's two sides differ in meaning; sensitive values as keyed hashes."""
    before = ABSENT if change.before is None else change.before
    after = ABSENT if change.after is None and change.after_unknown is not True else change.after
    return tuple(_walk((), before, after, change.after_unknown, change.before_sensitive, change.after_sensitive, key))


def value_at(value: Any, path: FieldPath) -> Any:
    """Look a field up; ABSENT where there is none."""
    for step in path:
        is_field = isinstance(value, dict) and step in value
        if is_field or (isinstance(value, list) and isinstance(step, int) and step < len(value)):
            value = value[step]
        else:
            return ABSENT
    return value


def is_meaningless(before: Any, after: Any) -> bool:
    """Tell whether two values differ only as a provider's ways of saying nothing do: null, {}, [] and absent."""
    return _nothing(before) and _nothing(after) and not (before == "" or after == "")


def _nothing(value: Any) -> bool:
    return value is ABSENT or (not isinstance(value, bool | int | float) and value in _EMPTY)


def _walk(
    path: FieldPath, before: Any, after: Any, unknown: Any, hides_before: Any, hides_after: Any, key: Secret
) -> Iterator[Difference]:
    if unknown is True:
        yield Difference(path, _shown(before, hides_before, key), Hidden() if hides_after is True else Unknown())
        return
    if not (hides_before is True or hides_after is True):
        steps = _steps(before, after, unknown)
        if steps is not None:
            for step in steps:
                sides = (_at(before, step), _at(after, step))
                trees = (_tree_at(unknown, step), _tree_at(hides_before, step), _tree_at(hides_after, step))
                yield from _walk((*path, step), *sides, *trees, key)
            return
    if _is_same(before, after) or is_meaningless(before, after):
        return
    hides = hides_before is True or hides_after is True
    yield Difference(path, _shown(before, hides or hides_before, key), _shown(after, hides or hides_after, key))


def _steps(before: Any, after: Any, unknown: Any) -> list[str | int] | None:
    """Name the fields of mappings, or of lists of mappings as long as each other; None for what is compared whole."""
    sides = [one for one in (before, after) if one is not ABSENT and one is not None]
    if sides and all(isinstance(one, dict) for one in sides):
        names = {*(name for one in sides for name in one), *(unknown if isinstance(unknown, dict) else ())}
        return sorted(names)
    if len(sides) == 2 and all(isinstance(one, list) and all(isinstance(x, dict) for x in one) for one in sides):
        return [*range(len(before))] if len(before) == len(after) else None
    return None


def _at(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(step, ABSENT)
    return value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else ABSENT


def _tree_at(tree: Any, step: str | int) -> Any:
    if tree is True:
        return True
    found = _at(tree, step) if isinstance(tree, dict | list) else False
    return False if found is ABSENT else found


def _is_same(before: Any, after: Any) -> bool:
    return before is after or (type(before) is type(after) and before == after) or _are_same_numbers(before, after)


def _are_same_numbers(before: Any, after: Any) -> bool:
    is_number = {type(before), type(after)} <= {int, float}
    return is_number and bool(before == after)


def _shown(value: Any, hides: Any, key: Secret) -> FieldValue:
    if isinstance(value, Missing):
        return value
    if _has_true(hides):
        return Hidden(keyed_hash(key, value))
    return value  # type: ignore[no-any-return]  # decoded JSON


def _has_true(tree: Any) -> bool:
    if isinstance(tree, dict):
        return any(_has_true(one) for one in tree.values())
    if isinstance(tree, list):
        return any(_has_true(one) for one in tree)
    return tree is True
