"""Puts one value into the text of a YAML document, and leaves every other byte as a person wrote it. Pure.

A way of writing that this module does not know (an anchor in the way, a map's only entry that shall go) is answered
with None; who calls it proves what came out by reading it again, since a splice knows places and not meaning.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import yaml

from controller.documents.writing import write

DELETE: Final = object()  # as a value: take the key or the element away
BLOCK_STYLES: Final = ("|", ">")
FLOW_INDICATORS: Final = frozenset(",[]{}")
Step = str | int


def splice(text: str, field: Sequence[Step], value: Any) -> str | None:
    """Set a value by its path in the first document; a list grows by its length as the index.

    Gives None where it can't be done by a splice. Raises yaml.YAMLError for what is no YAML.
    """
    node = next(iter(yaml.compose_all(text, Loader=yaml.CSafeLoader)), None)
    if node is None or not field:
        return None
    parent: Any = None
    for depth, step in enumerate(field):
        child = _child(node, step)
        if child is None:
            if value is DELETE:
                return text
            return _added(
                text, parent, field[depth - 1] if depth else "", node, step, _nested(field[depth + 1 :], value)
            )
        parent, node = node, child
    if value is DELETE:
        return _removed(text, parent, field[-1])
    return _replaced(text, parent, field[-1], node, value)


def _child(node: Any, step: Step) -> Any:
    match node:
        case yaml.MappingNode() if isinstance(step, str):
            return next((value for key, value in node.value if getattr(key, "value", None) == step), None)
        case yaml.SequenceNode() if isinstance(step, int) and 0 <= step < len(node.value):
            return node.value[step]
        case _:
            return None


def _nested(steps: Sequence[Step], value: Any) -> Any:
    """Wrap a value in the maps and lists on its way that are not there yet."""
    for step in reversed(steps):
        value = {step: value} if isinstance(step, str) else [value]
    return value


# --- a value that is there -----------------------------------------------------------------------------------


def _replaced(text: str, parent: Any, step: Step, node: Any, value: Any) -> str | None:
    start, end = node.start_mark.index, _content_end(text, node)
    if not isinstance(value, dict | list) and isinstance(node, yaml.ScalarNode) and node.style not in BLOCK_STYLES:
        space = " " if start == end else ""
        return text[:start] + space + _scalar(value, style=node.style) + text[end:]
    if parent is None:
        return None
    if parent.flow_style:
        return text[:start] + (json.dumps(value, ensure_ascii=False) if _is_json(text) else _flow(value)) + text[end:]
    if isinstance(parent, yaml.MappingNode):
        key = next(key for key, _ in parent.value if key.value == step)
        entry = _block({step: value}, key.start_mark.column)
        return text[: key.start_mark.index] + entry.lstrip(" ") + text[max(end, key.end_mark.index + 1) :]
    return text[:start] + _block(value, node.start_mark.column).lstrip(" ") + text[end:]


# --- a value that is not there -------------------------------------------------------------------------------


def _added(text: str, parent: Any, at: Step, node: Any, step: Step, value: Any) -> str | None:
    match node:
        case yaml.MappingNode() if isinstance(step, str):
            return _appended(text, node, {step: value}, [one for _, one in node.value], [key for key, _ in node.value])
        case yaml.SequenceNode() if step == len(node.value):
            return _appended(text, node, [value], node.value, node.value)
        case yaml.ScalarNode(tag="tag:yaml.org,2002:null") if isinstance(step, str) or step == 0:
            return _replaced(text, parent, at, node, {step: value} if isinstance(step, str) else [value])
        case _:
            return None


def _appended(text: str, node: Any, entry: Any, values: Sequence[Any], heads: Sequence[Any]) -> str | None:
    if node.flow_style:
        inner = (json.dumps(entry, ensure_ascii=False) if _is_json(text) else _flow(entry))[1:-1]
        if not values:
            return text[: node.start_mark.index + 1] + inner + text[node.start_mark.index + 1 :]
        end = _content_end(text, values[-1])
        return text[:end] + ", " + inner + text[end:]
    if not values:
        return None
    is_list = isinstance(entry, list)
    column = node.start_mark.column if is_list else heads[0].start_mark.column
    end = max(_content_end(text, values[-1]), heads[-1].end_mark.index if not is_list else 0)
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    return text[:line_end] + "\n" + _block(entry, column) + text[line_end:]


# --- away with it --------------------------------------------------------------------------------------------


def _removed(text: str, parent: Any, step: Step) -> str | None:
    pairs = parent.value if isinstance(parent, yaml.MappingNode) else [(one, one) for one in parent.value]
    index = next(n for n, (key, _) in enumerate(pairs) if step == (key.value if isinstance(step, str) else n))
    if len(pairs) == 1 and not parent.flow_style:
        return None
    start, end = pairs[index][0].start_mark.index, _content_end(text, pairs[index][1])
    if isinstance(parent, yaml.MappingNode):
        end = max(end, pairs[index][0].end_mark.index + 1)
    if parent.flow_style:
        if index + 1 < len(pairs):
            return text[:start] + text[pairs[index + 1][0].start_mark.index :]
        if index:
            return text[: _content_end(text, pairs[index - 1][1])] + text[end:]
        return text[:start] + text[end:]
    line_start = text.rfind("\n", 0, start) + 1
    if text[line_start:start].strip() not in ("", "-") or (isinstance(step, str) and text[line_start:start].strip()):
        return None
    line_end = text.find("\n", end)
    return text[:line_start] + ("" if line_end < 0 else text[line_end + 1 :])


# --- places and forms ----------------------------------------------------------------------------------------


def _content_end(text: str, node: Any) -> int:
    """Give the place after a node's last own character: a block's end mark lies behind the comments after it."""
    start, end = int(node.start_mark.index), int(node.end_mark.index)
    if isinstance(node, yaml.ScalarNode):
        return start + len(text[start:end].rstrip()) if node.style in BLOCK_STYLES else end
    if node.flow_style or not node.value:
        return end
    if isinstance(node, yaml.SequenceNode):
        return _content_end(text, node.value[-1])
    key, value = node.value[-1]
    return max(int(key.end_mark.index) + 1, _content_end(text, value))


def _is_json(text: str) -> bool:
    """Tell whether a document is JSON, and should stay so."""
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _block(value: Any, column: int) -> str:
    lines = write(value).decode().rstrip("\n").split("\n")
    return "\n".join(" " * column + line if line else line for line in lines)


def _flow(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{_flow(name)}: {_flow(one)}" for name, one in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case _:
            written = _scalar(value)
            is_plain = FLOW_INDICATORS.isdisjoint(written) or written[0] in "\"'"
            return written if is_plain else json.dumps(value, ensure_ascii=False)


def _scalar(value: Any, *, style: str | None = None) -> str:
    """Write a scalar on one line, in the quotes that the old one had."""
    if isinstance(value, str) and style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, str) and (style == '"' or "\n" in value):
        return json.dumps(value, ensure_ascii=False)
    written = write(value).decode().rstrip("\n")
    return json.dumps(value, ensure_ascii=False) if "\n" in written else written
