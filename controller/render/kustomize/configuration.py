"""Which fields each transform touches: kustomize's own list, and what `configurations` and `crds` add to it.

Source: api/internal/plugins/builtinconfig at v0.18.0; `data/field_specs.json` is its list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from controller.model import Stalled
from controller.render.kustomize.decoding import decode
from controller.render.kustomize.fields import TRANSFORMER_CONFIG
from controller.render.kustomize.identity import Gvk
from controller.render.kustomize.ordering import LEGACY_FIRST, LEGACY_LAST
from controller.render.kustomize.paths import FieldSpec

Specs = tuple[FieldSpec, ...]
_SLICES: Final = tuple(name for name in TRANSFORMER_CONFIG.fields if name != "nameReference")


@dataclass(frozen=True, slots=True)
class NameReference:
    """A kind, and the fields of other kinds that hold the name of one of its objects."""

    target: Gvk
    referrers: Specs


@dataclass(frozen=True, slots=True, eq=False)  # one is equal to itself alone, so that what is made of it can be kept
class Configuration:
    """Field specs by the transform that they are for."""

    specs: Mapping[str, Specs]
    references: tuple[NameReference, ...]

    def of(self, name: str) -> Specs:
        return self.specs.get(name, ())

    def merged(self, other: Configuration) -> Configuration:
        if other is self or (not other.references and not any(other.specs.values())):
            return self
        if not self.references and not any(self.specs.values()):
            return other
        specs = {name: _sorted(merge_specs(self.of(name), other.of(name))) for name in _SLICES}
        return Configuration(specs, _merge_references(self.references, other.references))


EMPTY: Final = Configuration({}, ())


@cache
def default_configuration() -> Configuration:
    data = resources.files("controller.render").joinpath("data/field_specs.json").read_bytes()
    return configuration_of(json.loads(data))


def configuration_of(value: Any) -> Configuration:
    """Decode a file of `configurations`. Raises Stalled for unknown fields."""
    fields = decode(TRANSFORMER_CONFIG, value, strict=True, lenient=True)
    references = tuple(
        NameReference(Gvk(one["group"], one["version"], one["kind"]), specs_of(one["fieldSpecs"]))
        for one in fields["nameReference"]
    )
    specs = {name: _sorted(specs_of(fields[name])) for name in _SLICES}
    return Configuration(specs, tuple(sorted(references, key=lambda one: _rank(one.target))))


def specs_of(fields: list[dict[str, Any]]) -> Specs:
    """Make field specs of decoded ones."""
    return tuple(
        FieldSpec(Gvk(one["group"], one["version"], one["kind"]), one["path"], one["create"]) for one in fields
    )


def merge_specs(mine: Specs, theirs: Specs) -> Specs:
    """Add specs that are not there. Raises Stalled where they disagree on making the field."""
    if not mine or mine == theirs:
        return mine or theirs
    found = list(mine)
    for one in theirs:
        same = next((each for each in found if each.path == one.path and each.gvk.is_selected(one.gvk)), None)
        if same is None:
            found.append(one)
        elif same.create != one.create:
            raise Stalled(f"the field {one.path} of {one.gvk} is to be made where it is missing, and is not")
    return tuple(found)


def _merge_references(mine: tuple[NameReference, ...], theirs: tuple[NameReference, ...]) -> tuple[NameReference, ...]:
    if mine == theirs:
        return mine
    found = list(mine)
    for one in theirs:
        at = next((number for number, each in enumerate(found) if each.target == one.target), None)
        if at is None:
            found.append(one)
        else:
            found[at] = NameReference(one.target, merge_specs(found[at].referrers, one.referrers))
    return tuple(sorted(found, key=lambda one: _rank(one.target)))


def _sorted(specs: Specs) -> Specs:
    return tuple(sorted(specs, key=lambda one: _rank(one.gvk)))


def _rank(gvk: Gvk) -> tuple[int, str]:
    if gvk.kind in LEGACY_FIRST:
        place = LEGACY_FIRST.index(gvk.kind) - len(LEGACY_FIRST)
    else:
        place = LEGACY_LAST.index(gvk.kind) + 1 if gvk.kind in LEGACY_LAST else 0
    return (place, f"{gvk.group or '~G'}_{gvk.version or '~V'}_{gvk.kind or '~K'}")
