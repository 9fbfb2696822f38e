"""An overlay's kustomization: which images and replica counts it says, and how to say others. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controller.documents import DELETE, Dialect, edit, read
from controller.model import EntryKind, Invalid, Position, Problem, Stalled, Tree

NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
NEW: Final = b"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
Changes = dict[tuple[str | int, ...], Any]


@dataclass(frozen=True, slots=True)
class Image:
    """An entry of `images`, as kustomize has it: of tag and digest one, and perhaps another name."""

    name: str
    new_name: str = ""
    new_tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        what = f"{self.new_name}@{self.digest}" if self.digest and self.new_name else self.digest
        return what or (f"{self.new_name}:{self.new_tag}" if self.new_name else self.new_tag)


def parse_image(text: str) -> Image:
    """Read NAME=TAG, NAME=NEWNAME:TAG, NAME=NEWNAME@DIGEST or NAME=sha256:…, as `kustomize edit set image` does."""
    name, is_given, value = text.partition("=")
    if not name or not is_given or not value:
        raise Stalled(f"{text!r} is no image. Write NAME=TAG, NAME=NEWNAME:TAG or NAME=sha256:…")
    if value.startswith("sha256:"):
        return Image(name, digest=value)
    new_name, at, digest = value.partition("@")
    if at:
        return Image(name, new_name, digest=digest)
    head, colon, tag = value.rpartition(":")
    if colon and "/" not in tag:
        return Image(name, head, new_tag=tag)
    if "/" in value:
        raise Stalled(f"{text!r} has no tag. Write NAME=NEWNAME:TAG")
    return Image(name, new_tag=value)


def overlay_path(tree: Tree, folder: str) -> str:
    """Give the kustomization file of an overlay folder, or where it belongs."""
    paths = [f"{folder}/{name}" for name in NAMES]
    return next((path for path in paths if tree.kind(path) is EntryKind.FILE), paths[0])


def overlay(tree: Tree, path: str) -> tuple[bytes, Mapping[str, Any]]:
    """Read an overlay; a new one where there is none. Raises Invalid."""
    data = tree.read(path) if tree.kind(path) is EntryKind.FILE else NEW
    documents = read(data, path=path, dialect=Dialect.KUSTOMIZE)
    value = documents[0].value if documents else None
    if not isinstance(value, dict):
        raise Invalid([Problem(Position(path, 1), "is no kustomization", advice="Write one, or take the file away.")])
    if len(documents) > 1:
        what = "the file has a second document, and a kustomization is one"
        raise Invalid([Problem(Position(path, documents[1].line), what, advice="Give it a file of its own.")])
    return data, value


def images_of(value: Mapping[str, Any]) -> tuple[Image, ...]:
    return tuple(
        Image(str(one["name"]), _text(one, "newName"), _text(one, "newTag"), _text(one, "digest"))
        for one in value.get("images") or ()
        if isinstance(one, dict) and "name" in one
    )


def with_images(tree: Tree, folder: str, images: Sequence[Image]) -> Mapping[str, bytes]:
    """Give the overlay's file with these images said in it. An entry's own name stays unless another is given."""
    path = overlay_path(tree, folder)
    data, value = overlay(tree, path)
    known = list(images_of(value))
    for image in images:
        number = _find(known, image.name)
        if number == len(known):
            known.append(image)
            data = edit(data, {("images", number): _entry(image)}, path=path)
        else:
            data = edit(data, _changes(number, known[number], image), path=path)
    return {path: data}


def with_replicas(tree: Tree, folder: str, name: str, count: int) -> Mapping[str, bytes]:
    """Give the overlay's file with a count said in it."""
    path = overlay_path(tree, folder)
    data, value = overlay(tree, path)
    known = [one.get("name") for one in value.get("replicas") or () if isinstance(one, dict)]
    if name in known:
        return {path: edit(data, {("replicas", known.index(name), "count"): count}, path=path)}
    return {path: edit(data, {("replicas", len(known)): {"name": name, "count": count}}, path=path)}


def _find(known: Sequence[Image], name: str) -> int:
    """Find an entry by its name, or by the end of it (`web` for `example.com/shop/web`) where one alone fits."""
    exact = [number for number, one in enumerate(known) if one.name == name]
    near = [number for number, one in enumerate(known) if one.name.endswith(f"/{name}")]
    if exact:
        return exact[0]
    return near[0] if len(near) == 1 else len(known)


def _entry(image: Image) -> dict[str, str]:
    fields = {"name": image.name, "newName": image.new_name, "newTag": image.new_tag, "digest": image.digest}
    return {name: value for name, value in fields.items() if value}


def _changes(number: int, before: Image, image: Image) -> Changes:
    at = ("images", number)
    changes: Changes = {}
    if image.new_name and image.new_name != before.new_name:
        changes[(*at, "newName")] = image.new_name
    for field, old, new in (("newTag", before.new_tag, image.new_tag), ("digest", before.digest, image.digest)):
        if new and new != old:
            changes[(*at, field)] = new
    for field, old, new in (("newTag", before.new_tag, image.new_tag), ("digest", before.digest, image.digest)):
        if old and not new:
            changes[(*at, field)] = DELETE
    return changes


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    return "" if value is None else str(value)
