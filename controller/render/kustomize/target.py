"""One kustomization after another, the inner ones first (api/internal/target/kusttarget.go at v0.18.0).

resources, configurations, generators, components, transforms in a fixed order, validators, vars. What is done only
once, at the very end, is in `finishing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby

from controller.documents import Dialect, read_with_positions
from controller.model import Element, FieldPath, Invalid, Position, Problem, Stalled
from controller.model import Origin as Source
from controller.render.kustomize.configuration import (
    EMPTY,
    Configuration,
    configuration_of,
    default_configuration,
)
from controller.render.kustomize.crds import configuration_of_definitions
from controller.render.kustomize.edits import Edit
from controller.render.kustomize.generators import generate, merge_options
from controller.render.kustomize.identity import known_kinds
from controller.render.kustomize.images import setting_image
from controller.render.kustomize.kustomization import (
    Additions,
    Kustomization,
    entry_line,
    load_kustomization,
    plain_kustomization,
)
from controller.render.kustomize.loading import Loader
from controller.render.kustomize.metadata import label_specs, setting_texts
from controller.render.kustomize.names import prefixing, suffixing
from controller.render.kustomize.namespaces import namespacing
from controller.render.kustomize.nodes import to_json
from controller.render.kustomize.origins import Origin, add_transformation, note_origin, origin_from, set_origin
from controller.render.kustomize.patches import apply_json6902, apply_named, apply_patch, load_patch
from controller.render.kustomize.plugins import load_generator, load_transformer, named_patches
from controller.render.kustomize.replacements import load_replacements, replace
from controller.render.kustomize.replicas import setting_replicas
from controller.render.kustomize.resource import Resource
from controller.render.kustomize.resources import Idle, Resources
from controller.render.kustomize.variables import Variables, add_variables, note_variables
from controller.render.merge_keys import MergeTable
from controller.render.plain import holds_kustomization

Work = Edit | Callable[[], Sequence[str] | None]
Step = tuple[str, FieldPath, Work]  # what it is called, where it is written, the work
_VALIDATED_BY = "validated-by"


@dataclass(slots=True)
class Accumulated:
    """What has come together so far: resources, the fields to change, and vars."""

    items: Resources = field(default_factory=Resources)
    configuration: Configuration = EMPTY
    variables: Variables = field(default_factory=dict)

    def merge(self, other: Accumulated) -> None:
        self.items.extend(other.items)
        self.configuration = self.configuration.merged(other.configuration)
        add_variables(self.variables, list(other.variables.values()))


@dataclass(slots=True)
class Build:
    """What all kustomizations of one build share."""

    table: MergeTable
    records_origins: bool = False
    has_unknown_kinds: bool = False  # was a kind met that is not Kubernetes' own
    has_merged: bool = False  # was a patch merged: kustomize has parsed its built-in schema then
    warnings: list[Problem] = field(default_factory=list)
    idle: set[Problem] = field(default_factory=set)  # those of entries that change nothing
    set_schema: Callable[[Build, Loader, Kustomization], MergeTable | None] = lambda *_: None


class Target:
    """One kustomization of a build."""

    def __init__(self, build: Build, loader: Loader, kustomization: Kustomization, origin: Origin) -> None:
        self._build = build
        self._loader = loader
        self._kustomization = kustomization
        self._fields = kustomization.fields
        self._origin = origin
        self._place = kustomization.path

    def accumulate(self, into: Accumulated) -> None:
        """Do everything that this kustomization says, on what a component's parent has gathered or on nothing."""
        self._add_resources(into, self._fields["resources"])
        with self._errors():
            into.configuration = into.configuration.merged(self._configuration())
        self._generate(into)
        for path in self._fields["components"]:
            self._add_directory(into, path, ("components", _entry(path)), is_component=True)
        for is_edit, steps in groupby(self._transforms(into), key=lambda step: isinstance(step[2], Edit)):
            if is_edit:
                self._edit(into.items, list(steps))
                continue
            for kind, field_path, work in steps:
                with self._errors(field_path):
                    self._warn(field_path, (not isinstance(work, Edit) and work()) or ())
                into.items.drop_empty()
                self._note(into.items, kind)
        self._run_plugins(into)
        self._validate(into)
        with self._errors():
            note_variables(into.items, self._fields["vars"])
            add_variables(into.variables, self._fields["vars"])

    @contextmanager
    def _errors(self, field_path: FieldPath = ()) -> Iterator[None]:
        """Name this kustomization's file, and the line of the entry, in what goes wrong without a place of its own."""
        try:
            yield
        except Invalid:
            raise
        except Stalled as error:
            raise self._wrong(field_path, error) from error

    def _wrong(self, field_path: FieldPath, error: Stalled) -> Invalid:
        return Invalid([Problem(self._position(field_path), str(error))])

    def _edit(self, items: Resources, steps: Sequence[Step]) -> None:
        """Take every resource through several edits before the next one."""
        edits = [(kind, field_path, edit) for kind, field_path, edit in steps if isinstance(edit, Edit)]
        at: FieldPath = ()
        try:
            for one in items:
                for kind, field_path, edit in edits:
                    at = field_path
                    edit.change(one)
                    self._note((one,), kind)
            items.ids_changed()
            for _, field_path, edit in edits:
                at = field_path
                self._warn(at, edit.end())
        except Invalid:
            raise
        except Stalled as error:
            raise self._wrong(at, error) from error

    def _note(self, items: Iterable[Resource], kind: str) -> None:
        """Note what has changed these, where `buildMetadata` asks for it."""
        if self._build.records_origins:
            add_transformation(items, self._origin.configured(self._kustomization.name, kind))

    def _add_resources(self, into: Accumulated, paths: list[str], name: str = "resources") -> None:
        for path in paths:
            if not self._loader.is_file(path):
                self._add_directory(into, path, (name, _entry(path)), is_component=False)
                continue
            with self._errors((name, _entry(path))):
                found = self._loader.resources(path)
                if self._build.records_origins:
                    note_origin(found, self._origin.below(path))
                into.items.extend(found)
                known = known_kinds()
                if any((one.api_version, one.kind) not in known for one in found):
                    self._build.has_unknown_kinds = True

    def _add_directory(self, into: Accumulated, path: str, field_path: FieldPath, *, is_component: bool) -> None:
        with self._errors(field_path):
            loader = self._loader.below(path)
            add_directory(self._build, into, loader, self._origin.below(path), is_component=is_component)

    def _configuration(self) -> Configuration:
        found = default_configuration()
        for path in self._fields["configurations"]:
            place = self._loader.place(path)
            found = found.merged(configuration_of(self._loader.config(self._loader.tree.read(place), place)))
        for path in self._fields["crds"]:
            place = self._loader.place(path)
            definitions = self._loader.config(self._loader.tree.read(place), place)
            found = found.merged(configuration_of_definitions(definitions))
        return found

    def _generate(self, into: Accumulated) -> None:
        for field_name, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
            for at, args in enumerate(self._fields[field_name]):
                with self._errors((field_name, at)):
                    options = merge_options(args["options"], self._fields["generatorOptions"])
                    made = generate(self._loader, kind, args, options, self._source(field_name, at))
                    if self._build.records_origins:
                        set_origin([made], self._origin.configured(self._kustomization.name, f"{kind}Generator"))
                    into.items.absorb([made])
        for config in self._plugin_configs("generators"):
            with self._errors():
                made = load_generator(self._loader, config)
                if self._build.records_origins:
                    set_origin([made], origin_from(config))
                into.items.absorb([made])

    def _source(self, field_name: str, at: int) -> Source:
        """Say where an entry of this kustomization stands."""
        tree = self._loader.tree
        data = tree.read(self._place)
        line = entry_line(data, field_name, at) or self._position((field_name, at)).line or 1
        return Source(tree.repository, self._place, line, tree.commit)

    def _plugin_configs(self, name: str) -> Resources:
        """Read the configurations of plug-ins: as text, from files, or from kustomizations that make them."""
        found = Accumulated()
        paths = []
        for entry in self._fields[name]:
            try:
                inline = self._loader.parse_inline(entry, self._place)
            except Stalled:
                paths.append(entry)
                continue
            if self._build.records_origins:
                set_origin(inline, self._origin.below(self._kustomization.name))
            found.items.extend(inline)
        self._add_resources(found, paths, name)
        return found.items

    def _transforms(self, into: Accumulated) -> Iterator[Step]:
        """Give the transforms of the kustomization's own fields, in kustomize's order."""
        fields, items, configuration = self._fields, into.items, into.configuration
        yield from self._patches(items)
        if fields["namespace"]:
            specs = configuration.of("namespace")
            yield "NamespaceTransformer", ("namespace",), namespacing(fields["namespace"], specs)
        if fields["namePrefix"]:
            specs = configuration.of("namePrefix")
            yield "PrefixTransformer", ("namePrefix",), prefixing(fields["namePrefix"], specs)
        if fields["nameSuffix"]:
            specs = configuration.of("nameSuffix")
            yield "SuffixTransformer", ("nameSuffix",), suffixing(fields["nameSuffix"], specs)
        yield from self._metadata(configuration)
        for at, config in enumerate(fields["patchesJson6902"]):
            work = partial(apply_json6902, items, self._loader, config, self._place)
            yield "PatchJson6902Transformer", ("patchesJson6902", at), work
        for at, replica in enumerate(fields["replicas"]):
            specs = configuration.of("replicas")
            yield "ReplicaCountTransformer", ("replicas", at), setting_replicas(replica, specs)
        for at, image in enumerate(fields["images"]):
            with self._errors(("images", at)):
                edit = setting_image(image, configuration.of("images"))
            yield "ImageTagTransformer", ("images", at), edit
        if fields["replacements"]:
            yield "ReplacementTransformer", ("replacements",), partial(self._replace, items)

    def _replace(self, items: Resources) -> list[str]:
        return replace(items, load_replacements(self._loader, self._fields["replacements"]))

    def _patches(self, items: Resources) -> Iterator[Step]:
        table = self._build.table
        entries, patches = self._fields["patchesStrategicMerge"], []
        if entries or self._fields["patches"]:
            self._build.has_merged = True
        if entries:
            with self._errors(("patchesStrategicMerge",)):
                named = [one for entry in entries for one in named_patches(self._loader, entry, self._place)]
                if not named:
                    raise Stalled("patchesStrategicMerge: the patch is empty")
            yield (
                "PatchStrategicMergeTransformer",
                ("patchesStrategicMerge",),
                partial(apply_named, items, named, table),
            )
        for at, config in enumerate(self._fields["patches"]):
            with self._errors(("patches", at)):
                patches.append(load_patch(self._loader, config, self._place))
        for at, patch in enumerate(patches):
            yield "PatchTransformer", ("patches", at), partial(apply_patch, items, patch, table)

    def _metadata(self, configuration: Configuration) -> Iterator[Step]:
        fields = self._fields
        for at, label in enumerate(fields["labels"]):
            with self._errors(("labels", at)):
                specs = label_specs(label, configuration)
            yield "LabelTransformer", ("labels", at), setting_texts(label["pairs"], specs)
        for name, kind in (("commonLabels", "LabelTransformer"), ("commonAnnotations", "AnnotationsTransformer")):
            if fields[name] or (name == "commonLabels" and fields["labels"]):
                yield kind, (name,), setting_texts(fields[name], configuration.of(name))

    def _run_plugins(self, into: Accumulated) -> None:
        configs = list(self._plugin_configs("transformers"))
        with self._errors():
            transforms = [load_transformer(self._loader, one, self._build.table, self._place) for one in configs]
        for one, transform in zip(configs, transforms, strict=True):
            with self._errors():
                transform(into.items)
            into.items.drop_empty()
            origin = origin_from(one) if self._build.records_origins else None
            if origin is not None:
                add_transformation(into.items, origin)

    def _validate(self, into: Accumulated) -> None:
        """Run validators: transformers that may change nothing but a label that says so."""
        for one in self._plugin_configs("validators"):
            with self._errors():
                transform = load_transformer(self._loader, one, self._build.table, self._place)
                before = [to_json(each.value) for each in into.items]
                transform(into.items)
                after = [_without_mark(each) for each in into.items]
                if before != after:
                    raise Stalled(f"validators: {one.kind} {one.name} changed resources, which a validator may not")

    def _position(self, field_path: FieldPath) -> Position:
        """Find an entry in this kustomization's file by reading it again."""
        here = Position(self._place)
        if not field_path:
            return here
        if field_path in self._kustomization.places:
            return self._kustomization.places[field_path]
        if not self._kustomization.name:
            return here
        try:
            data = self._loader.tree.read(self._place)
            positions = read_with_positions(data, path=self._place, dialect=Dialect.KUSTOMIZE)
        except Invalid:  # a file that only the lenient reader takes
            return here
        is_there = bool(positions.roots) and positions.has(0, field_path)
        return positions.position(0, field_path) if is_there else here

    def _warn(self, field: FieldPath, texts: Sequence[str]) -> None:
        """Tell of what kustomize does in silence, with the place of the entry that does it."""
        where = self._position(field) if texts else Position(self._place)
        for text in texts:
            self._build.warnings.append(Problem(where, str(text)))
            if isinstance(text, Idle):
                self._build.idle.add(self._build.warnings[-1])


def _entry(text: str) -> Element:
    """Name an element of a list of plain values by what it is."""
    return Element((("", text),))


def _without_mark(one: Resource) -> object:
    copy = one.copy()
    labels = copy.labels
    if _VALIDATED_BY in labels:
        copy.set_labels({key: text for key, text in labels.items() if key != _VALIDATED_BY})
    return to_json(copy.value)


def add_directory(
    build: Build,
    into: Accumulated,
    loader: Loader,
    origin: Origin,
    *,
    is_component: bool,
    additions: Additions | None = None,
) -> None:
    """Add a kustomization, or let a component work on what is there. Raises Stalled for one in the other's place."""
    if additions is None:
        kustomization = load_kustomization(loader)
    else:
        is_plain = not holds_kustomization(loader.tree, loader.root)
        kustomization = plain_kustomization(loader, additions.without) if is_plain else load_kustomization(loader)
        kustomization = additions.to(kustomization)
    schema = build.set_schema(build, loader, kustomization)
    if schema is not None:
        build.table = schema
    if is_component is not kustomization.is_component:
        wanted, field_name = ("Component", "components") if is_component else ("Kustomization", "resources")
        raise Stalled(f"{kustomization.path}: a {kustomization.fields['kind']}, where {field_name} wants a {wanted}")
    target = Target(build, loader, kustomization, origin)
    if is_component:
        target.accumulate(into)
        into.items.ids_changed()
        into.items.refuse_twins()
        return
    inner = Accumulated()
    target.accumulate(inner)
    into.merge(inner)
