"""`converge.yaml` of kind Application: the components of an application that has more than one."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from controller.config.complaint import quoted, suggestion
from controller.config.cycles import cycle_of_each
from controller.config.draft import FILE
from controller.config.node import Node
from controller.config.reading import read_file
from controller.config.refs import check_tree_path, tree_path
from controller.model import Component, ComponentType, EntryKind, Invalid, Problem, Tree


def read_application(tree: Tree, path: str) -> tuple[Component, ...] | None:
    """Read the components that an application names in its folder, None where it names none.

    Raises Invalid with every problem at once.
    """
    file = posixpath.join(path, FILE)
    if tree.kind(file) is not EntryKind.FILE:
        return None
    reading = read_file(tree, file, "Application")
    nodes = tuple(reading.root.get("spec", "components").elements()) if reading.root else ()
    problems = {*reading.problems, *_problems(nodes, tree, path)}
    if problems:
        raise Invalid(problems)
    return tuple(_component(node, path) for node in nodes)


def _component(node: Node, path: str) -> Component:
    written = node.text("type")
    return Component(
        name=node.text("name"),
        path=_inside(path, node.text("path")),
        type=ComponentType(written) if written else None,
        depends_on=node.texts("dependsOn") or (),
        origin=node.origin(),
    )


def _inside(path: str, component: str) -> str:
    return tree_path(posixpath.join(path, component))


def _problems(nodes: tuple[Node, ...], tree: Tree, path: str) -> Iterator[Problem]:
    names = [node.text("name") for node in nodes]
    for index, node in enumerate(nodes):
        if names[index] and names[index] in names[:index]:
            yield node.get("name").problem(f"there are two components {quoted(names[index])}", "Rename one.")
        yield from _missing_folder(node, tree, path)
        for element in node.get("dependsOn").elements():
            if isinstance(element.value, str) and element.value not in names:
                advice = suggestion(element.value, filter(None, names), empty="")
                yield element.problem(f"there is no component {quoted(element.value)}", advice)
    yield from _cycles(nodes)


def _missing_folder(node: Node, tree: Tree, path: str) -> Iterator[Problem]:
    written = node.text("path")
    if written and not check_tree_path(written):
        folder = _inside(path, written)
        if tree.kind(folder) is EntryKind.ABSENT:
            yield node.get("path").problem(f"there is nothing at {quoted(folder)}")


def _cycles(nodes: tuple[Node, ...]) -> Iterator[Problem]:
    by_name = {node.text("name"): node for node in nodes}
    graph = {name: [one for one in node.texts("dependsOn") or () if one in by_name] for name, node in by_name.items()}
    for name, cycle in cycle_of_each(graph).items():
        what = f"waits for itself: {' → '.join(cycle)}"
        yield by_name[name].get("dependsOn").problem(what, "Remove one of these dependencies.", of_key=True)
