"""Types of components that a platform team defines: `types/<name>/` in the platform repository.

`schema.json` (or .yaml) is the JSON Schema of the parameters; `manifests/*.yaml` are the objects, in the order of their
file names, with parameters put in as `structure` says. An OAM Application uses the name as a component's type; traits
patch the first object that has pods, or the first one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from controller.config import Flaw, Validator
from controller.documents import Dialect, Positions, read_with_positions
from controller.model import ABSENT, EntryKind, FieldPath, Invalid, JsonValue, Position, Problem, Tree
from controller.render.oam.definition import Body, ComponentDefinition, Context, Parameters, Workload
from controller.render.oam.patching import copied
from controller.render.oam.reporting import Report
from controller.render.types.structure import Scope, fill

SCHEMA_NAMES: Final = ("schema.json", "schema.yaml", "schema.yml")
_MANIFESTS: Final = "manifests"
_SUFFIXES: Final = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Template:
    """One document of a manifest file."""

    name: str  # the file's, without its suffix, and the document's number where there are several
    value: JsonValue
    positions: Positions
    index: int

    def locate(self, path: FieldPath) -> Position:
        return self.positions.position(self.index, path)


@dataclass(frozen=True, slots=True)
class PlatformType:
    """A type: what its parameters must be, and the documents that they go into."""

    name: str
    schema: Mapping[str, Any]
    templates: tuple[Template, ...]
    where: Position

    def build(self, parameters: Mapping[str, Any], context: Mapping[str, str]) -> dict[str, Body]:
        """Give the objects by the names of their templates. Raises Invalid with every mistake of the manifests.

        `parameters` are checked, with defaults; `context` has name, application and namespace.
        """
        declared: dict[str, Any] = dict.fromkeys(self.schema.get("properties", {}), ABSENT)
        objects: dict[str, Body] = {}
        problems: list[Problem] = []
        for one in self.templates:
            report = Report(one.locate)
            filled = fill(one.value, Scope({**declared, **parameters}, context, report))
            problems.extend(report.problems)
            if isinstance(filled, dict):
                objects[one.name] = copied(filled)
        if problems:
            raise Invalid(problems)
        return objects


def read_types(tree: Tree, path: str = "types") -> dict[str, PlatformType]:
    """Read every type under a directory of a tree, by name. Raises Invalid with every problem of all of them."""
    found: dict[str, PlatformType] = {}
    problems: list[Problem] = []
    for name in tree.names(path):
        here = f"{path}/{name}" if path else name
        if tree.kind(here) is EntryKind.DIRECTORY:
            try:
                found[name] = _read_type(tree, name, here)
            except Invalid as error:
                problems.extend(error.problems)
    if problems:
        raise Invalid(problems)
    return found


def definitions_of(types: Mapping[str, PlatformType]) -> dict[str, ComponentDefinition]:
    """Make component definitions of types, for `render_application(types=…)`."""
    return {name: ComponentDefinition(SchemaKind(one.schema), _Builder(one)) for name, one in types.items()}


def _read_type(tree: Tree, name: str, path: str) -> PlatformType:
    where = next((f"{path}/{one}" for one in SCHEMA_NAMES if tree.kind(f"{path}/{one}") is EntryKind.FILE), "")
    if not where:
        raise Invalid([Problem(Position(path), "the type has no schema", "", "Write its parameters in schema.json.")])
    documents = _positions(tree, where)
    schema = documents.documents[0].value if documents.documents else None
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise Invalid([Problem(Position(where), "this is no schema of a mapping", "type", "Write `type: object`.")])
    try:
        Validator(schema)
    except NotImplementedError as error:
        raise Invalid([Problem(Position(where), f"{error} are not known here", "", "Leave them out.")]) from error
    templates = [one for file in tree.names(f"{path}/{_MANIFESTS}") for one in _templates(tree, path, file)]
    if not templates:
        what = f"the type has no objects: {_MANIFESTS}/ has no YAML file"
        raise Invalid([Problem(Position(path), what, "", "Write at least one.")])
    return PlatformType(name, schema, tuple(templates), Position(where))


def _templates(tree: Tree, path: str, file: str) -> list[Template]:
    if not file.endswith(_SUFFIXES):
        return []
    documents = _positions(tree, f"{path}/{_MANIFESTS}/{file}")
    stem = file.rpartition(".")[0]
    several = len(documents.documents) > 1
    return [
        Template(f"{stem}-{number}" if several else stem, one.value, documents, one.index)
        for number, one in enumerate(documents.documents)
    ]


def _positions(tree: Tree, path: str) -> Positions:
    return read_with_positions(tree.read(path), path=path, dialect=Dialect.KUBERNETES)


class SchemaKind:
    """A JSON Schema as a kind of parameters: every flaw told, defaults filled in."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._validator = Validator(schema)

    def check(self, value: Any, path: FieldPath, report: Report) -> Any:
        filled = with_defaults(value, self._schema)
        for one in self._validator.flaws(filled):
            self._tell(one, path, report)
        return filled

    def missing(self, path: FieldPath, report: Report) -> Any:
        return self.check({}, path, report)

    def _tell(self, flaw: Flaw, path: FieldPath, report: Report) -> None:
        report.wrong((*path, *flaw.path), flaw.what, flaw.advice)


def with_defaults(value: Any, schema: Mapping[str, Any]) -> Any:
    """Fill in what `default` says, at every depth."""
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        filled = {name: with_defaults(one, properties.get(name, {})) for name, one in value.items()}
        for name, one in properties.items():
            if name not in filled and "default" in one:
                filled[name] = copied(one["default"])
        return filled
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        return [with_defaults(one, schema["items"]) for one in value]
    return value


@dataclass(frozen=True, slots=True)
class _Builder:
    """Builds a type's objects for a component of an Application."""

    type: PlatformType

    def __call__(self, parameters: Parameters, context: Context) -> Workload:
        names = {"name": context.component, "application": context.application, "namespace": context.namespace}
        objects = self.type.build(parameters, names)
        for name, one in objects.items():
            if not isinstance(one.get("apiVersion"), str) or not isinstance(one.get("kind"), str):
                what = f"the type {self.type.name} makes {name} without apiVersion and kind"
                context.report.fail(context.path, what, f"Correct {self.type.where.path}'s manifests.")
        if not objects:
            context.report.fail(context.path, f"the type {self.type.name} makes no object of these parameters")
        main = next((name for name, one in objects.items() if _has_pods(one)), next(iter(objects)))
        return Workload(objects[main], {name: one for name, one in objects.items() if name != main})


def _has_pods(body: Body) -> bool:
    spec = body.get("spec")
    return isinstance(spec, dict) and ("template" in spec or "jobTemplate" in spec)
