"""JSON patches, RFC 6902 as the library that kustomize uses reads it (evanphx/json-patch v4.12).

Its own ways: `replace` of a missing key adds, negative positions count from the end, `copy` and `move` work on
what `find` finds, and a document is decoded lazily, so only the parts that a patch walks through must exist.
"""

from __future__ import annotations

import re
from typing import Any, Final

from controller.documents import Dialect, decode, read
from controller.model import Stalled
from controller.render.kustomize.nodes import MISSING

_OPERATIONS: Final = frozenset({"add", "remove", "replace", "move", "copy", "test"})
Operation = dict[str, Any]


def parse_json_patch(text: str, place: str) -> list[Operation]:
    """Parse a patch written as JSON or YAML. Raises Stalled for what is no list of operations."""
    if text.startswith("["):
        value: Any = decode(text.encode())
    else:
        value = _as_yaml(text, place)
    if not isinstance(value, list) or not all(one is None or isinstance(one, dict) for one in value):
        raise Stalled("a JSON patch is a list of operations")
    return [one or {} for one in value]


def _as_yaml(text: str, place: str) -> Any:
    found = read(text.encode(), path=place, dialect=Dialect.KUBERNETES, strict=False)
    return found[0].value if found and found[0].index == 0 else None


def apply_json_patch(document: Any, patch: list[Operation]) -> Any:
    """Apply every operation to a document of bare JSON, changing it. Raises Stalled naming the one that fails."""
    for operation in patch:
        kind = operation.get("op")
        try:
            _apply(document, kind, operation)
        except Stalled as error:
            shown = f"{kind} {operation.get('path')}"
            raise Stalled(f"the JSON patch's `{shown}` fails: {error}") from error
    return document


def _apply(document: Any, kind: Any, operation: Operation) -> None:
    path = _pointer(operation, "path")
    match kind:
        case "add":
            _add(document, path, _value(operation))
        case "remove":
            container, key = _container(document, path)
            _remove(container, key)
        case "replace":
            _replace(document, path, _value(operation))
        case "move":
            container, key = _container(document, _pointer(operation, "from"))
            moved = _get(container, key)
            _remove(container, key)
            _add(document, path, None if moved is MISSING else moved)
        case "copy":
            container, key = _container(document, _pointer(operation, "from"))
            found = _get(container, key)
            _add(document, path, None if found is MISSING else _copied(found))
        case "test":
            _test(document, path, operation)
        case _:
            raise Stalled(f"{kind!r} is no operation: {', '.join(sorted(_OPERATIONS))} are")


def _value(operation: Operation) -> Any:
    """Give a copy of the operation's value. One that is not there is null, as in the library."""
    return _copied(operation.get("value"))


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(one) for key, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list) else value


def _pointer(operation: Operation, name: str) -> str:
    value = operation.get(name)
    if not isinstance(value, str):
        raise Stalled(f"{name} is not set")
    return value


def _container(document: Any, path: str) -> tuple[Any, str]:
    """Find the mapping or list that a pointer's last part is in."""
    parts = path.split("/")
    if len(parts) < 2:
        raise Stalled(f"the path {path!r} does not start with a slash")
    for part in parts[1:-1]:
        document = _get(document, _unescaped(part))
        if not isinstance(document, dict | list):
            raise Stalled(f"there is no {path.rpartition('/')[0]}")
    return document, _unescaped(parts[-1])


def _unescaped(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def _get(container: Any, key: str) -> Any:
    if isinstance(container, dict):
        return container.get(key, MISSING)
    at = _position(key)
    at = at + len(container) if at < 0 else at
    if not 0 <= at < len(container):
        raise Stalled(f"the position {key} is not in a list of {len(container)}")
    return container[at]


def _position(key: str) -> int:
    if re.fullmatch(r"[+-]?[0-9]+", key) is None:
        raise Stalled(f"{key!r} is no position in a list")
    return int(key)


def _add(document: Any, path: str, value: Any) -> None:
    container, key = _container(document, path)
    if isinstance(container, dict):
        container[key] = value
        return
    if key == "-":
        container.append(value)
        return
    at = _position(key)
    if not -len(container) - 1 <= at <= len(container):
        raise Stalled(f"the position {key} is not in a list of {len(container)}")
    container.insert(at if at >= 0 else at + len(container) + 1, value)


def _remove(container: Any, key: str) -> None:
    if isinstance(container, dict):
        if key not in container:
            raise Stalled(f"there is no {key} to remove")
        del container[key]
        return
    at = _position(key)
    at = at + len(container) if at < 0 else at
    if not 0 <= at < len(container):
        raise Stalled(f"the position {key} is not in a list of {len(container)}")
    del container[at]


def _replace(document: Any, path: str, value: Any) -> None:
    if not path:
        if not isinstance(value, dict):
            raise Stalled("a resource can be replaced by a mapping only")
        document.clear()
        document.update(value)
        return
    container, key = _container(document, path)
    if isinstance(container, dict):
        container[key] = value
        return
    at = _position(key)
    at = at + len(container) if at < 0 else at
    if not 0 <= at < len(container):
        raise Stalled(f"the position {key} is not in a list of {len(container)}")
    container[at] = value


def _test(document: Any, path: str, operation: Operation) -> None:
    container, key = _container(document, path)
    found = _get(container, key)
    wanted = operation.get("value")
    if (found is MISSING or found is None) and wanted is None:
        return
    if found is MISSING or not _equal(found, wanted):
        raise Stalled(f"it is {'not there' if found is MISSING else repr(found)}, not {wanted!r}")


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)
