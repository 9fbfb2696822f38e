"""A kustomization file, read and checked (api/types/kustomization.go at v0.18.0)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any, Final

from controller.documents import Dialect, read_with_positions
from controller.model import EntryKind, FieldPath, Invalid, JsonValue, Position, Problem, Stalled, parse_path
from controller.render.kustomize.decoding import decode
from controller.render.kustomize.fields import KUSTOMIZATION
from controller.render.kustomize.loading import Loader
from controller.render.plain import KUSTOMIZATION_NAMES, joined, manifest_files

KIND: Final = "Kustomization"
COMPONENT: Final = "Component"
_YAML: Final = (".yaml", ".yml")  # what Flux takes
_VERSIONS: Final = {KIND: "kustomize.config.k8s.io/v1beta1", COMPONENT: "kustomize.config.k8s.io/v1alpha1"}


@dataclass(frozen=True, slots=True)
class Kustomization:
    """The decoded fields, and the file that they stand in."""

    fields: dict[str, Any]
    path: str  # in the tree
    name: str  # of the file; "" where there is none, and `path` is its directory
    places: Mapping[FieldPath, Position] = field(default_factory=dict)  # of the entries that stand elsewhere

    @property
    def is_component(self) -> bool:
        return bool(self.fields["kind"] == COMPONENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Additions:
    """What somebody else adds to a kustomization, behind its own entries: lists by field, each entry with its place.

    `namespace` takes the place of the kustomization's own. It is what Flux does with the patches and the
    targetNamespace of its Kustomization (its package kustomize, generator), and so is making one where a directory has
    none, out of the files in and below it; `without` are those that it leaves out.
    """

    namespace: str = ""
    without: frozenset[str] = frozenset()
    entries: Mapping[str, Sequence[tuple[JsonValue, Position]]] = field(default_factory=dict)

    def to(self, kustomization: Kustomization) -> Kustomization:
        """Give the kustomization with them. Raises Stalled for an entry that is none."""
        fields, places = dict(kustomization.fields), dict[FieldPath, Position]()
        if self.namespace:
            fields["namespace"] = self.namespace
        for name, entries in self.entries.items():
            own = fields[name]
            fields[name] = [*own, *decode(KUSTOMIZATION, {name: [entry for entry, _ in entries]}, strict=True)[name]]
            places |= {(name, number): where for number, (_, where) in enumerate(entries, start=len(own))}
            if entries and not own:
                places[(name,)] = entries[0][1]  # where a field is told of as a whole
        return replace(kustomization, fields=fields, places=places)


def plain_kustomization(loader: Loader, without: AbstractSet[str]) -> Kustomization:
    """Make the kustomization of a directory that has none: every YAML file, and directories that have one of theirs."""
    found = [
        one[len(loader.root) :].lstrip("/")
        for one in manifest_files(loader.tree, loader.root)
        if one not in without and (loader.tree.kind(one) is EntryKind.DIRECTORY or one.endswith(_YAML))
    ]
    fields = decode(KUSTOMIZATION, {"resources": found}, strict=True)
    return Kustomization({**fields, "kind": KIND, "apiVersion": _VERSIONS[KIND]}, loader.root or ".", "")


def load_kustomization(loader: Loader) -> Kustomization:
    """Read the one kustomization file of a directory. Raises Invalid for a wrong one, Stalled for none or several."""
    kinds = {name: loader.tree.kind(joined(loader.root, name)) for name in KUSTOMIZATION_NAMES}
    found = [name for name, kind in kinds.items() if kind is EntryKind.FILE]
    if not found:
        names = ", ".join(KUSTOMIZATION_NAMES)
        raise Stalled(f"{loader.root or '.'}: there is no kustomization file ({names})")
    if len(found) > 1:
        raise Stalled(f"{loader.root or '.'}: several kustomization files ({', '.join(found)}). Keep one.")
    place = loader.place(found[0])
    data = loader.tree.read(place)
    value = loader.config(data, place)
    try:
        fields = _checked(value)
    except Invalid:
        raise
    except Stalled as error:
        raise Invalid([Problem(_place_of(str(error), data, place), str(error))]) from error
    return Kustomization(fields, place, found[0])


def _place_of(text: str, data: bytes, place: str) -> Position:
    """Find the field that an error's text begins with, as far as it leads into the file."""
    try:
        field = parse_path(text.partition(":")[0])
        positions = read_with_positions(data, path=place, dialect=Dialect.KUSTOMIZE)
    except (Invalid, ValueError):
        return Position(place)
    is_there = bool(positions.roots) and positions.has(0, field[:1])
    return positions.position(0, field) if is_there else Position(place)


def entry_line(data: bytes, field: str, at: int) -> int:
    """Find the line of an entry of a top-level list without parsing; 0 where it is not written as a block.

    What is in an entry is indented deeper than its dash, whatever it is.
    """
    start = re.search(rb"^%s:[ \t]*(?:#[^\n]*)?\r?\n" % field.encode(), data, re.MULTILINE)
    first = start and re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\r?\n)*( *)-[ \r\n]").match(data, start.end())
    if not start or not first:
        return 0
    entry = re.compile(rb"^(?:%s-(?=[ \r\n])|(?=[^\s#-]|---))" % first[1], re.MULTILINE)
    for number, found in enumerate(entry.finditer(data, start.end())):
        if not found[0]:  # the next field
            return 0
        if number == at:
            return data.count(b"\n", 0, found.start()) + 1
    return 0


def _checked(value: Any) -> dict[str, Any]:
    fields: dict[str, Any] = decode(KUSTOMIZATION, value, strict=True)
    if not isinstance(value, dict) or all(_is_unset(key, one) for key, one in value.items()):
        raise Stalled("the kustomization is empty")
    kind = fields["kind"] = fields["kind"] or KIND
    if kind not in _VERSIONS:
        raise Stalled(f"kind: {kind}, where {KIND} or {COMPONENT} is wanted")
    version = fields["apiVersion"] = fields["apiVersion"] or _VERSIONS[kind]
    if version != _VERSIONS[kind]:
        raise Stalled(f"apiVersion: {version}, where a {kind} has {_VERSIONS[kind]}")
    _refuse_helm(fields)
    fields["resources"] = [*fields["resources"], *fields["bases"]]
    fields["images"] = [*fields["images"], *fields["imageTags"]]
    for args in (*fields["configMapGenerator"], *fields["secretGenerator"]):
        if args["env"]:
            args["envs"] = [*args["envs"], args["env"]]
    return fields


def _is_unset(key: str, value: Any) -> bool:
    return key.lower() in {"apiversion", "kind"} or value is None or value == "" or value is False


def _refuse_helm(fields: dict[str, Any]) -> None:
    for name in ("helmCharts", "helmChartInflationGenerator"):
        if fields[name]:
            raise Stalled(
                f"{name}: a build runs no program, nor Helm. Name the chart under `repositories` of converge.yaml, "
                "or point an application's `path` at it; what this kustomization changes of it goes into an overlay"
            )
