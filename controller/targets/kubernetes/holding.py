"""An apply that leaves some fields as they are: what policy does not let us take back. Pure.

Somebody who changed a field owns it since, so that leaving it out of our apply changes nothing of it. Where it is still
ours (nobody took it, yet its value moved) leaving it out would reset it: there the live value is sent instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from controller.model import ABSENT, Element, FieldPath, Step
from controller.targets.kubernetes.labels import MANAGER
from controller.targets.kubernetes.ownership import APPLY, editor_of


def hold(
    body: dict[str, Any], held: Iterable[FieldPath], live: Mapping[str, Any], managed: Sequence[Mapping[str, Any]]
) -> None:
    """Take held fields out of a body, or give them their live values, in place."""
    ours = own_entries(managed)
    for path in held:
        value = value_at(live, path) if editor_of(ours, path) is not None else ABSENT
        put(body, path, value)


def own_entries(managed: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Give the entry of our applies."""
    return [
        one
        for one in managed
        if one.get("manager") == MANAGER and one.get("operation") == APPLY and not one.get("subresource")
    ]


def value_at(node: Any, path: FieldPath) -> Any:
    """Look a field up; ABSENT where there is none."""
    for step in path:
        index = _index(node, step)
        if index is None:
            return ABSENT
        node = node[index]
    return node


def put(body: Any, path: FieldPath, value: Any) -> None:
    node = body
    for step in path[:-1]:
        index = _index(node, step)
        if index is None:
            return
        node = node[index]
    index = _index(node, path[-1])
    if index is None:
        return
    if value is ABSENT:
        del node[index]
    else:
        node[index] = value


def _index(node: Any, step: Step) -> Any:
    """Find where a step leads in a map or list; None for nowhere."""
    if isinstance(node, dict):
        return step if isinstance(step, str) and step in node else None
    if not isinstance(node, list):
        return None
    if isinstance(step, int):
        return step if step < len(node) else None
    if isinstance(step, Element):
        return next((index for index, one in enumerate(node) if _is_element(one, step)), None)
    return None


def _is_element(one: Any, element: Element) -> bool:
    if not isinstance(one, dict):
        return element.keys == (("", one),)
    # A merge key that our side leaves out was defaulted by the server: it does not speak against the element.
    said = [(name, value) for name, value in element.keys if name in one]
    return bool(said) and all(one[name] == value for name, value in said)
