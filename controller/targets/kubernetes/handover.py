"""Letting go of fields without resetting them (rule 7). Pure.

Leaving an owned field out of an apply resets it: an outage, where it is `replicas`. So the live value is applied under
the manager `converge-released` first; then it can be left out. This says what is left out of a manifest, what of it we
still own and must hand over, and how the body of that hand-over looks. Lists are walked by the merge keys that the live
object's managedFields tell; an atomic list or map is let go of whole.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

import orjson

from controller.model import ABSENT, Element, FieldPath, Release, Step, format_path, parse_field
from controller.targets.kubernetes.diff import merge_keys, shape_of
from controller.targets.kubernetes.holding import put, value_at
from controller.targets.kubernetes.labels import FIRST_APPLY, MANAGER, RELEASED_MANAGER
from controller.targets.kubernetes.ownership import Tree, owned

Entry = Mapping[str, Any]
Shape = Mapping[str, Any] | None  # what managers call the parts of a node; {}: they own it whole; None: nobody does

LIKELY_KEYS: Final = ("name", "containerPort", "port", "mountPath", "devicePath", "ip", "topologyKey", "key", "type")
IDENTITY: Final = frozenset({"apiVersion", "kind", "status"})
NEVER: Final = frozenset({"name", "namespace", "managedFields", "uid", "resourceVersion", "creationTimestamp"})
OURS: Final = frozenset({MANAGER, RELEASED_MANAGER})

Left = Mapping[FieldPath, str]  # what is left out of a manifest, and why


def left_out(
    body: Mapping[str, Any], releases: Sequence[Release], managed: Sequence[Entry] = (), *, created: bool = False
) -> Left:
    """Say what of a manifest's body is not sent: what its releases name, as far as the body has it.

    With `created` nothing is: a new object starts with what git says, and is let go of then.
    """
    if not releases or created:
        return {}
    shape = shape_of(managed) or None
    found: dict[FieldPath, str] = {}
    for one in releases:
        holders = [entry.get("fieldsV1") or {} for entry in managed if _is_named(entry, one.managers)]
        paths = _matches(body, parse_field(one.field), shape, ()) if one.field else _leaves(body, shape, ())
        for path in paths:
            if not one.managers or any(holds(tree, path) for tree in holders):
                found.setdefault(path, one.why)
    return found


def without(body: Mapping[str, Any], paths: Iterable[FieldPath]) -> dict[str, Any]:
    """Give a body without some fields, and without the maps that are empty for it."""
    rest: dict[str, Any] = copy.deepcopy(dict(body))
    for path in sorted(paths, key=len, reverse=True):
        put(rest, path, ABSENT)
        _drop_empty(rest, path[:-1])
    return rest


def annotation(left: Left) -> str:
    """Write down what is left out: `{"spec.replicas": "HorizontalPodAutoscaler web"}`; "" for nothing."""
    if not left:
        return ""
    return orjson.dumps({format_path(path): why for path, why in left.items()}, option=orjson.OPT_SORT_KEYS).decode()


def read_annotation(text: str) -> Mapping[str, str]:
    """Read what `annotation` wrote; what somebody spoiled reads as nothing."""
    try:
        value = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return {}
    return {str(field): str(why) for field, why in value.items()} if isinstance(value, dict) else {}


def handed_over(
    live: Mapping[str, Any], managed: Sequence[Entry], releases: Sequence[Release], *, was_cleared: bool = False
) -> Tree:
    """Say what we own of what is released, as a field set: that is applied under the other manager first.

    With `was_cleared`, of an object of ours whose managers somebody cleared, it is what nobody holds: the server takes
    away a map with all that is in it when its only holder lets go of the last field that he has there.
    """
    ours = owned(managed).tree()
    shape = shape_of(managed) or None
    others = [one.get("fieldsV1") or {} for one in managed if one.get("manager") != FIRST_APPLY]
    wanted: dict[str, Any] = {}
    for one in releases:
        if one.managers or not one.field:
            continue  # somebody else holds it: leaving it out changes nothing of it
        for path in _matches(live, parse_field(one.field), shape, ()):
            _take(ours, path, wanted)
            if was_cleared and not any(holds(tree, path) for tree in others):
                _merge(wanted, _named(path))
    return wanted


def _named(path: FieldPath) -> Tree:
    """Give the field set of one field; nothing of a list's element, whose merge keys nobody tells."""
    tree: dict[str, Any] = {}
    for step in reversed(path):
        if not isinstance(step, str):
            return {}
        tree = {f"f:{step}": tree}
    return tree


def not_yet_held(managed: Sequence[Entry], tree: Tree) -> Tree:
    """Take away what the other manager holds already: it has the live value, for else it would have lost it."""
    return _minus(tree, owned(managed, RELEASED_MANAGER).tree())


def filled(body: dict[str, Any], live: Mapping[str, Any], tree: Tree) -> dict[str, Any]:
    """Put the live values of some fields into a body, in place: as if they had been handed over."""
    _fill(body, live, tree)
    return body


def with_held(managed: Sequence[Entry], tree: Tree) -> Tree:
    """Add what the other manager holds already: what it does not send again, it would let go of."""
    return _joined(owned(managed, RELEASED_MANAGER).tree(), tree)


def taken_back(managed: Sequence[Entry]) -> Tree | None:
    """Say what the other manager is to hold after our apply: all but what is ours again; None where that is so.

    What it holds alone stays with it, though nothing releases it any more: nobody else keeps its value.
    """
    held = owned(managed, RELEASED_MANAGER).tree()
    rest = _minus(held, owned(managed).tree())
    return None if rest == held else rest


def released_body(live: Mapping[str, Any], api_version: str, tree: Tree) -> dict[str, Any]:
    """Give what is sent under `converge-released`: the live values of these fields."""
    metadata = live.get("metadata") or {}
    cut = _cut(live, tree) or {}
    identity = {name: metadata[name] for name in ("name", "namespace") if name in metadata}
    return {
        **{name: value for name, value in cut.items() if name not in IDENTITY},
        "apiVersion": api_version,
        "kind": live.get("kind"),
        "metadata": {**(cut.get("metadata") or {}), **identity},
    }


def _is_named(entry: Entry, globs: Sequence[str]) -> bool:
    manager = str(entry.get("manager", ""))
    if manager in OURS or not globs:
        return False
    if any(fnmatchcase(manager, glob[1:]) for glob in globs if glob.startswith("!")):
        return False
    return any(fnmatchcase(manager, glob) for glob in globs if not glob.startswith("!"))


# Walking a value by a pattern


def _matches(node: Any, pattern: FieldPath, shape: Shape, path: FieldPath) -> Iterator[FieldPath]:
    """Give the paths in a value that a pattern leads to. An atomic node above its end is given instead."""
    if not pattern:
        yield path
        return
    step, rest = pattern[0], pattern[1:]
    if isinstance(node, dict):
        if _is_atomic(shape) and path:
            yield path
            return
        for name in sorted(node):
            if _is_own_name(path, name) and _names(step, name):
                yield from _matches(node[name], rest, _below(shape, f"f:{name}"), (*path, name))
    elif isinstance(node, list):
        if _is_atomic(shape):
            yield path
            return
        keys = _keys(shape)
        for index, element in enumerate(node):
            if _speaks(step, index, element, keys):
                here = _spoken(index, element, keys)
                yield from _matches(element, rest, _element_shape(shape, here), (*path, here))


def _is_atomic(shape: Shape) -> bool:
    """Tell whether somebody owns a node as a whole; where nobody owns it, that is not known, and it is looked into."""
    return shape is not None and not any(key != "." for key in shape)


def _below(shape: Shape, step: str) -> Shape:
    return None if shape is None else shape.get(step)


def _keys(shape: Shape) -> tuple[str, ...] | None:
    return merge_keys(dict(shape)) if shape else None


def _is_own_name(path: FieldPath, name: str) -> bool:
    if not path:
        return name not in IDENTITY
    return not (path == ("metadata",) and name in NEVER)


def _names(step: Step, name: str) -> bool:
    if isinstance(step, Element):
        return [value for _, value in step.keys] == ["*"]
    return step == "*" or str(step) == name


def _speaks(step: Step, index: int, element: Any, keys: tuple[str, ...] | None) -> bool:
    """Tell whether a step of a pattern speaks of a list's element: by index, by the values of its keys, by `*`."""
    if step == "*":
        return True
    if isinstance(step, int | str):
        return str(step) == str(index)
    said = [str(value) for _, value in step.keys]
    if said == ["*"]:
        return True
    if not isinstance(element, dict):
        return said == [str(element)]
    names = keys or LIKELY_KEYS
    values = {name: str(element[name]) for name in names if name in element}
    return all(
        values.get(part.partition("=")[0]) == part.partition("=")[2] if "=" in part else part in values.values()
        for part in said
    )


def _spoken(index: int, element: Any, keys: tuple[str, ...] | None) -> Step:
    if keys is None:
        return index
    if not keys:
        return Element((("", element),)) if isinstance(element, str | int | bool) else index
    found = tuple((name, element[name]) for name in keys if isinstance(element, dict) and name in element)
    return Element(found) if found else index


def _leaves(node: Any, shape: Shape, path: FieldPath) -> Iterator[FieldPath]:
    """Give every field of a body: scalars, and lists that nobody's merge keys tell apart."""
    if isinstance(node, dict) and (node or not path):
        for name in sorted(node):
            if _is_own_name(path, name):
                yield from _leaves(node[name], _below(shape, f"f:{name}"), (*path, name))
    elif isinstance(node, list) and (keys := _keys(shape)):
        for index, element in enumerate(node):
            here = _spoken(index, element, keys)
            yield from _leaves(element, _element_shape(shape, here), (*path, here))
    else:
        yield path


def _element_shape(shape: Shape, step: Step) -> Shape:
    """Add up what is known of a list's elements: they have all the same shape."""
    if not isinstance(step, Element) or not shape:
        return None
    return shape_of([{"fieldsV1": below} for key, below in shape.items() if key.startswith("k:")]) or None


def _drop_empty(body: dict[str, Any], path: FieldPath) -> None:
    while path and value_at(body, path) == {}:
        put(body, path, ABSENT)
        path = path[:-1]


# Cutting ownership


def holds(tree: Tree, path: FieldPath) -> bool:
    """Tell whether a field set holds a field, or something in it."""
    return bool(tree) and _taken(tree, path) is not None


def _taken(tree: Tree, path: FieldPath) -> Tree | None:
    """Cut from a field set what stands at a path, above it as one leaf, or below; None for nothing."""
    if not path:
        return tree
    if not any(key != "." for key in tree):
        return tree  # an atomic value that the path leads into
    key = _key_of(tree, path[0])
    if not key:
        return None
    below = _taken(tree[key], path[1:])
    if below is None:
        return None
    return {key: below}


def _take(tree: Tree, path: FieldPath, into: dict[str, Any]) -> None:
    found = _taken(tree, path) if tree else None
    if found:
        _merge(into, found)


def _key_of(tree: Tree, step: Step) -> str:
    if isinstance(step, str):
        return f"f:{step}" if f"f:{step}" in tree else ""
    if isinstance(step, int):
        return f"i:{step}" if f"i:{step}" in tree else ""
    said = dict(step.keys)
    for key in tree:
        kind, _, rest = key.partition(":")
        if kind == "k":
            known = orjson.loads(rest)
            common = [name for name in known if name in said]
            if common and all(known[name] == said[name] for name in common):
                return key
        elif kind == "v" and "" in said and orjson.loads(rest) == said[""]:
            return key
    return ""


def _fill(body: dict[str, Any], live: Mapping[str, Any], tree: Tree) -> None:
    for key, below in tree.items():
        name = key[2:]
        if not key.startswith("f:") or name not in live:
            continue
        value = live[name]
        if not any(step != "." for step in below) or name not in body:
            body[name] = copy.deepcopy(_cut(value, below))
        elif isinstance(value, dict) and isinstance(body[name], dict):
            _fill(body[name], value, below)
        elif isinstance(value, list) and isinstance(body[name], list):
            _fill_list(body[name], value, below)


def _fill_list(body: list[Any], live: Sequence[Any], tree: Tree) -> None:
    for key, below in tree.items():
        kind, _, rest = key.partition(":")
        known = orjson.loads(rest) if kind in {"k", "v"} else None
        if kind == "v" and known not in body:
            body.append(known)
        elif kind == "k" and isinstance(known, dict):
            element: Any = next((one for one in live if _agrees(one, known, is_whole=True)), {})
            mine = next((one for one in body if _agrees(one, known, is_whole=False)), None)
            if mine is None:
                mine = dict(known)
                body.append(mine)
            _fill(mine, element, below)


def _agrees(element: Any, keys: Mapping[str, Any], *, is_whole: bool) -> bool:
    """Tell whether an element is the one of these merge keys; in a body, what it leaves out is a default."""
    if not isinstance(element, dict):
        return False
    said = [name for name in keys if name in element]
    return bool(said) and (not is_whole or len(said) == len(keys)) and all(element[name] == keys[name] for name in said)


def _merge(into: dict[str, Any], tree: Tree) -> None:
    for key, below in tree.items():
        _merge(into.setdefault(key, {}), below)


def _minus(tree: Tree, other: Tree) -> dict[str, Any]:
    rest: dict[str, Any] = {}
    for key, below in tree.items():
        if key not in other:
            rest[key] = below
        elif any(step != "." for step in below) and (inner := _minus(below, other[key])):
            rest[key] = inner
    return rest


def _joined(one: Tree, other: Tree) -> Tree:
    both: dict[str, Any] = {}
    _merge(both, one)
    _merge(both, other)
    return both


def _cut(value: Any, tree: Tree) -> Any:
    """Cut the fields of a set out of a live value, list elements with their merge keys."""
    below = {key: child for key, child in tree.items() if key != "."}
    if not below:
        return value
    if isinstance(value, dict):
        return {
            key[2:]: _cut(value[key[2:]], child)
            for key, child in below.items()
            if key.startswith("f:") and key[2:] in value
        }
    if not isinstance(value, list) or any(key.startswith("i:") for key in below):
        return value
    found = []
    for element in value:
        for key, child in below.items():
            kind, _, rest = key.partition(":")
            known = orjson.loads(rest)
            if kind == "v" and known == element:
                found.append(element)
            elif kind == "k" and isinstance(element, dict) and all(element.get(n) == v for n, v in known.items()):
                found.append({**known, **_cut(element, child)} if any(k != "." for k in child) else dict(known))
    return found
