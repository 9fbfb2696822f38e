"""Image names, tags and digests (api/filters/imagetag and api/internal/image at v0.18.0)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from controller.model import Stalled
from controller.render.kustomize.configuration import Specs
from controller.render.kustomize.edits import Edit
from controller.render.kustomize.names import set_plain
from controller.render.kustomize.nodes import is_null, is_scalar, text_of
from controller.render.kustomize.paths import FieldsByKind, visit
from controller.render.kustomize.resource import Resource
from controller.render.kustomize.resources import Idle
from controller.render.kustomize.selecting import compile_go

_CONTAINERS: Final = ("containers", "initContainers")


def setting_image(image: Mapping[str, Any], specs: Specs) -> Edit:
    """Change an image wherever containers name it, at any depth of any kind but CustomResourceDefinition.

    Warns where none does.
    """
    pattern = _pattern(image["name"])
    known: dict[str, str | None] = {}  # the reference that comes in the place of one; None: it is another image

    def reference(text: str) -> str | None:
        return changed(text, image) if pattern.search(text) else None

    def set_one(container: Any, key: Any) -> None:
        value = container[key]
        if is_null(value):
            return
        if not is_scalar(value):
            raise Stalled(f"{key}: a mapping or a list, where an image is wanted")
        text = text_of(value)
        if text not in known:
            known[text] = reference(text)
        new = known[text]
        if new is not None:
            set_plain(container, key, new)

    fields = FieldsByKind(specs)

    def change(one: Resource) -> None:
        if one.kind == "CustomResourceDefinition":
            return
        for containers in _container_lists(one.value):
            _set_in(containers, set_one)
        for spec in fields.of(one.gvk):
            visit(one.value, spec, set_one)

    def end() -> Sequence[str]:
        is_found = any(new is not None for new in known.values())
        return () if is_found else (Idle(f"no container runs the image {image['name']}"),)

    return Edit(change, end)


@lru_cache(maxsize=256)
def _pattern(name: str) -> re.Pattern[str]:
    return compile_go(f"^{name}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$")


def _container_lists(value: dict[str, Any]) -> Iterator[list[Any]]:
    """Find the lists of containers at any depth."""
    waiting: list[Any] = [value]
    for one in waiting:
        if one.__class__ is dict:
            for below in one.values():
                kind = below.__class__
                if kind is dict or kind is list:
                    waiting.append(below)
            for name in _CONTAINERS:
                if name in one and one[name].__class__ is list:
                    yield one[name]
        else:
            waiting.extend(below for below in one if below.__class__ is dict or below.__class__ is list)


def _set_in(containers: list[Any], set_one: Any) -> None:
    for one in containers:
        if isinstance(one, dict):
            if "image" in one:
                set_one(one, "image")
        elif not is_null(one):
            raise Stalled("a container is no mapping")


def changed(text: str, image: Mapping[str, Any]) -> str:
    """Give an image's new reference: a new tag drops the digest and the other way round, unless both are given."""
    name, tag, digest = split(text)
    name = image["newName"] or name
    if image["newTag"] and image["digest"]:
        tag, digest = image["newTag"], image["digest"]
    elif image["newTag"]:
        tag, digest = image["newTag"], ""
    elif image["digest"]:
        tag, digest = "", image["digest"]
    elif image["tagSuffix"]:
        tag, digest = tag + image["tagSuffix"], ""
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def split(text: str) -> tuple[str, str, str]:
    """Split a reference into name, tag and digest; a port of the registry is no tag."""
    slash = max(text.find("/"), 0)
    search = text[slash:] if slash else text
    at, colon = search.find("@"), search.find(":")
    if at < 0 and colon < 0:
        return text, "", ""
    if at >= 0 and (colon < 0 or at < colon):
        return text[: slash + at], "", text[slash + at :].removeprefix("@")
    if at >= 0:
        name, tag = text[: slash + colon], text[slash + colon : slash + at]
        return name, tag.removeprefix(":"), text[slash + at :].removeprefix("@")
    return text[: slash + colon], text[slash + colon :].removeprefix(":"), ""
