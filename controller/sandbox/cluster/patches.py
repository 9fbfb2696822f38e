"""The patches that are no apply: JSON merge (RFC 7386), JSON patch (RFC 6902) and Kubernetes' strategic merge."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from controller.model import JsonValue
from controller.sandbox.cluster.refusals import Refused, bad_request
from controller.sandbox.cluster.schema import Field, ListOf, MapOf, Shape


def merge(target: JsonValue, patch: JsonValue) -> JsonValue:
    """RFC 7386: null removes, maps merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


def json_patch(target: JsonValue, operations: JsonValue) -> JsonValue:
    """RFC 6902. Raises Refused: 400 for what is no patch, 422 for one that does not fit the object."""
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    result = deepcopy(target)
    for one in operations:
        if not isinstance(one, dict):
            raise bad_request("error decoding patch: an operation is not an object")
        result = _operate(result, one)
    return result


def _operate(target: JsonValue, operation: dict[str, JsonValue]) -> JsonValue:
    path = _pointer(operation.get("path"))
    match operation.get("op"):
        case "add":
            return _put(target, path, operation.get("value"), insert=True)
        case "replace":
            _get(target, path)
            return _put(target, path, operation.get("value"), insert=False)
        case "remove":
            return _drop(target, path)
        case "test":
            if _get(target, path) != operation.get("value"):
                raise _unprocessable()
            return target
        case "copy":
            return _put(target, path, deepcopy(_get(target, _pointer(operation.get("from")))), insert=True)
        case "move":
            source = _pointer(operation.get("from"))
            value = _get(target, source)
            return _put(_drop(target, source), path, value, insert=True)
        case unknown:
            raise bad_request(f"unexpected kind: {unknown}")


def _pointer(text: JsonValue) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise bad_request(f"a JSON pointer begins with a slash: {text}")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _unprocessable() -> Refused:
    return Refused(422, "Invalid", "the server rejected our request due to an error in our request")


def _get(target: JsonValue, path: Sequence[str]) -> JsonValue:
    for step in path:
        if isinstance(target, dict) and step in target:
            target = target[step]
        elif isinstance(target, list) and step.isdigit() and int(step) < len(target):
            target = target[int(step)]
        else:
            raise _unprocessable()
    return target


def _put(target: JsonValue, path: Sequence[str], value: JsonValue, *, insert: bool) -> JsonValue:
    if not path:
        return value
    parent, last = _get(target, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list) and insert and (last == "-" or (last.isdigit() and int(last) <= len(parent))):
        parent.insert(len(parent) if last == "-" else int(last), value)
    elif isinstance(parent, list) and last.isdigit() and int(last) < len(parent):
        parent[int(last)] = value
    else:
        raise _unprocessable()
    return target


def _drop(target: JsonValue, path: Sequence[str]) -> JsonValue:
    _get(target, path)
    parent = _get(target, path[:-1])
    if isinstance(parent, dict):
        del parent[path[-1]]
    elif isinstance(parent, list):
        del parent[int(path[-1])]
    return target


def strategic(target: JsonValue, patch: JsonValue, shape: Shape) -> JsonValue:
    """A strategic merge patch: lists merge by the keys of their Go type's tags (apimachinery strategicpatch).

    `$patch`: replace, delete or merge; `$retainKeys`; `$deleteFromPrimitiveList/x`; `$setElementOrder/x`.
    """
    if not isinstance(patch, dict):
        return patch
    directive = patch.get("$patch")
    if directive == "replace":
        return {name: value for name, value in patch.items() if name != "$patch"}
    if directive == "delete":
        return {}
    result = dict(target) if isinstance(target, dict) else {}
    retained = patch.get("$retainKeys")
    if isinstance(retained, list):
        result = {name: value for name, value in result.items() if name in retained}
    for name, value in patch.items():
        if name.startswith("$"):
            _directive(result, name, value)
        elif value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value, _field(shape, name))
    for name, value in patch.items():
        if name.startswith("$setElementOrder/"):
            _set_order(result, name.partition("/")[2], value, shape)
    return result


def _field(shape: Shape, name: str) -> Field | None:
    if isinstance(shape, MapOf):
        return shape.fields.get(name) or (Field(shape.rest) if shape.rest else None)
    return None


def _merged(target: JsonValue, patch: JsonValue, field: Field | None) -> JsonValue:
    if field is None:
        return merge(target, patch)
    if isinstance(patch, dict):
        if field.patch == "replace":
            return patch
        return strategic(target, patch, field.shape)
    if isinstance(patch, list) and "merge" in field.patch.split(",") and isinstance(field.shape, ListOf):
        present = target if isinstance(target, list) else []
        if not field.merge_key:
            return [*present, *(one for one in patch if one not in present)]
        return _merged_list(present, patch, field.merge_key, field.shape.element)
    return patch


def _merged_list(target: list[JsonValue], patch: list[JsonValue], key: str, element: Shape) -> list[JsonValue]:
    if any(isinstance(one, dict) and one.get("$patch") == "replace" for one in patch):
        return [one for one in patch if not (isinstance(one, dict) and "$patch" in one)]
    result = list(target)
    for one in patch:
        if not isinstance(one, dict) or key not in one:
            raise bad_request(f"map: map[] does not contain declared merge key: {key}")
        found = next((i for i, old in enumerate(result) if isinstance(old, dict) and old.get(key) == one[key]), None)
        if one.get("$patch") == "delete":
            result = [old for old in result if not (isinstance(old, dict) and old.get(key) == one[key])]
        elif found is None:
            result.append(strategic({}, one, element))
        else:
            result[found] = strategic(result[found], one, element)
    return result


def _directive(result: dict[str, JsonValue], name: str, value: JsonValue) -> None:
    if name.startswith("$deleteFromPrimitiveList/") and isinstance(value, list):
        field = name.partition("/")[2]
        present = result.get(field)
        if isinstance(present, list):
            result[field] = [one for one in present if one not in value]


def _set_order(result: dict[str, JsonValue], name: str, order: JsonValue, shape: Shape) -> None:
    """Put a list's elements in the order that the patch's writer saw; others keep their places."""
    field, present = _field(shape, name), result.get(name)
    if not isinstance(present, list) or not isinstance(order, list) or field is None:
        return

    def key_of(one: JsonValue) -> JsonValue:
        return one.get(field.merge_key) if field.merge_key and isinstance(one, dict) else one

    ranks = [key_of(one) for one in order]
    listed = sorted((one for one in present if key_of(one) in ranks), key=lambda one: ranks.index(key_of(one)))
    waiting = iter(listed)
    result[name] = [next(waiting) if key_of(one) in ranks else one for one in present]
