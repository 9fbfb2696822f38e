"""The algebra of field sets, written as managedFields' `fieldsV1` is: nested maps of path elements.

`f:name` is a field, `k:{…}` a list element known by keys, `v:…` a set's element, `i:…` an index. A map without
children is a member; one with children is a member when it has the child `.`. So `{"f:data": {".": {}, "f:x": {}}}`
holds `data` and `data.x`. The operations are those of structured-merge-diff's fieldpath.Set; none changes its operands.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TypeAlias

FieldSet: TypeAlias = "dict[str, FieldSet]"
SELF = "."


def is_member(node: FieldSet | None) -> bool:
    """Say whether the element that leads to this node belongs to the set itself."""
    return node is not None and (not node or SELF in node)


def node_of(children: FieldSet, *, member: bool) -> FieldSet | None:
    """Make a node of its children; None when nothing of it is left."""
    if not children:
        return {} if member else None
    return {SELF: {}, **children} if member else children


def children_of(node: FieldSet) -> Iterator[tuple[str, FieldSet]]:
    return ((step, child) for step, child in node.items() if step != SELF)


def insert(root: FieldSet, path: Sequence[str]) -> None:
    """Add one path to a set that is being built."""
    node = root
    for i, step in enumerate(path):
        child = node.get(step)
        if child is None:
            child = node[step] = {}
            if i + 1 < len(path):
                _grow(child, path[i + 1 :])
            return
        if i + 1 == len(path):
            if child:
                child[SELF] = {}
            return
        if not child:
            child[SELF] = {}
        node = child


def _grow(node: FieldSet, path: Sequence[str]) -> None:
    for step in path:
        child: FieldSet = {}
        node[step] = child
        node = child


def union(a: FieldSet, b: FieldSet) -> FieldSet:
    if not a or not b:
        return a or b
    result: FieldSet = {}
    for step in (*a, *(step for step in b if step not in a)):
        if step == SELF:
            continue
        if step not in b:
            result[step] = a[step]
        elif step not in a:
            result[step] = b[step]
        else:
            below = union(dict(children_of(a[step])), dict(children_of(b[step])))
            result[step] = node_of(below, member=is_member(a[step]) or is_member(b[step])) or {}
    return result


def intersection(a: FieldSet, b: FieldSet) -> FieldSet:
    result: FieldSet = {}
    for step, one in children_of(a):
        other = b.get(step)
        if other is None:
            continue
        node = node_of(intersection(one, other), member=is_member(one) and is_member(other))
        if node is not None:
            result[step] = node
    return result


def difference(a: FieldSet, b: FieldSet) -> FieldSet:
    """Leave out of `a` the members of `b`: themselves, not what is below them."""
    result: FieldSet = {}
    for step, one in children_of(a):
        other = b.get(step)
        if other is None:
            result[step] = one
            continue
        node = node_of(difference(one, other), member=is_member(one) and not is_member(other))
        if node is not None:
            result[step] = node
    return result


def without(a: FieldSet, b: FieldSet) -> FieldSet:
    """Leave out of `a` the members of `b` with all that is below them."""
    result: FieldSet = {}
    for step, one in children_of(a):
        other = b.get(step)
        if other is None:
            result[step] = one
        elif not is_member(other):
            node = node_of(without(one, other), member=is_member(one))
            if node is not None:
                result[step] = node
    return result


def paths(a: FieldSet, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Give every member's path."""
    for step, child in children_of(a):
        path = (*above, step)
        if is_member(child):
            yield path
        yield from paths(child, path)


def ordered(a: FieldSet) -> FieldSet:
    """Sort it as the server writes it: `.` first, then by element."""
    return {step: ordered(a[step]) for step in sorted(a, key=lambda step: (step != SELF, step))}


def written(path: Sequence[str]) -> str:
    """Write a path as conflicts do: `.spec.containers[name="web"].image`."""
    return "".join(_step(step) for step in path)


def _step(step: str) -> str:
    kind, _, rest = step.partition(":")
    match kind:
        case "f":
            return f".{rest}"
        case "k":
            keys = json.loads(rest)
            return "[" + ",".join(f"{name}={json.dumps(value)}" for name, value in sorted(keys.items())) + "]"
        case "v":
            return f"[={rest}]"
        case _:
            return f"[{rest}]"
