"""Builds: from a directory to kustomize's own bytes, and from base and overlays to drafts of Manifests."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Any, Final

from controller.documents import Memory, canonical, write_as_kustomize
from controller.model import EntryKind, Invalid, Origin, Position, Problem, Stalled, Tree
from controller.render.kustomize.edits import edit_all
from controller.render.kustomize.finishing import finish_build
from controller.render.kustomize.kustomization import Additions, Kustomization, load_kustomization
from controller.render.kustomize.loading import Loader
from controller.render.kustomize.metadata import METADATA_LABELS, setting_texts
from controller.render.kustomize.nodes import to_json
from controller.render.kustomize.ordering import sort_as_asked, sort_legacy
from controller.render.kustomize.origins import MANAGED_BY, ORIGINS, TRANSFORMERS
from controller.render.kustomize.origins import Origin as BuildOrigin
from controller.render.kustomize.resource import BUILD_ANNOTATIONS, ORIGIN, TRANSFORMATIONS, Resource
from controller.render.kustomize.resources import Resources
from controller.render.kustomize.target import Accumulated, Build, Target, add_directory
from controller.render.merge_keys import MergeTable, builtin_table, table_of_swagger
from controller.render.parameters import Substitution
from controller.render.plain import holds_kustomization, manifest_files
from controller.render.request import Draft
from controller.render.tracking import TrackedTree
from controller.render.uninterrupted import uninterrupted

# kubectl's copy of kustomize knows no version of its own, and says so.
_MANAGED_BY = {"app.kubernetes.io/managed-by": "kustomize-(devel)"}

_BUILD_METADATA: Final = {ORIGINS: ORIGIN, TRANSFORMERS: TRANSFORMATIONS}


class Order(StrEnum):
    """The order of the output, where the kustomization does not say."""

    LEGACY = "legacy"
    FIFO = "fifo"


def build(tree: Tree, path: str, *, order: Order = Order.LEGACY) -> bytes:
    """Build one kustomization. Gives the bytes that `kubectl kustomize` prints.

    Raises Invalid or Stalled where it refuses.
    """
    tracked = tree if isinstance(tree, TrackedTree) else TrackedTree(tree)
    with uninterrupted():
        return _written(build_resources(tracked, path, order=order))


def _written(items: Resources) -> bytes:
    return b"---\n".join(write_as_kustomize(one.value, to_json) for one in items)


def build_resources(
    tree: TrackedTree, path: str, *, order: Order = Order.LEGACY, parameters: Substitution | None = None
) -> Resources:
    """Build one kustomization into resources."""
    if tree.kind(path) is not EntryKind.DIRECTORY:
        raise Stalled(f"{path}: there is no such directory")
    loader = Loader(tree, path, parameters or Substitution({}))
    kustomization = load_kustomization(loader)
    shared = _shared(loader, kustomization)
    gathered = Accumulated()
    Target(shared, loader, kustomization, BuildOrigin()).accumulate(gathered)
    return _finished(gathered, kustomization, order)


def _shared(loader: Loader, kustomization: Kustomization) -> Build:
    schemas = _Schemas()
    shared = Build(builtin_table(), bool(kustomization.fields["buildMetadata"]), set_schema=schemas)
    table = schemas(shared, loader, kustomization)
    if table is not None:
        shared.table = table
    return shared


class _Schemas:
    """The OpenAPI schema of a build: the first kustomization that names one decides for all."""

    def __init__(self) -> None:
        self._is_set = False

    def __call__(self, shared: Build, loader: Loader, kustomization: Kustomization) -> MergeTable | None:
        openapi = kustomization.fields["openapi"]
        path, version = openapi.get("path"), openapi.get("version")
        data: Any = None
        if path is not None:
            place = loader.place(path)
            data = loader.config(loader.tree.read(place), place)
        if self._is_set or (path is None and not version):
            return None
        if path is not None and version is not None:
            raise Stalled(f"{kustomization.path}: openapi: a version and a path of its own. Keep one.")
        self._is_set = True
        if path is None:
            if version != "v1.21.2":
                raise Stalled(f"{kustomization.path}: openapi: version {version} is not built in; v1.21.2 is")
            return None
        definitions = data.get("definitions") if isinstance(data, dict) else None
        own = table_of_swagger(definitions if isinstance(definitions, dict) else {})
        return _with_builtin(own, shared)


def _with_builtin(own: MergeTable, shared: Build) -> MergeTable:
    """Add the built-in schema where kustomize has it already, by accident of what it met before (initSchema)."""
    builtin = builtin_table()
    if shared.has_merged:
        return MergeTable({**builtin.kinds, **own.kinds}, {**builtin.types, **own.types})
    if shared.has_unknown_kinds:
        return MergeTable({**own.kinds, **builtin.kinds}, {**own.types, **builtin.types})
    return own


def _finished(gathered: Accumulated, kustomization: Kustomization, order: Order) -> Resources:
    finish_build(gathered, kustomization.path)
    items, fields = gathered.items, kustomization.fields
    _sort(items, fields["sortOptions"], order, kustomization.path)
    metadata = fields["buildMetadata"]
    if MANAGED_BY in metadata:
        edit_all(items, setting_texts(_MANAGED_BY, (METADATA_LABELS,)))
    kept = {annotation for option, annotation in _BUILD_METADATA.items() if option in metadata}
    _remove_notes(items, kept)
    return items


def _remove_notes(items: Resources, kept: AbstractSet[str] = frozenset()) -> None:
    """Remove the annotations that only the build needs, and those that nobody asked for in `buildMetadata`."""
    names = BUILD_ANNOTATIONS | (set(_BUILD_METADATA.values()) - kept)
    for one in items:
        if one.has_annotations or len(kept) < len(_BUILD_METADATA):  # else blank annotations stay as they are written
            one.remove_annotations(names)


def _sort(items: Resources, options: Any, order: Order, place: str) -> None:
    if options is not None:
        try:
            items.replace_all(sort_as_asked(items.items, options))
        except Stalled as error:
            raise Invalid([Problem(Position(place), str(error))]) from error
    elif order is Order.LEGACY:
        items.replace_all(sort_legacy(items.items))


def drafts_of(
    application: TrackedTree,
    path: str,
    platform: TrackedTree,
    overlays: Sequence[str],
    parameters: Substitution,
    *,
    made: Mapping[str, Sequence[Draft]] | None = None,
    additions: Additions | None = None,
) -> tuple[list[Draft], tuple[Problem, ...], frozenset[Problem]]:
    """Build a base and the overlay Components as one kustomization: the base's own order and metadata options hold.

    `made` are objects that another program made, by the folder that they are in the place of; `additions` go into the
    base's own kustomization. Gives the drafts, warnings, and which of these are of entries that change nothing.
    """
    shared = Build(builtin_table(), set_schema=_Schemas())
    gathered = Accumulated()
    is_directory = application.kind(path) is EntryKind.DIRECTORY
    made = made or {}
    if path in made:
        _add_made(gathered, application, path, made[path])
    elif is_directory and (additions is not None or holds_kustomization(application, path)):
        loader = Loader(application, path, parameters)
        add_directory(shared, gathered, loader, BuildOrigin(), is_component=False, additions=additions)
    else:
        _add_plain(shared, gathered, application, path, parameters, made)
    for overlay in overlays:
        loader = Loader(platform, overlay, parameters)
        add_directory(shared, gathered, loader, BuildOrigin(overlay), is_component=True)
    finish_build(gathered, overlays[-1] if overlays else path)
    gathered.items.replace_all(sort_legacy(gathered.items.items))
    _remove_notes(gathered.items)
    return [_draft(one, application) for one in gathered.items], tuple(shared.warnings), frozenset(shared.idle)


def _add_plain(
    shared: Build,
    gathered: Accumulated,
    tree: TrackedTree,
    path: str,
    parameters: Substitution,
    made: Mapping[str, Sequence[Draft]],
) -> None:
    """Add plain YAML as a kustomization's resources, and directories with a kustomization or a chart amid it."""
    is_directory = tree.kind(path) is EntryKind.DIRECTORY
    loader = Loader(tree, path if is_directory else posixpath.dirname(path), parameters)
    for name in manifest_files(tree, path):
        if name in made:
            _add_made(gathered, tree, name, made[name])
            continue
        if tree.kind(name) is EntryKind.DIRECTORY:
            add_directory(shared, gathered, Loader(tree, name, parameters), BuildOrigin(), is_component=False)
            continue
        gathered.items.extend(one for one in loader.parse(tree.read(name), name) if not _is_for_a_tool(one))


def _add_made(gathered: Accumulated, tree: TrackedTree, path: str, base: Sequence[Draft]) -> None:
    """Add objects that were made elsewhere, each with its own origin. JSON reads alike in every dialect.

    Nothing of them is remembered: they may hold what was decrypted for those who made them.
    """
    loader = Loader(tree, path, Substitution({}), memory=Memory(0))
    for draft in base:
        for one in loader.parse(canonical(draft.value), draft.origin.path):
            one.source, one.index, one.item = draft.origin, draft.index, draft.item
            gathered.items.extend([one])


def _is_for_a_tool(one: Resource) -> bool:
    return one.api_version.startswith(("converge/", "kustomize.config.k8s.io/"))


def _draft(one: Resource, tree: TrackedTree) -> Draft:
    origin = one.source or Origin(tree.repository, "", 0, tree.commit)
    return Draft(to_json(one.value), origin, one.index, one.item)
