"""Patches of a kustomize component: by its properties, as Flux takes them, and by the traits of KubeVela's Flux addon.

The traits add to `spec.patches` of Flux's Kustomization, which adds them to the kustomization's own `patches`; the
properties are called as the fields of a kustomization that they are added to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from controller.documents import canonical
from controller.model import FieldPath, JsonValue
from controller.render.oam.application import Component
from controller.render.oam.reporting import Report
from controller.render.oam.schema import TEXT, AnyMapping, Anything, Fields, Items, Kind, OneOf, fields, named

_PATCHES, _MERGES, _OPERATIONS = "patches", "patchesStrategicMerge", "patchesJson6902"


@dataclass(frozen=True, slots=True)
class Patch:
    """One entry of a list in a kustomization: `entry` is written as it is there."""

    into: str  # the name of the list
    entry: JsonValue
    at: FieldPath = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class _TextOr:
    """A patch, which is text as kustomize takes it, or written out."""

    written: Kind

    def check(self, value: Any, path: FieldPath, report: Report) -> Any:
        if isinstance(value, str):
            return value
        if isinstance(value, dict | list):
            return self.written.check(value, path, report)
        report.wrong(path, f"{named(value)}, and must be a patch")
        return ""

    def missing(self, path: FieldPath, report: Report) -> Any:
        return TEXT.missing(path, report)


_SELECTOR: Final = fields(
    {
        f"{name}?": TEXT
        for name in ("group", "version", "kind", "namespace", "name", "annotationSelector", "labelSelector")
    },
    closed=True,
)
_OPERATION: Final = fields(
    {
        "op": OneOf(("add", "remove", "replace", "move", "copy", "test")),
        "path": TEXT,
        "from?": TEXT,
        "value?": Anything(),
    },
    closed=True,
)
_OPERATION_LIST: Final = Items(_OPERATION)
_TARGETED: Final = fields({"patch": TEXT, "target": _SELECTOR}, closed=True)

OWN_PATCHES: Final[Mapping[str, Kind]] = {
    _PATCHES: Items(fields({"patch": TEXT, "target?": _SELECTOR}, closed=True)),
    _MERGES: Items(_TextOr(AnyMapping())),
    _OPERATIONS: Items(fields({"patch": _TextOr(_OPERATION_LIST), "target": _SELECTOR}, closed=True)),
}
_JSON: Final = fields({"patch": _OPERATION_LIST, "target": _SELECTOR}, closed=True)
PATCH_TRAITS: Final[Mapping[str, Fields]] = {
    "kustomize-patch": fields({"patches": Items(_TARGETED)}),
    "kustomize-json-patch": fields({"patchesJson": Items(_JSON)}),
    "kustomize-strategy-merge": fields({"patchesStrategicMerge": Items(AnyMapping())}),
}


def patches_of(component: Component, spec: Mapping[str, Any], report: Report) -> tuple[Patch, ...]:
    """Give the patches of a kustomize component, whose properties are checked, in the order they come in."""
    found = [*_own(spec, (*component.path, "properties"))]
    for trait in component.traits:
        kind = PATCH_TRAITS.get(trait.type)
        if kind is not None:
            path = (*trait.path, "properties")
            (name,) = kind.required
            entries = kind.check(trait.properties, path, report)[name]
            if not entries:
                report.wrong(trait.path, f"{name}: there is none", "Write a patch, or take the trait out.")
            found += _of_trait(entries, (*path, name))
    return tuple(found)


def _own(spec: Mapping[str, Any], path: FieldPath) -> Iterator[Patch]:
    for name in OWN_PATCHES:
        for number, one in enumerate(spec[name]):
            entry = _text(one) if name == _MERGES else {**one, "patch": _text(one["patch"])}
            yield Patch(name, entry, (*path, name, number))


def _of_trait(entries: list[Any], path: FieldPath) -> Iterator[Patch]:
    for number, one in enumerate(entries):
        is_targeted = path[-1] != _MERGES
        entry = {**one, "patch": _text(one["patch"])} if is_targeted else {"patch": _text(one)}
        yield Patch(_PATCHES, entry, (*path, number))


def _text(patch: Any) -> str:
    return patch if isinstance(patch, str) else canonical(patch).decode()
