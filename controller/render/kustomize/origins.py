"""`buildMetadata`: annotations that say where a resource came from and what changed it (api/resource/origin.go)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, replace

from controller.documents import write
from controller.model import JsonValue
from controller.render.kustomize.resource import ORIGIN, TRANSFORMATIONS, Resource

ORIGINS, TRANSFORMERS, MANAGED_BY = "originAnnotations", "transformerAnnotations", "managedByLabel"


@dataclass(frozen=True, slots=True)
class Origin:
    """A path from the build's root, or what configured a generator or transformer, and where."""

    path: str = ""
    configured_in: str = ""
    api_version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""

    def below(self, path: str) -> Origin:
        return replace(self, path=posixpath.normpath(posixpath.join(self.path, path)))

    def configured(self, file: str, kind: str, api_version: str = "builtin") -> Origin:
        """Give the origin of what a kustomization's own field makes or does."""
        return Origin(
            configured_in=posixpath.normpath(posixpath.join(self.path, file)), api_version=api_version, kind=kind
        )

    def as_value(self) -> JsonValue:
        by = {"apiVersion": self.api_version, "kind": self.kind, "name": self.name, "namespace": self.namespace}
        configured_by: JsonValue = {key: text for key, text in by.items() if text}
        found: dict[str, JsonValue] = {
            "path": self.path,
            "configuredIn": self.configured_in,
            "configuredBy": configured_by,
        }
        return {key: value for key, value in found.items() if value}

    @property
    def text(self) -> str:
        return write(self.as_value()).decode()


def set_origin(items: Iterable[Resource], origin: Origin | None) -> None:
    """Say where resources came from, but of those that know already."""
    if origin is None:
        return
    for one in items:
        if ORIGIN not in one.annotations:
            one.set_annotations({**one.annotations, ORIGIN: origin.text})


def note_origin(items: Iterable[Resource], origin: Origin) -> None:
    """Say where the resources of a file came from, leaving their other annotations as they were written."""
    for one in items:
        metadata = one.metadata()
        annotations = metadata.get("annotations")
        if not isinstance(annotations, dict):
            annotations = metadata["annotations"] = {}
        annotations[ORIGIN] = origin.text


def add_transformation(items: Iterable[Resource], origin: Origin) -> None:
    """Note a transformation. What has no origin was made by it, as far as can be known."""
    for one in items:
        annotations = one.annotations
        if ORIGIN not in annotations:
            one.set_annotations({**annotations, ORIGIN: origin.text})
        else:
            entry = write([origin.as_value()]).decode()
            one.set_annotations({**annotations, TRANSFORMATIONS: annotations.get(TRANSFORMATIONS, "") + entry})


def origin_from(one: Resource) -> Origin | None:
    """Give the origin of what a plug-in's configuration file makes or does."""
    text = one.annotations.get(ORIGIN)
    if text is None:
        return None
    path = text.removeprefix("path: ").partition("\n")[0]
    return Origin(
        configured_in=path, api_version=one.api_version, kind=one.kind, name=one.name, namespace=one.namespace
    )
