"""The ways to say another value of a field in the platform repository. Pure; whether one is right, a render tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from controller.documents import canonical, decode, edit, write
from controller.engine.operations.fields import Value, pointer_of
from controller.engine.operations.overlays import Image, overlay, overlay_path, with_images, with_replicas
from controller.model import (
    PLATFORM,
    Element,
    FieldPath,
    FieldValue,
    Hidden,
    JsonValue,
    Manifest,
    Missing,
    ObjectKey,
    Stalled,
    Tree,
    Unknown,
    format_path,
)
from controller.render import RenderRequest, Setting, explain, value_at


@dataclass(frozen=True, slots=True)
class Accepted:
    """A field of an object, and the value that it has on the target; ABSENT where it was taken away there."""

    key: ObjectKey
    field: FieldPath
    live: FieldValue

    @property
    def value(self) -> Value:
        """Give the live value. Raises Stalled for one that nobody is shown."""
        if isinstance(self.live, Hidden | Unknown):
            raise Stalled(f"{self}: a secret value never leaves its target. Put it into git by hand, encrypted")
        return self.live

    def __str__(self) -> str:
        return f"{self.key} {format_path(self.field)}"


class Way(Protocol):
    """One way to say it in the platform repository."""

    def edits(self, tree: Tree) -> Mapping[str, bytes]:
        """Give the files that change. Raises Stalled where this way is none on this tree."""


@dataclass(frozen=True, slots=True)
class AtOrigin:
    """The text at a place of a file becomes another."""

    path: str
    line: int
    column: int
    text: str
    instead: str

    def edits(self, tree: Tree) -> Mapping[str, bytes]:
        lines = tree.read(self.path).decode().split("\n")
        line = lines[self.line - 1] if self.line <= len(lines) else ""
        start = self.column - 1
        if line[start : start + len(self.text)] != self.text:
            raise Stalled(f"{self.path}:{self.line}: this is another line than a moment ago. Try again")
        lines[self.line - 1] = line[:start] + self.instead + line[start + len(self.text) :]
        return {self.path: "\n".join(lines).encode()}


@dataclass(frozen=True, slots=True)
class AsReplicas:
    folder: str
    name: str
    count: int

    def edits(self, tree: Tree) -> Mapping[str, bytes]:
        return with_replicas(tree, self.folder, self.name, self.count)


@dataclass(frozen=True, slots=True)
class AsImage:
    folder: str
    image: Image

    def edits(self, tree: Tree) -> Mapping[str, bytes]:
        return with_images(tree, self.folder, [self.image])


@dataclass(frozen=True, slots=True)
class AsPatch:
    """An entry of `patches` in the overlay."""

    folder: str
    key: ObjectKey
    patch: str

    def edits(self, tree: Tree) -> Mapping[str, bytes]:
        path = overlay_path(tree, self.folder)
        data, value = overlay(tree, path)
        known = value.get("patches") or []
        target = {"kind": self.key.kind, "name": self.key.name}
        entry = {"target": {"group": self.key.group, **target} if self.key.group else target, "patch": self.patch}
        return {path: edit(data, {("patches", len(known)): entry}, path=path)}


def ways(one: Accepted, manifest: Manifest, request: RenderRequest, folder: str) -> Iterator[Way]:
    """Give the ways that there may be, the one that a person would choose first."""
    live = one.value
    value = value_at(decode(manifest.body), one.field)
    if not isinstance(value, Missing) and not isinstance(live, Missing):
        settings = [each for each in explain(request, one.key, one.field) if not each.overridden]
        yield from _at_origin(value, live, settings, folder)
    if one.field == ("spec", "replicas") and type(live) is int:
        yield AsReplicas(folder, one.key.name, live)
    if one.field[-1] == "image" and isinstance(value, str) and isinstance(live, str):
        yield AsImage(folder, image_between(value, live))
    yield AsPatch(folder, one.key, merge_patch(manifest, one.field, live))
    pointer = pointer_of(decode(manifest.body), one.field)
    if pointer is not None:
        yield AsPatch(folder, one.key, json_patch(pointer, value, live))


def _at_origin(value: JsonValue, live: JsonValue, settings: Sequence[Setting], folder: str) -> Iterator[AtOrigin]:
    """Edit the text that the value is made of, where it stands in the group's own overlay."""
    for each in settings:
        if each.origin.repository != PLATFORM or not each.origin.path.startswith(f"{folder}/"):
            continue
        place = (each.origin.path, each.origin.line, each.column, each.text)
        part = changed_part(str(value), str(live), each.text)
        if part is not None:
            yield AtOrigin(*place, part)
            yield AtOrigin(*place, canonical(part).decode())
        if each.text == str(value) and not isinstance(live, str):
            yield AtOrigin(*place, canonical(live).decode())


def changed_part(value: str, live: str, text: str) -> str | None:
    """Say what a part of a value must become for the whole to become another; None where no edit of it does. Pure."""
    start = value.find(text)
    head, tail = value[: max(start, 0)], value[start + len(text) :]
    if start < 0 or not text or len(live) < len(head) + len(tail):
        return None
    fits = live.startswith(head) and live.endswith(tail)
    return live[len(head) : len(live) - len(tail)] if fits else None


def image_between(before: str, after: str) -> Image:
    """Say the entry of `images` that makes one image another."""
    name = _name_and_version(before)[0]
    new_name, tag, digest = _name_and_version(after)
    return Image(name, "" if new_name == name else new_name, tag, digest)


def _name_and_version(image: str) -> tuple[str, str, str]:
    name, at, digest = image.partition("@")
    if at:
        return name, "", digest
    head, colon, tag = image.rpartition(":")
    return (head, tag, "") if colon and "/" not in tag else (image, "", "")


def merge_patch(manifest: Manifest, field: FieldPath, live: Value) -> str:
    """Write a strategic merge patch that says one field; elements of lists by their keys."""
    patch: JsonValue = None if isinstance(live, Missing) else live
    for step in reversed(field):
        match step:
            case str():
                patch = {step: patch}
            case Element(keys) if isinstance(patch, dict):
                patch = [{**{name: value for name, value in keys if name}, **patch}]
            case _:
                patch = [patch]
    head = {"apiVersion": manifest.api_version, "kind": manifest.key.kind, "metadata": {"name": manifest.key.name}}
    return write(_merged(head, patch if isinstance(patch, dict) else {})).decode()


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, JsonValue]:
    both = {**one, **other}
    if isinstance(one.get("metadata"), dict) and isinstance(other.get("metadata"), dict):
        both["metadata"] = {**one["metadata"], **other["metadata"]}
    return both


def json_patch(pointer: str, value: Value, live: Value) -> str:
    """Write a JSON patch (RFC 6902) of one field."""
    operation = "remove" if isinstance(live, Missing) else "add" if isinstance(value, Missing) else "replace"
    said: dict[str, JsonValue] = {"op": operation, "path": pointer}
    return write([said if isinstance(live, Missing) else {**said, "value": live}]).decode()
