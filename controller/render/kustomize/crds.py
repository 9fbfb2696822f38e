"""`crds`: OpenAPI definitions whose extensions name more fields to change (accumulator/loadconfigfromcrds.go)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from controller.model import Stalled
from controller.render.kustomize.configuration import Configuration, NameReference, merge_specs
from controller.render.kustomize.identity import Gvk
from controller.render.kustomize.paths import FieldSpec

_MARKS: Final = {
    "x-kubernetes-annotation": "commonAnnotations",
    "x-kubernetes-label-selector": "commonLabels",
    "x-kubernetes-identity": "namePrefix",
}
_MAX_DEPTH: Final = 50


def configuration_of_definitions(definitions: Any) -> Configuration:
    """Find the fields that definitions mark as annotations, label selectors, names or references."""
    if not isinstance(definitions, dict):
        raise Stalled("crds: the file is no mapping of type names to definitions")
    found = _Found()
    for name, definition in definitions.items():
        properties = _properties(definition)
        if {"kind", "apiVersion", "metadata"} <= properties.keys():
            found.add_type(definitions, Gvk("", "", name.rpartition(".")[2]), name, ())
    specs = {field: tuple(values) for field, values in found.specs.items()}
    return Configuration(specs, tuple(found.references))


def _properties(definition: Any) -> Mapping[str, Any]:
    schema = definition.get("Schema") or definition.get("schema") if isinstance(definition, dict) else None
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return properties if isinstance(properties, dict) else {}


class _Found:
    def __init__(self) -> None:
        self.specs: dict[str, tuple[FieldSpec, ...]] = {}
        self.references: list[NameReference] = []

    def add_type(self, definitions: Mapping[str, Any], gvk: Gvk, name: str, path: tuple[str, ...]) -> None:
        if len(path) > _MAX_DEPTH:
            raise Stalled(f"crds: {name} refers to itself without end")
        for field, schema in _properties(definitions.get(name)).items():
            if isinstance(schema, dict):
                self._add_field(gvk, schema, (*path, field))
                reference = schema.get("$ref")
                if isinstance(reference, str):
                    self.add_type(definitions, gvk, reference, (*path, field))

    def _add_field(self, gvk: Gvk, schema: Mapping[str, Any], path: tuple[str, ...]) -> None:
        spec = FieldSpec(gvk, "/".join(path))
        for mark, field in _MARKS.items():
            if isinstance(schema.get(mark), str):
                self.specs[field] = merge_specs(self.specs.get(field, ()), (spec,))
        version, kind = schema.get("x-kubernetes-object-ref-api-version"), schema.get("x-kubernetes-object-ref-kind")
        if isinstance(version, str) and isinstance(kind, str):
            key = schema.get("x-kubernetes-object-ref-name-key")
            full = FieldSpec(gvk, "/".join((*path, key if isinstance(key, str) else "name")))
            self.references.append(NameReference(Gvk("", version, kind), (full,)))
