"""From objects as they were written to Manifests as a server would store them.

The last steps of every render, whatever its dialect: what a server writes itself is stripped, the namespace is
filled, `stringData` is folded into `data`, and what no server takes is refused with file and line.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controller.documents import canonical, digest_of
from controller.model import Invalid, Manifest, ObjectKey, Origin, Position, Problem
from controller.render.encrypted import CIPHER
from controller.render.merge_keys import duplicates_in
from controller.render.request import Draft
from controller.render.scope import builtin_cluster_scoped, cluster_scoped_by_crds, group_kind, group_of, is_builtin

SERVER_METADATA: Final = (
    "uid", "resourceVersion", "managedFields", "creationTimestamp", "generation", "selfLink",
    "deletionTimestamp", "deletionGracePeriodSeconds",
)  # fmt: skip

Locate = Callable[[Draft, tuple[str | int, ...]], Position]


@dataclass(frozen=True, slots=True)
class Finished:
    manifests: tuple[Manifest, ...]
    warnings: tuple[Problem, ...]


def finish(drafts: Sequence[Draft], *, namespace: str, cluster_scoped: frozenset[str], locate: Locate) -> Finished:
    """Make Manifests, in order. Raises Invalid with every problem of all objects.

    `locate` finds the place of a field in a draft's own document; it is asked only for what is refused.
    """
    scopes = builtin_cluster_scoped() | cluster_scoped | cluster_scoped_by_crds(draft.value for draft in drafts)
    manifests: list[Manifest] = []
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for draft in drafts:
        found = list(_problems(draft, locate))
        problems.extend(found)
        if found:
            continue
        try:
            manifests.append(_manifest(draft, scopes, namespace, warnings))
        except Invalid as error:
            problems.extend(error.problems)
    problems.extend(_same_identities(manifests))
    if problems:
        raise Invalid(problems)
    return Finished(tuple(manifests), tuple(warnings))


def _problems(draft: Draft, locate: Locate) -> Iterator[Problem]:
    metadata = draft.value.get("metadata")
    here = Position(draft.origin.path, draft.origin.line)
    untyped = [name for name in ("apiVersion", "kind") if not _is_name(draft.value.get(name))]
    for name in untyped:
        yield Problem(here, "not set, or no text", name, "Every object needs its apiVersion and its kind.")
    if untyped:
        return
    if not isinstance(metadata, dict):
        yield Problem(here, "not set", "metadata.name", "Every object needs a name.")
        return
    if "generateName" in metadata and not metadata.get("name"):
        where = locate(draft, ("metadata", "generateName"))
        yield Problem(
            where, "a name that the server makes up can't be kept in git", "metadata.generateName", "Set `name`."
        )
    elif not _is_name(metadata.get("name")):
        yield Problem(
            locate(draft, ("metadata",)), "not set, or no text", "metadata.name", "Every object needs a name."
        )
    if not isinstance(metadata.get("namespace") or "", str):
        yield Problem(locate(draft, ("metadata", "namespace")), "no text", "metadata.namespace", "Quote it.")
    for key in ("labels", "annotations"):
        yield from _not_text(draft, metadata.get(key), ("metadata", key), locate)
    if draft.value["kind"] in {"Secret", "ConfigMap"} and draft.value["apiVersion"] == "v1":
        for key in ("data", "stringData", "binaryData"):
            yield from _not_text(draft, draft.value.get(key), (key,), locate)
    for field, first, second in duplicates_in(draft.value):
        one, other = locate(draft, first), locate(draft, second)
        what = f"two elements with {field.key}" + (f"; the other is at {one}" if one != other else "")
        yield Problem(other, what, field.path, "Keep one.")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _not_text(draft: Draft, values: object, path: tuple[str, ...], locate: Locate) -> Iterator[Problem]:
    """Find values of a map of text that YAML took for something else: `"true"` written without its quotes."""
    if not isinstance(values, dict):
        if values is not None:
            yield Problem(locate(draft, path), "no mapping", ".".join(path))
        return
    for key, value in values.items():
        if value is not None and not isinstance(value, str):
            where = locate(draft, (*path, key))
            yield Problem(where, f"not text but {_type_of(value)}", f"{'.'.join(path)}.{key}", "Quote it.")


def _type_of(value: object) -> str:
    if isinstance(value, bool):
        return "a boolean"
    return "a number" if isinstance(value, int | float) else "a list" if isinstance(value, list) else "a mapping"


def _manifest(draft: Draft, scopes: frozenset[str], namespace: str, warnings: list[Problem]) -> Manifest:
    value = dict(draft.value)
    metadata = value["metadata"] = _stored_metadata(value["metadata"])
    group = group_of(value["apiVersion"])
    if group_kind(value["kind"], group) in scopes:
        if metadata.pop("namespace", None):
            where = Position(draft.origin.path, draft.origin.line)
            warnings.append(Problem(where, f"{value['kind']} has no namespace: the one it was given is left out"))
    elif not metadata.get("namespace"):
        metadata["namespace"] = namespace or "default"
    value.pop("status", None)
    if value["kind"] == "Secret" and group == "":
        _fold_string_data(value, draft.origin)
    elif value["kind"] == "ConfigMap" and group == "" and isinstance(value.get("data"), dict):
        value["data"] = _without_null_texts(value["data"])
    body = canonical(value)
    if is_builtin(group) and b"null" in body:  # most objects have none: looking is cheaper than a copy
        body = canonical(_without_nulls(value))
    key = ObjectKey(group, value["kind"], metadata.get("namespace", ""), metadata["name"])
    return Manifest(key, value["apiVersion"], body, digest_of(body), draft.origin)


def _stored_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a server writes itself or never stores: its own fields, nulls, labels or annotations of none."""
    kept = {key: value for key, value in metadata.items() if key not in SERVER_METADATA and value is not None}
    for key in ("labels", "annotations"):
        if key in kept and not kept[key]:
            del kept[key]
        elif key in kept:
            kept[key] = _without_null_texts(kept[key])
    return kept


def _without_null_texts(values: dict[str, Any]) -> dict[str, Any]:
    """Make empty text of a null in a map of text, as the server's decoder does."""
    return {key: "" if value is None else value for key, value in values.items()}


def _fold_string_data(value: dict[str, Any], origin: Origin) -> None:
    """Put `stringData` into `data` as the server does on a write, where nobody owns `stringData` afterwards."""
    texts = value.pop("stringData", None) or {}
    data = dict(value.get("data") or {})
    for key, text in texts.items():
        data[key] = base64.b64encode((text or "").encode()).decode()
    for key, text in data.items():
        if CIPHER in (text or "").encode():
            raise Invalid([_still_encrypted(key, origin)])
        try:
            plain = base64.b64decode("".join((text or "").split()), validate=True)
        except binascii.Error:
            advice = "Encode it, or write it under stringData."
            where = Position(origin.path, origin.line)
            raise Invalid([Problem(where, "not base64", f"data.{key}", advice)]) from None
        if CIPHER in plain:
            raise Invalid([_still_encrypted(key, origin)])
        data[key] = base64.b64encode(plain).decode()
    if data or "data" in value:
        value["data"] = data


def _still_encrypted(key: str, origin: Origin) -> Problem:
    advice = "Keep the `sops` part that the file was encrypted with, or encrypt the file anew, so that it is decrypted."
    return Problem(Position(origin.path, origin.line), "still encrypted after rendering", f"data.{key}", advice)


def _without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    """Leave out null fields. Kubernetes' own kinds never store them; a custom kind may, so its nulls stay."""
    return {
        key: _without_nulls(one)
        if one.__class__ is dict
        else _list_without_nulls(one)
        if one.__class__ is list
        else one
        for key, one in value.items()
        if one is not None
    }


def _list_without_nulls(value: list[Any]) -> list[Any]:
    return [
        _without_nulls(one) if one.__class__ is dict else _list_without_nulls(one) if one.__class__ is list else one
        for one in value
    ]


def _same_identities(manifests: Iterable[Manifest]) -> Iterator[Problem]:
    first: dict[ObjectKey, Manifest] = {}
    for one in manifests:
        other = first.setdefault(one.key, one)
        if other is not one:
            where = Position(one.origin.path, one.origin.line)
            yield Problem(where, f"{one.key} is there already, at {other.origin}", advice="Keep one of them.")
