"""Many paths into one resource, found in one walk: a field that several of them pass is looked up once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from controller.model import Stalled
from controller.render.kustomize.nodes import MISSING, is_null, text_of
from controller.render.kustomize.paths import split_path

Place = tuple[int, Any, Any]  # the number of a path, a container, and the key or position in it that the path leads to


@dataclass(slots=True)
class FieldTree:
    """The fields that paths of field specs go through, from one of their fields on."""

    path: str = ""  # the first that goes through here
    is_list: bool = False  # written `name[]`: a null there is made an empty list
    ends: list[int] = field(default_factory=list)
    below: dict[str, FieldTree] = field(default_factory=dict)


def tree_of(paths: Iterable[tuple[int, str]]) -> FieldTree:
    """Make the tree of numbered paths."""
    root = FieldTree()
    for number, path in paths:
        tree = root
        for part in split_path(path):
            if part not in tree.below:
                tree.below[part] = FieldTree(path, part.endswith("[]"))
            tree = tree.below[part]
        tree.ends.append(number)
    return root


def places(tree: FieldTree, value: dict[str, Any]) -> list[Place]:
    """Find every field that a path leads to, ordered by their numbers. As `paths.visit` does, but none is made."""
    found: list[Place] = []
    _find(tree, value, found)
    found.sort(key=itemgetter(0))
    return found


def _find(tree: FieldTree, value: dict[str, Any], found: list[Place]) -> None:
    for part, child in tree.below.items():
        name = part.removesuffix("[]") if child.is_list else part
        if not name:
            raise Stalled(f"the field {child.path} has an empty name in it")
        one = value.get(name, MISSING)
        if one is MISSING:
            continue
        if child.is_list and is_null(one):
            one = value[name] = []
        if child.ends:
            found.extend((number, value, name) for number in child.ends)
        if child.below:
            _enter(child, one, found)


def _enter(tree: FieldTree, value: Any, found: list[Place]) -> None:
    if value.__class__ is dict:
        _find(tree, value, found)
    elif value.__class__ is list:
        for one in value:
            _enter(tree, one, found)
    elif not is_null(value):
        raise Stalled(f"the field {tree.path} leads through {text_of(value)!r}, which is no mapping and no list")
