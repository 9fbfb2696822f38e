"""Strategic merge patches, oddities included (kyaml yaml/merge2 and yaml/walk at v0.18.1).

A patch is walked together with what it changes, field by field in sorted order. Lists with merge keys are merged
with the patch's elements first; every other list is replaced. `$patch: delete` and `replace` are directives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controller.documents import Quoted
from controller.model import Stalled
from controller.render.kustomize.nodes import (
    MISSING,
    is_absent,
    is_null,
    resolved,
    set_field,
    text_of,
)
from controller.render.merge_keys import FieldRule, Fields, MergeTable

Moved = Callable[[str, Sequence[str]], None]
CLEAR: Final = MISSING  # the outcome that removes a field
_DIRECTIVE: Final = "$patch"
_SETTLED: Final = frozenset({str, Quoted, int, float, bool})  # what stays as it is where no patch speaks of it


class MergeError(Stalled):
    """A patch and its target that do not fit each other."""


def merge(
    patch: dict[str, Any], target: dict[str, Any], table: MergeTable, moved: Moved = lambda _field, _names: None
) -> Any:
    """Merge a patch into a target, changing both. Gives the target, or CLEAR when the patch deletes it.

    `moved` hears of lists whose elements stand in another order than before: the field's name, and the elements'.
    """
    return _Walker(table, moved).walk(target, patch, None, None)


def _kind(value: Any) -> type | None:
    if isinstance(value, dict):
        return dict
    return list if isinstance(value, list) else str


@dataclass(frozen=True, slots=True)
class _Walker:
    table: MergeTable
    moved: Moved

    def walk(self, dest: Any, patch: Any, rule: FieldRule | None, fields: Fields | None) -> Any:
        """Give what a field becomes: `dest` merged with `patch`, or CLEAR."""
        first = dest if not is_absent(dest) else patch
        if is_absent(first):
            return self._walk_map(dest, patch, fields)
        kind = _kind(first)
        if first is dest and not is_absent(patch) and _kind(patch) is not kind:
            raise MergeError(f"a patch has a {_word(patch)} where the resource has a {_word(dest)}: {_shown(patch)}")
        if kind is dict:
            return self._walk_map(dest, patch, fields if fields is not None else self._fields_of(dest, patch))
        if kind is list:
            if rule is not None and rule.keys is not None:
                return self._walk_associative(dest, patch, rule.keys, fields)
            return dest if patch is MISSING else patch
        return dest if patch is MISSING else patch

    def _fields_of(self, *sources: Any) -> Fields | None:
        for one in sources:
            if isinstance(one, dict):
                kind, api_version = text_of(one.get("kind", MISSING)), text_of(one.get("apiVersion", MISSING))
                if kind and api_version:
                    found = self.table.type_of(api_version, kind)
                    if found is not None:
                        return found
        return None

    def _walk_map(self, dest: Any, patch: Any, fields: Fields | None) -> Any:
        dest = _visit_map(dest, patch)
        if not isinstance(dest, dict):
            return CLEAR if dest is MISSING else dest
        patch_fields = patch if isinstance(patch, dict) else {}
        for name in sorted({*dest, *patch_fields}):
            old = dest.get(name, MISSING)
            patched = patch_fields.get(name, MISSING)
            if patched is MISSING and old.__class__ in _SETTLED:
                continue
            rule = self.table.rule(fields, name)
            before = _names(old, rule) if rule is not None and patched.__class__ is list else []
            new = self.walk(old, patched, rule, self.table.below(rule))
            if len(before) > 1:
                self._tell_moves(name, before, _names(new, rule))
            if new is _KEPT_NULL:
                continue
            set_field(dest, name, new)
        return dest

    def _walk_associative(self, dest: Any, patch: Any, keys: tuple[str, ...], fields: Fields | None) -> Any:
        dest = _visit_list(dest, patch)
        if is_absent(dest):
            return CLEAR
        sources = [dest, patch if isinstance(patch, list) else MISSING]
        if keys:
            if patch is MISSING and len(keys) == 1 and _is_plain_list(dest, keys[0]):
                return self._settle(dest, fields)
            return self._merge_elements(sources, _element_values(sources, keys), keys, fields)
        return self._merge_elements(sources, _primitive_values(sources), ("",), fields)

    def _tell_moves(self, field: str, before: list[str], after: list[str]) -> None:
        known = set(before)
        kept = [one for one in after if one in known]
        left = set(kept)
        if kept != [one for one in before if one in left]:
            self.moved(field, kept)

    def _settle(self, dest: list[Any], fields: Fields | None) -> list[Any]:
        """Walk the elements of a list that the patch does not mention: blank nulls go, empty elements with them."""
        dest[:] = [one for one in dest if self.walk(one, MISSING, None, fields)]
        return dest

    def _merge_elements(
        self, sources: list[Any], values_list: list[list[str]], keys: tuple[str, ...], fields: Fields | None
    ) -> Any:
        dest = sources[0]
        added: list[Any] = []
        if len(keys) > 1:
            _merge_values(values_list)
        valid_keys: list[str] = []
        for values in values_list:
            if not values:
                continue
            valid_keys, valid_values = _valid_keys(values_list, values, keys)
            found = [_element(one, *_valid_keys([valid_values], valid_values, tuple(valid_keys))) for one in sources]
            merged = self.walk(found[0], found[1], None, fields)
            if is_absent(merged) or merged == {}:
                _set_element(dest, None, valid_keys, valid_values)
                continue
            if isinstance(merged, dict):
                for key, value in zip(valid_keys, valid_values, strict=False):
                    if key not in merged and value:
                        merged[key] = resolved(value)
            _set_element(added, merged, valid_keys, valid_values)
        if values_list:
            dest = _append_list(added, dest, valid_keys)
        return dest


def _names(elements: Any, rule: FieldRule | None) -> list[str]:
    """Name the elements of a list by its keys; none of a list of plain values, whose order says nothing."""
    if rule is None or not rule.keys or not isinstance(elements, list):
        return []
    texts = ([text_of(one.get(key, MISSING)) for key in rule.keys] for one in elements if isinstance(one, dict))
    return ["/".join(filter(None, one)) for one in texts]


class _KeptNull:
    """The type of `_KEPT_NULL`: a null in the target that the patch says nothing of, and that stays."""


_KEPT_NULL: Final = _KeptNull()


def _visit_map(dest: Any, patch: Any) -> Any:
    """Choose the mapping to go on with (merge2 Merger.VisitMap); MISSING clears."""
    if is_absent(dest):
        if isinstance(patch, dict) and _directive(patch, strict=False) == "delete":
            return MISSING
        if patch is MISSING:
            return _KEPT_NULL if dest is not MISSING and text_of(dest) else MISSING
        return MISSING if is_null(patch) else patch
    if is_null(patch):
        return MISSING
    match _directive(patch) if isinstance(patch, dict) else "merge":
        case "delete":
            return MISSING
        case "replace":
            return patch
        case _:
            return dest


def _visit_list(dest: Any, patch: Any) -> Any:
    """Choose the list to go on with (merge2 Merger.VisitList); MISSING clears."""
    if is_absent(dest):
        return patch
    if is_null(patch):
        return MISSING
    match _list_directive(patch) if isinstance(patch, list) else "merge":
        case "delete":
            return MISSING
        case "replace":
            return patch
        case _:
            return dest


def _directive(patch: dict[str, Any], *, strict: bool = True) -> str:
    """Take the `$patch` directive out of a mapping. Raises MergeError for one that is not known."""
    if _DIRECTIVE not in patch:
        return "merge"
    word = text_of(patch[_DIRECTIVE])
    if word not in {"delete", "replace", "merge"}:
        if strict:
            raise MergeError(f'unknown patch strategy "{word}": write delete, replace or merge')
        return "merge"
    del patch[_DIRECTIVE]
    return word


def _list_directive(patch: list[Any]) -> str:
    element = next((one for one in patch if isinstance(one, dict) and _DIRECTIVE in one), None)
    if element is None or len(element) > 1:
        return "merge"
    word = text_of(element[_DIRECTIVE])
    if word not in {"delete", "replace", "merge"}:
        raise MergeError(f'unknown patch strategy "{word}": write delete, replace or merge')
    _set_element(patch, None, [_DIRECTIVE], [word])
    return word


def _is_plain_list(elements: list[Any], key: str) -> bool:
    """Tell whether every element has a key of its own: the common case, in which nothing moves."""
    seen = set()
    for one in elements:
        if not isinstance(one, dict):
            return False
        text = text_of(one.get(key, MISSING))
        if not text or text in seen:
            return False
        seen.add(text)
    return True


def _element_values(sources: list[Any], keys: tuple[str, ...]) -> list[list[str]]:
    """List the keys' values of all elements, the patch's first, each once."""
    found: dict[tuple[str, ...], None] = {}
    for source in (sources[1], sources[0]):
        for one in source if isinstance(source, list) else ():
            element = one if isinstance(one, dict) else {}
            found[tuple(_text_unless_empty(element.get(key, MISSING)) for key in keys)] = None
    return [list(values) for values in found]


def _text_unless_empty(value: Any) -> str:
    return "" if is_absent(value) else text_of(value)


def _primitive_values(sources: list[Any]) -> list[list[str]]:
    found: dict[str, None] = {}
    for source in (sources[1], sources[0]):
        for one in source if isinstance(source, list) else ():
            found[text_of(one)] = None
    return [[value] for value in found]


def _valid_keys(values_list: list[list[str]], values: list[str], keys: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Leave out keys that no element has a value of (walk validateKeys)."""
    used = {keys[at] for one in values_list for at, value in enumerate(one) if value}
    if not used:
        return list(keys), values
    kept = [value for at, value in enumerate(values) if value or keys[at] in used]
    return [key for key in keys if key in used], kept


def _merge_values(values_list: list[list[str]]) -> None:
    """Take values that differ only in one that is missing for the same: a port with and without its protocol."""
    for at, one in enumerate(values_list):
        for other_at, other in enumerate(values_list):
            both = _matched(one, other)
            if both is not None:
                values_list[at] = both
                values_list[other_at] = both


def _matched(one: list[str], other: list[str]) -> list[str] | None:
    if not any(mine == theirs for mine, theirs in zip(one, other, strict=True)):
        return None
    if any(mine and theirs and mine != theirs for mine, theirs in zip(one, other, strict=True)):
        return None
    return [mine or theirs for mine, theirs in zip(one, other, strict=True)]


def _element(source: Any, keys: list[str], values: list[str]) -> Any:
    """Find the first element whose keys have these values (kyaml ElementMatcher)."""
    if not isinstance(source, list):
        return MISSING
    if not keys or not keys[0]:
        return next((one for one in source if text_of(one) == values[0]), MISSING)
    for one in source:
        if isinstance(one, dict) and all(
            key in one and text_of(one[key]) == value for key, value in zip(keys, values, strict=True)
        ):
            return one
    return MISSING


def _set_element(elements: list[Any], element: Any, keys: list[str], values: list[str]) -> None:
    """Replace, append or (None) delete the element with these values (kyaml ElementSetter), as loosely as it does."""
    keys = keys or [""]
    for_mappings = bool(keys[0]) and bool(values) and bool(values[0])
    kept: list[Any] = []
    is_found = False
    for one in elements:
        if is_absent(one) or one == {}:
            continue
        if not isinstance(one, dict) and for_mappings:
            kept.append(one)
        elif not _is_element(one, keys, values):
            if values:
                kept.append(one)
        else:
            is_found = True
            if element is not None:
                kept.append(element)
    if element is not None and not is_found:
        kept.append(element)
    elements[:] = kept


def _is_element(one: Any, keys: list[str], values: list[str]) -> bool:
    is_match = False
    for at, key in enumerate(keys):
        if at < len(values):
            is_match = _has_value(one, key, values[at])
        if not is_match:
            return False
    return True


def _has_value(one: Any, key: str, value: str) -> bool:
    if not key:
        if isinstance(one, dict | list):
            raise MergeError(f"a list mixes mappings with plain values: {_shown(one)}")
        return text_of(one) == value
    if not isinstance(one, dict):
        raise MergeError(f"a list that is merged by {key} has an element that is no mapping: {_shown(one)}")
    return key in one and (not value or text_of(one[key]) == value)


def _append_list(added: list[Any], dest: list[Any], keys: list[str]) -> list[Any]:
    """Append the target's elements to the merged ones, each in the place of its namesake (walk appendListNode)."""
    for one in list(dest):
        if not keys or not keys[0]:
            _set_element(added, one, [""], [text_of(one)])
            continue
        values: list[str] = []
        for key in keys:
            if not isinstance(one, dict) or key not in one:
                added.append(one)
                continue
            values.append(text_of(one[key]))
        if len(keys) > 1:
            _set_element(added, None, keys, values)
        _set_element(added, one, keys, values)
    return added


def _word(value: Any) -> str:
    return "mapping" if isinstance(value, dict) else "list" if isinstance(value, list) else "plain value"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
