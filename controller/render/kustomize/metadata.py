"""Labels and annotations, set wherever the field specs lead (api/filters/labels and annotations at v0.18.0)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from controller.model import Stalled
from controller.render.kustomize.configuration import Configuration, Specs, merge_specs, specs_of
from controller.render.kustomize.edits import UNCHANGED, Edit
from controller.render.kustomize.identity import Gvk
from controller.render.kustomize.nodes import MISSING, Cell, as_key, is_null, restyled, styled, text_of
from controller.render.kustomize.paths import FieldsByKind, FieldSpec, visit
from controller.render.kustomize.resource import Resource

METADATA_LABELS: Final = FieldSpec(Gvk(), "metadata/labels", create=True)


def setting_texts(texts: Mapping[str, str], specs: Specs) -> Edit:
    """Set every text in every field that a spec leads to; the fields are made where a spec says so.

    A text that is new in several fields of one resource is one node there: a later patch of one changes all.
    """
    if not texts:
        return UNCHANGED
    styled_texts = [(key, styled(texts[key])) for key in sorted(texts)]
    fields = FieldsByKind(specs)

    def change(one: Resource) -> None:
        mine = fields.of(one.gvk)
        for key, text in styled_texts:
            setter = _Setter(key, text)
            for spec in mine:
                visit(one.value, spec, setter, dict)

    return Edit(change)


class _Setter:
    """Sets one text in the mappings of one resource that it is called for."""

    def __init__(self, key: str, text: str) -> None:
        self._key = key
        self._value = text
        self._first: dict[str, Any] | None = None
        self._cell: Cell | None = None

    def __call__(self, container: Any, place: Any) -> None:
        fields = container[place]
        if is_null(fields):
            return
        if not isinstance(fields, dict):
            raise Stalled(f"{self._key} can't be set in {text_of(fields)!r}, which is no mapping")
        old = fields.get(self._key, MISSING)
        if old is MISSING:
            self._add(fields)
        elif old.__class__ is Cell:
            old.value = restyled(old, self._value)
        else:
            fields[self._key] = restyled(old, self._value)

    def _add(self, fields: dict[str, Any]) -> None:
        if self._first is None:
            self._first = fields
            fields[as_key(self._key)] = self._value
            return
        if self._cell is None:
            self._cell = Cell(self._first[self._key])
            self._first[self._key] = self._cell
        fields[as_key(self._key)] = self._cell


def label_specs(label: Mapping[str, Any], configuration: Configuration) -> Specs:
    """Say where an entry of `labels` goes: to metadata, to templates and selectors where it asks for them."""
    specs = merge_specs(specs_of(label["fields"]), configuration.of("labels"))
    if label["includeSelectors"]:
        return merge_specs(specs, configuration.of("commonLabels"))
    if label["includeTemplates"]:
        specs = merge_specs(specs, configuration.of("templateLabels"))
    return merge_specs(specs, (METADATA_LABELS,))
