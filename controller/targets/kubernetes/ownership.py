"""What `metadata.managedFields` says: which fields are ours, who took one, what our values are. Pure.

Server-side apply keeps, per field manager, the set of fields it owns as `fieldsV1` (structured-merge-diff): a tree
whose steps are `f:name` (a field), `k:{…}` (a list element by its merge keys, defaulted ones included), `v:…` (a set's
element by its value), `i:n` (an element by its index) and `.` (the node itself). A node without children is a leaf: a
scalar, an atomic list or map, or an empty one. Whenever anybody else changes or removes a field of ours, the server
takes it out of our set, and puts what is there into theirs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias

import orjson

from controller.model import Editor, Element, FieldPath, JsonValue, Step
from controller.targets.kubernetes.labels import MANAGER

APPLY: Final = "Apply"
Tree: TypeAlias = Mapping[str, Any]  # fieldsV1, decoded
Entry: TypeAlias = Mapping[str, Any]  # of managedFields, decoded
Keys: TypeAlias = Mapping[str, Any]  # the merge keys of one list element

IDENTITY: Final = frozenset({"apiVersion", "kind"})  # never owned, nor are name and namespace
METADATA_IDENTITY: Final = frozenset({"name", "namespace"})


@dataclass(frozen=True, slots=True)
class FieldSet:
    """A set of fields: `canonical` is its fieldsV1 as JSON with sorted keys, b"" for the empty set."""

    canonical: bytes = b""

    def tree(self) -> Tree:
        tree: Tree = orjson.loads(self.canonical) if self.canonical else {}
        return tree

    def __bool__(self) -> bool:
        return bool(self.canonical)


EMPTY: Final = FieldSet()


def field_set(tree: Tree | None) -> FieldSet:
    """Make a FieldSet of a decoded fieldsV1."""
    return FieldSet(orjson.dumps(tree, option=orjson.OPT_SORT_KEYS)) if tree else EMPTY


def owned(managed_fields: Sequence[Entry], manager: str = MANAGER) -> FieldSet:
    """Give the fields that a manager owns by server-side apply to the object itself."""
    return field_set(_tree(managed_fields, manager))


def _tree(managed_fields: Sequence[Entry], manager: str) -> Tree | None:
    for entry in managed_fields:
        if entry.get("manager") == manager and entry.get("operation") == APPLY and not entry.get("subresource"):
            tree: Tree | None = entry.get("fieldsV1")
            return tree
    return None


@dataclass(frozen=True, slots=True)
class Baseline:
    """An object right after our last apply: while this stays equal, nobody moved anything of ours."""

    fields: bytes  # hash of our field set
    values: bytes  # hash of the live values under it


def baseline(live: Mapping[str, Any], managed_fields: Sequence[Entry]) -> Baseline:
    """Take the baseline of an object as it is: 64 bytes that never leave the process, list elements in live order."""
    tree = _tree(managed_fields, MANAGER)
    values = _values(live, tree) if tree else None
    return Baseline(_hash(field_set(tree).canonical), _hash(orjson.dumps(values, option=orjson.OPT_SORT_KEYS)))


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def lost(before: FieldSet, after: FieldSet) -> tuple[FieldPath, ...]:
    """Name what `before` holds and `after` doesn't, a wholly lost list element or map as one path."""
    return tuple(_lost(before.tree(), after.tree(), ()))


def missing_leaves(desired: Mapping[str, Any], fields: Tree) -> tuple[FieldPath, ...]:
    """Name the leaves of a desired object that a field set does not cover.

    What a server never stores or never gives an owner is not asked for: null, empty maps and lists, status,
    apiVersion, kind, name and namespace. Merge keys that the desired element leaves out are defaults.
    """
    return tuple(_missing(_ownable(desired), fields, ()))


def misordered_lists(desired: Mapping[str, Any], live: Mapping[str, Any], fields: Tree) -> tuple[FieldPath, ...]:
    """Name the lists whose elements of ours stand in another order live than desired (nobody's ownership tells)."""
    return tuple(_misordered(_ownable(desired), live, fields, ()))


def is_as_applied(desired: Mapping[str, Any], live: Mapping[str, Any], managed_fields: Sequence[Entry]) -> bool:
    """Tell from the object alone that nobody moved what we applied: what a restarted controller goes by.

    To be asked only when the object's digest annotation names this desired object.
    """
    fields = _tree(managed_fields, MANAGER) or {}
    return not missing_leaves(desired, fields) and not misordered_lists(desired, live, fields)


def editor_of(managed_fields: Sequence[Entry], path: FieldPath, *, exclude: Collection[str] = ()) -> Editor | None:
    """Name who holds a field now: of several managers the one that wrote last. None: nobody, as after a removal."""
    holders = [
        editor(entry)
        for entry in managed_fields
        if entry.get("manager") not in exclude and _holds(entry.get("fieldsV1") or {}, path)
    ]
    return max(holders, key=lambda one: (one.time is not None, one.time or datetime.min), default=None)  # noqa: DTZ901


def holds(managed_fields: Sequence[Entry], path: FieldPath, managers: Collection[str]) -> bool:
    """Tell whether one of these managers holds a field, by itself or with all of what is around it.

    A manager from whom others took all that is in a map still has the map, which looks like one that is held whole: in
    a custom resource without a schema, `f:spec: {}`. What somebody else holds below it tells the two apart.
    """
    trees = [one.get("fieldsV1") or {} for one in managed_fields if one.get("manager") in managers]
    others = [one.get("fieldsV1") or {} for one in managed_fields if one.get("manager") not in managers]
    return any(_holds(one, path) and not _is_emptied(one, path, others) for one in trees)


def _is_emptied(node: Tree, path: FieldPath, others: Sequence[Tree]) -> bool:
    """Tell whether a set ends above a path, and others' sets go on there."""
    beside: list[Tree] = list(others)
    for step in path[:-1]:
        child = _child(node, step)
        beside = [found for one in beside if (found := _child(one, step)) is not None]
        if child is None or not _children(child):
            return child is not None and any(_children(one) for one in beside)
        node = child
    return False


def read_step(key: str) -> Step:
    """Read one key of a fieldsV1 tree."""
    kind, _, rest = key.partition(":")
    if kind == "f":
        return rest
    if kind == "k":
        return Element(tuple(sorted(_keys(rest).items())))
    if kind == "i":
        return int(rest)
    value = orjson.loads(rest)
    return Element((("", value if isinstance(value, str | int | bool) else rest),))


def editor(entry: Entry) -> Editor:
    """Say whose an entry of managedFields is, and when it was written last."""
    written = entry.get("time")
    return Editor(
        str(entry.get("manager", "")),
        str(entry.get("operation", "")),
        datetime.fromisoformat(written) if written else None,
        str(entry.get("subresource", "")),
    )


@lru_cache(maxsize=4096)
def _keys(text: str) -> Mapping[str, Any]:
    keys: Mapping[str, Any] = orjson.loads(text)
    return keys


def _children(node: Tree) -> bool:
    return len(node) > ("." in node)


def _values(value: Any, node: Tree) -> JsonValue:
    """Cut the fields of a tree out of a live value."""
    if not _children(node):
        return value  # type: ignore[no-any-return]
    if isinstance(value, dict):
        return {
            key[2:]: _values(value[key[2:]], child)
            for key, child in node.items()
            if key.startswith("f:") and key[2:] in value
        }
    if isinstance(value, list):
        found = (_element(index, element, node) for index, element in enumerate(value))
        return [_values(element, node[key]) for element, key in zip(value, found, strict=True) if key]
    return value  # type: ignore[no-any-return]


def _element(index: int, element: Any, node: Tree) -> str:
    """Find the key of a node under which it knows a live element; "" for none."""
    for key in node:
        kind, _, rest = key.partition(":")
        if kind == "k" and isinstance(element, dict):
            if all(name in element and element[name] == value for name, value in _keys(rest).items()):
                return key
        elif (kind == "v" and orjson.loads(rest) == element) or (kind == "i" and int(rest) == index):
            return key
    return ""


def _lost(before: Tree, after: Tree, path: FieldPath) -> Iterator[FieldPath]:
    for key, child in before.items():
        if key == ".":
            if key not in after and not _children(before):
                yield path
        elif key not in after:
            yield (*path, read_step(key))
        else:
            yield from _lost(child, after[key], (*path, read_step(key)))


def _ownable(desired: Mapping[str, Any]) -> dict[str, Any]:
    body = {key: value for key, value in desired.items() if key not in IDENTITY and key != "status"}
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        body["metadata"] = {key: value for key, value in metadata.items() if key not in METADATA_IDENTITY}
    return body


def _is_empty(value: Any) -> bool:
    """Tell whether nothing is left of a value once null and empty are stripped."""
    if isinstance(value, dict):
        return all(_is_empty(one) for one in value.values())
    if isinstance(value, list):
        return not value
    return value is None


def _missing(desired: Any, node: Tree, path: FieldPath) -> Iterator[FieldPath]:
    if isinstance(desired, dict):
        for name, value in desired.items():
            child = node.get(f"f:{name}")
            if _is_empty(value):
                continue
            if child is None:
                yield from _ends(value, (*path, name))
            elif _children(child):
                yield from _missing(value, child, (*path, name))
    elif isinstance(desired, list):
        for index, (element, key) in enumerate(zip(desired, match_elements(desired, node), strict=True)):
            if not key:
                yield (*path, _spoken(index, element, node))
            elif _children(node[key]):
                yield from _missing(element, node[key], (*path, read_step(key)))


def _ends(value: Any, path: FieldPath) -> Iterator[FieldPath]:
    """Give the leaves of a value that is not owned at all; of a list its own path, for its keys are not known."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not _is_empty(inner):
                yield from _ends(inner, (*path, name))
    else:
        yield path


def _spoken(index: int, element: Any, node: Tree) -> Step:
    """Name a desired element that the node lacks, by the merge keys that its siblings have."""
    names = next((tuple(_keys(key[2:])) for key in node if key.startswith("k:")), ())
    if isinstance(element, dict):
        keys = tuple((name, element[name]) for name in sorted(names) if isinstance(element.get(name), str | int | bool))
        return Element(keys) if keys else index
    return Element((("", element),)) if isinstance(element, str | int | bool) and not names else index


def match_elements(desired: Sequence[Any], node: Tree) -> list[str]:
    """Find for each desired element the key under which a node of the field set knows it; "" for none.

    Elements that say all merge keys choose first; what another leaves out is then a default of the server.
    """
    known = {key: _keys(key[2:]) for key in node if key.startswith("k:")}
    if not known:
        return [_element(index, element, node) for index, element in enumerate(desired)]
    chosen = [""] * len(desired)
    for is_whole in (True, False):
        for index, element in enumerate(desired):
            if chosen[index] or not isinstance(element, dict):
                continue
            for key, keys in known.items():
                if key not in chosen and _agrees(element, keys, is_whole=is_whole):
                    chosen[index] = key
                    break
    return chosen


def _agrees(element: Keys, keys: Keys, *, is_whole: bool) -> bool:
    said = [name for name in keys if element.get(name) is not None]
    if not said or (is_whole and len(said) < len(keys)):
        return False
    return all(element[name] == keys[name] for name in said)


def _misordered(desired: Any, live: Any, node: Tree, path: FieldPath) -> Iterator[FieldPath]:
    if isinstance(desired, dict) and isinstance(live, dict):
        for name, value in desired.items():
            child = node.get(f"f:{name}")
            if child and name in live:
                yield from _misordered(value, live[name], child, (*path, name))
    elif isinstance(desired, list) and isinstance(live, list):
        wanted = [key for key in match_elements(desired, node) if key]
        if not wanted:
            return
        standing = [_element(index, element, node) for index, element in enumerate(live)]
        if wanted != [key for key in standing if key in wanted]:
            yield path
            return
        for element, key in zip(desired, match_elements(desired, node), strict=True):
            if key and key in standing:
                yield from _misordered(element, live[standing.index(key)], node[key], (*path, read_step(key)))


def _holds(node: Tree, path: FieldPath) -> bool:
    for step in path:
        child = _child(node, step)
        if child is None:
            return False
        if not _children(child):
            return True  # an atomic value above the path, or the path itself
        node = child
    return True


def _child(node: Tree, step: Step) -> Tree | None:
    if isinstance(step, str):
        return node.get(f"f:{step}")
    if isinstance(step, int):
        return node.get(f"i:{step}")
    said = dict(step.keys)
    for key, child in node.items():
        if key.startswith("k:") and _agrees(said, _keys(key[2:]), is_whole=False):
            return child  # type: ignore[no-any-return]
        if key.startswith("v:") and "" in said and orjson.loads(key[2:]) == said[""]:
            return child  # type: ignore[no-any-return]
    return None
