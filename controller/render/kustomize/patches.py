"""Patches: strategic merges and JSON patches, with and without a target (api/internal/builtins at v0.18.0)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.model import Invalid, Stalled
from controller.render.kustomize.json_patch import Operation, apply_json_patch, parse_json_patch
from controller.render.kustomize.loading import Loader
from controller.render.kustomize.nodes import from_numbers, to_json
from controller.render.kustomize.resource import (
    ALLOW_KIND_CHANGE,
    ALLOW_NAME_CHANGE,
    BUILD_ANNOTATIONS,
    Resource,
)
from controller.render.kustomize.resources import Idle, Resources
from controller.render.kustomize.selecting import selector_of
from controller.render.kustomize.strategic_merge import CLEAR, merge
from controller.render.merge_keys import MergeTable

_INTERNAL = "internal.config.kubernetes.io/"


@dataclass(frozen=True, slots=True)
class Patch:
    """One entry of `patches`, read: either merges or operations."""

    merges: tuple[Resource, ...]
    operations: tuple[Operation, ...]
    target: Mapping[str, Any] | None
    shown: str


def load_patch(loader: Loader, config: Mapping[str, Any], place: str) -> Patch:
    """Read an entry of `patches`. Raises Stalled for what is neither kind of patch, and for what is both."""
    text, path = config["patch"].strip(), config["path"]
    if bool(text) == bool(path):
        raise Stalled("patches: an entry needs `patch` or `path`, and not both")
    if path:
        place = loader.place(path)
        data = loader.tree.read(place)
        text = data.decode(errors="replace")
        merges, why = _as_merges(lambda: loader.parse(data, place))
    else:
        merges, why = _as_merges(lambda: loader.parse_inline(text, place))
    operations: list[Operation] | None = None
    why_not = "its documents are mappings"
    if not merges:
        operations, why_not = _as_operations(_substituted(loader, text, place), place)
    shown = path or "the patch"
    if merges is not None and operations is not None:
        raise Stalled(f"{shown}: both a strategic merge and a JSON patch")
    if merges is None and operations is None:
        raise Stalled(f"{shown}: neither a strategic merge ({why}) nor a JSON patch ({why_not})")
    for one in merges or ():
        if config["options"].get("allowNameChange"):
            one.enable(ALLOW_NAME_CHANGE)
        if config["options"].get("allowKindChange"):
            one.enable(ALLOW_KIND_CHANGE)
    return Patch(tuple(merges or ()), tuple(operations or ()), config["target"], shown)


def _substituted(loader: Loader, text: str, place: str) -> str:
    return loader.parameters.in_text(text.encode(), place).decode() if "converge:" in text[:80] else text


def _as_merges(parse: Any) -> tuple[list[Resource] | None, str]:
    try:
        return parse(), ""
    except (Invalid, Stalled) as error:
        return None, str(error)


def _as_operations(text: str, place: str) -> tuple[list[Operation] | None, str]:
    if not text:
        return None, "it is empty"
    try:
        return parse_json_patch(text, place), ""
    except (Invalid, Stalled) as error:
        return None, str(error)


def apply_patch(items: Resources, patch: Patch, table: MergeTable) -> list[str]:
    """Apply a patch. Gives warnings. Raises Stalled where a merge without target finds nothing, or too much."""
    if patch.merges:
        return _apply_merges(items, patch, table)
    if patch.target is None:
        raise Stalled(f"{patch.shown}: a JSON patch needs a target")
    selected = items.select(selector_of(patch.target))
    for one in selected:
        one.store_previous_id()
        _apply_operations(one, patch.operations)
        items.has_empty = items.has_empty or one.is_empty
    items.ids_changed()
    return [] if selected else [Idle(f"{patch.shown}: its target matches nothing")]


def _apply_merges(items: Resources, patch: Patch, table: MergeTable) -> list[str]:
    moves: list[str] = []
    if patch.target is None:
        for one in patch.merges:
            target = items.one_by_any_id(one.original_id)
            if _merge(target, one.copy(), table, moves):
                items.ids_changed()
                items.has_empty = items.has_empty or target.is_empty
        return _told(patch.shown, moves)
    if len(patch.merges) > 1:
        raise Stalled(f"{patch.shown}: several documents can't share one target")
    selected = items.select(selector_of(patch.target))
    moves = apply_to(items, selected, patch.merges[0], table)
    return _told(patch.shown, moves) if selected else [Idle(f"{patch.shown}: its target matches nothing")]


def _told(shown: str, moves: Iterable[str]) -> list[str]:
    return [f"{shown}: {one}" for one in dict.fromkeys(moves)]


def apply_to(items: Resources, selected: Iterable[Resource], patch: Resource, table: MergeTable) -> list[str]:
    """Merge a patch into chosen resources, whatever the patch's own name. Tells which elements change places."""
    moves: list[str] = []
    chosen = {id(one) for one in selected}
    for one in items:
        if id(one) in chosen:
            copy = patch.copy()
            copy.take_metadata_from(patch)
            copy.set_gvk(one.gvk)
            copy.set_kind(patch.kind)
            _merge(one, copy, table, moves)
    items.replace_all([one for one in items if not one.is_empty])
    items.refuse_twins()
    return moves


def apply_named(items: Resources, patches: Iterable[Resource], table: MergeTable) -> list[str]:
    """Merge the patches of `patchesStrategicMerge`, each into the one resource that it names. Gives warnings."""
    moves: list[str] = []
    for one in patches:
        moves += apply_to(items, [items.one_by_any_id(one.original_id)], one, table)
    return list(dict.fromkeys(moves))


def _merge(one: Resource, patch: Resource, table: MergeTable, moves: list[str]) -> bool:
    """Merge a patch into one resource, empty when the patch deletes it. Tells whether its id may be another."""
    name, namespace, kind = one.name, one.namespace, one.kind
    may_change_name, may_change_kind = patch.is_enabled(ALLOW_NAME_CHANGE), patch.is_enabled(ALLOW_KIND_CHANGE)
    if may_change_name or may_change_kind:
        one.store_previous_id()
    merged = merge(patch.value, one.value, table, lambda field, names: moves.append(_move(one, field, names)))
    if merged is CLEAR or not merged:
        one.value = {}
        return True
    one.value = merged
    if not may_change_kind:
        one.set_kind(kind)
    if not may_change_name:
        one.set_name(name)
    one.set_namespace(namespace)
    return may_change_name or may_change_kind


def _move(one: Resource, field: str, names: Iterable[str]) -> str:
    return f"{one.kind} {one.name}: {field} are in another order now: {', '.join(names)}"


def _apply_operations(one: Resource, operations: Iterable[Operation]) -> None:
    """Apply a JSON patch, keeping kustomize's own annotations whatever it does to them."""
    notes = {key: text for key, text in one.annotations.items() if key.startswith(_INTERNAL) or key in _LEGACY_NOTES}
    one.value = from_numbers(apply_json_patch(to_json(one.value), list(operations)))
    one.set_annotations({**one.annotations, **notes})


_LEGACY_NOTES = frozenset(note for note in BUILD_ANNOTATIONS if not note.startswith(_INTERNAL))


def apply_json6902(items: Resources, loader: Loader, config: Mapping[str, Any], place: str) -> list[str]:
    """Apply an entry of `patchesJson6902`, whose target must name a resource. Gives warnings."""
    target, path, text = config["target"], config["path"], config["patch"]
    if target is None or not target["name"]:
        raise Stalled("patchesJson6902: the target's name is not set")
    if bool(path) == bool(text):
        raise Stalled("patchesJson6902: an entry needs `patch` or `path`, and not both")
    if path:
        place = loader.place(path)
        text = loader.tree.read(place).decode(errors="replace")
    operations = parse_json_patch(_substituted(loader, text, place), place)
    if not operations:
        raise Stalled(f"{path or 'patchesJson6902'}: the patch is empty")
    selected = items.select(selector_of(target))
    for one in selected:
        _apply_operations(one, operations)
        items.has_empty = items.has_empty or one.is_empty
    items.ids_changed()
    return [] if selected else [Idle(f"{path or 'the patch'}: its target matches nothing")]
