"""How a trait's patch meets a workload: KubeVela's StrategyUnify (kubevela/workflow pkg/cue/model/sets).

Mappings merge field by field, a scalar that is there must be equal, and a list is met element by element in order
unless a rule says otherwise:
- `keys`: elements meet by the value of that field, those without a partner are added at the end;
- `replaced`: the patch's list takes the place of the other;
- `retained`: the patch's value takes the place of the other.
A rule's key holds for the lists inside too. What the original does with awkward input, it does here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from controller.model import JsonValue, Stalled


class Strategy(StrEnum):
    """The dialects of patches: the first is KubeVela's own, the others are RFC 7386 and RFC 6902."""

    STRATEGIC = "strategic"
    JSON_MERGE = "jsonMergePatch"
    JSON = "jsonPatch"


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch, and its rules by dotted path; `[]` stands for any element of a list."""

    value: Any
    strategy: Strategy = Strategy.STRATEGIC
    keys: Mapping[str, str] = field(default_factory=dict)
    replaced: frozenset[str] = frozenset()
    retained: frozenset[str] = frozenset()
    opened: frozenset[str] = frozenset()  # lists that say nothing of the elements behind theirs


@dataclass(frozen=True, slots=True)
class Each:
    """A list of a patch that speaks of every element: `[...{…}]` in CUE."""

    value: Any


@dataclass(frozen=True, slots=True)
class Yielding:
    """A scalar of a patch that gives way to what is there: a parameter's default, which CUE writes `*a | string`."""

    value: JsonValue


def apply_patch(base: Any, patch: Patch) -> Any:
    """Give the patched workload. Raises Stalled where the patch contradicts what is there."""
    match patch.strategy:
        case Strategy.JSON_MERGE:
            return json_merge(base, patch.value)
        case Strategy.JSON:
            from controller.render.kustomize.json_patch import apply_json_patch  # noqa: PLC0415  few need it

            return apply_json_patch(copied(base), patch.value)
        case _:
            return _Unifier(patch).unify(base, patch.value, "", "")


def json_merge(base: Any, patch: Any) -> Any:
    """Merge as RFC 7386 says: null removes."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(base) if isinstance(base, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = json_merge(merged.get(name), value)
    return merged


def copied(value: Any) -> Any:
    """Copy JSON; three times as fast as `copy.deepcopy`."""
    if isinstance(value, dict):
        return {name: copied(one) for name, one in value.items()}
    if isinstance(value, list):
        return [copied(one) for one in value]
    return value


def settled(value: Any) -> Any:
    """Take the patch's own notation out of a value that meets nothing."""
    match value:
        case dict():
            return {name: settled(one) for name, one in value.items()}
        case list():
            return [settled(one) for one in value]
        case Each():
            return []
        case Yielding():
            return value.value
        case _:
            return value


class _Unifier:
    """One patch on its way through a workload."""

    def __init__(self, patch: Patch) -> None:
        self._patch = patch

    def unify(self, base: Any, patch: Any, path: str, key: str) -> Any:
        """Give what both say. `key` is the one of the nearest rule above."""
        key = self._patch.keys.get(path, key)
        match patch:
            case Each():
                return [self.unify(one, patch.value, f"{path}[]", key) for one in base]
            case Yielding():
                return base
            case dict() if isinstance(base, dict):
                return self._mappings(base, patch, path, key)
            case list() if isinstance(base, list):
                return self._lists(base, patch, path, key)
            case _ if base == patch and isinstance(base, bool) == isinstance(patch, bool):
                return base
        raise Stalled(f"{path} is {_shown(base)} already, and can't be {_shown(patch)} too")

    def _mappings(self, base: dict[str, Any], patch: dict[str, Any], path: str, key: str) -> dict[str, Any]:
        merged = dict(base)
        for name, value in patch.items():
            here = f"{path}.{name}" if path else name
            if name not in base or here in self._patch.retained:
                merged[name] = settled(value)
            else:
                merged[name] = self.unify(base[name], value, here, key)
        return merged

    def _lists(self, base: list[Any], patch: list[Any], path: str, key: str) -> list[Any]:
        if path in self._patch.replaced:
            return settled(patch)  # type: ignore[no-any-return]
        is_open = path in self._patch.opened
        if key and (aligned := _aligned(base, patch, key)) is not None:
            patch, is_open = aligned, True
        if len(patch) < len(base) and not is_open:
            raise Stalled(f"{path} has {len(base)} elements already, and the patch speaks of {len(patch)}")
        merged = [self.unify(one, other, f"{path}[]", key) for one, other in zip(base, patch, strict=False)]
        return [*merged, *base[len(patch) :], *(settled(one) for one in patch[len(base) :])]


def _aligned(base: list[Any], patch: list[Any], key: str) -> list[Any] | None:
    """Bring the patch's elements into the places of their partners (`listMergeProcess`); None: by position after all.

    Of several with one key the last speaks. Base elements without the key are passed over, and get no place.
    """
    by_key = {one[key]: one for one in patch if isinstance(one, dict) and isinstance(one.get(key), (str, int))}
    keyless = [one for one in patch if isinstance(one, dict) and isinstance(one.get(key), Yielding)]
    if keyless or (patch and not by_key):
        return None
    places = [by_key.pop(one[key], {}) for one in base if isinstance(one, dict) and key in one]
    left = list(by_key.values())
    return [*places, *(one for one in patch if any(one is other for other in left))]


def _shown(value: Any) -> str:
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return f'"{value}"'
