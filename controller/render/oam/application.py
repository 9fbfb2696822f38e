"""An Application as frozen values: read from the object, its shape checked, nothing of its types known yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from controller.model import FieldPath
from controller.render.oam.reporting import Report, suggestion
from controller.render.oam.schema import named

API_VERSION: Final = "core.oam.dev/v1beta1"
KIND: Final = "Application"

Properties = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    type: str
    properties: Properties
    path: FieldPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A value that another component or step gives: `from` names it, `parameter_key` says where it goes."""

    source: str
    parameter_key: str
    path: FieldPath = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A value that is read from what runs: `value_from` is an expression such as `output.status.podIP`."""

    name: str
    value_from: str
    path: FieldPath = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    name: str
    type: str
    properties: Properties
    traits: tuple[Trait, ...]
    depends_on: tuple[str, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    path: FieldPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    name: str
    type: str
    properties: Properties | None  # None: not written
    path: FieldPath


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenStep:
    """A workflow step as it is written."""

    name: str
    type: str
    properties: Properties
    depends_on: tuple[str, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    condition: str  # `if`
    timeout: str
    steps: tuple[WrittenStep, ...]
    path: FieldPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    name: str
    namespace: str  # "" where none is written
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    components: tuple[Component, ...]
    policies: tuple[Policy, ...]
    steps: tuple[WrittenStep, ...] | None  # None: no workflow is written
    is_parallel: bool = False  # steps follow each other unless `mode.steps` is DAG
    are_groups_parallel: bool = True  # those of a group do not, unless `mode.subSteps` is StepByStep


def read_application(body: Any, report: Report) -> Application:
    """Read an Application. Raises Invalid with every mistake of its shape."""
    reader = _Reader(report)
    if not isinstance(body, dict) or body.get("apiVersion") != API_VERSION or body.get("kind") != KIND:
        report.fail((), f"this is no {KIND} of {API_VERSION}", f"Write `apiVersion: {API_VERSION}`, `kind: {KIND}`.")
    metadata = reader.mapping(body.get("metadata"), ("metadata",))
    spec = reader.mapping(body.get("spec"), ("spec",))
    workflow = reader.mapping(spec.get("workflow"), ("spec", "workflow"))
    if "ref" in workflow:
        report.wrong(("spec", "workflow", "ref"), "refers to an object in a cluster", "Write the steps here.")
    mode = reader.mapping(workflow.get("mode"), ("spec", "workflow", "mode"))
    application = Application(
        name=reader.text(metadata, "name", ("metadata",)),
        namespace=reader.text(metadata, "namespace", ("metadata",), required=False),
        labels=reader.texts(metadata, "labels", ("metadata",)),
        annotations=reader.texts(metadata, "annotations", ("metadata",)),
        components=tuple(reader.component(*one) for one in reader.items(spec, "components", ("spec",))),
        policies=tuple(reader.policy(*one) for one in reader.items(spec, "policies", ("spec",))),
        steps=tuple(reader.step(*one) for one in reader.items(workflow, "steps", ("spec", "workflow")))
        if "steps" in workflow
        else None,
        is_parallel=mode.get("steps") == "DAG",
        are_groups_parallel=mode.get("subSteps") != "StepByStep",
    )
    _check_names(application, report)
    report.settle()
    return application


def _check_names(application: Application, report: Report) -> None:
    seen: set[str] = set()
    for one in application.components:
        if one.name in seen:
            report.wrong((*one.path, "name"), f'there are two components named "{one.name}"', "Rename one.")
        seen.add(one.name)
    for one in application.components:
        for number, name in enumerate(one.depends_on):
            if name not in seen:
                advice = suggestion(name, seen)
                report.wrong((*one.path, "dependsOn", number), f'there is no component "{name}"', advice)


class _Reader:
    """Reads the parts of an Application, each mistake told with its place."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def mapping(self, value: Any, path: FieldPath) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._report.wrong(path, f"{named(value)}, and must be a mapping")
            return {}
        return value

    def text(self, body: Mapping[str, Any], name: str, path: FieldPath, *, required: bool = True) -> str:
        value = body.get(name)
        if value is None or value == "":
            if required:
                self._report.wrong((*path, name), "not set", "Name it.")
            return ""
        if not isinstance(value, str):
            self._report.wrong((*path, name), f"{named(value)}, and must be a string")
            return ""
        return value

    def texts(self, body: Mapping[str, Any], name: str, path: FieldPath) -> dict[str, str]:
        values = self.mapping(body.get(name), (*path, name))
        for key, value in values.items():
            if not isinstance(value, str):
                self._report.wrong((*path, name, key), f"{named(value)}, and must be a string", "Write it in quotes.")
        return values

    def items(self, body: Mapping[str, Any], name: str, path: FieldPath) -> list[tuple[dict[str, Any], FieldPath]]:
        value = body.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self._report.wrong((*path, name), f"{named(value)}, and must be a list")
            return []
        return [(self.mapping(one, (*path, name, at)), (*path, name, at)) for at, one in enumerate(value)]

    def names(self, body: Mapping[str, Any], name: str, path: FieldPath) -> tuple[str, ...]:
        value = body.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self._report.wrong((*path, name), "must be a list of names")
            return ()
        return tuple(value)

    def component(self, body: dict[str, Any], path: FieldPath) -> Component:
        return Component(
            name=self.text(body, "name", path),
            type=self.text(body, "type", path),
            properties=self.mapping(body.get("properties"), (*path, "properties")),
            traits=tuple(self.trait(*one) for one in self.items(body, "traits", path)),
            depends_on=self.names(body, "dependsOn", path),
            inputs=self.inputs(body, path),
            outputs=self.outputs(body, path),
            path=path,
        )

    def trait(self, body: dict[str, Any], path: FieldPath) -> Trait:
        properties = self.mapping(body.get("properties"), (*path, "properties"))
        return Trait(type=self.text(body, "type", path), properties=properties, path=path)

    def policy(self, body: dict[str, Any], path: FieldPath) -> Policy:
        written = body.get("properties")
        kind = self.text(body, "type", path)
        return Policy(
            # KubeVela's own name for one that has none
            name=self.text(body, "name", path, required=False) or f"{kind}:auto-gen:{path[-1]}",
            type=kind,
            properties=None if written is None else self.mapping(written, (*path, "properties")),
            path=path,
        )

    def step(self, body: dict[str, Any], path: FieldPath) -> WrittenStep:
        return WrittenStep(
            name=self.text(body, "name", path, required=False) or f"step-{path[-1]}",
            type=self.text(body, "type", path),
            properties=self.mapping(body.get("properties"), (*path, "properties")),
            depends_on=self.names(body, "dependsOn", path),
            inputs=self.inputs(body, path),
            outputs=self.outputs(body, path),
            condition=self.text(body, "if", path, required=False),
            timeout=self.text(body, "timeout", path, required=False),
            steps=tuple(self.step(*one) for one in self.items(body, "subSteps", path)),
            path=path,
        )

    def inputs(self, body: dict[str, Any], path: FieldPath) -> tuple[Input, ...]:
        return tuple(
            Input(
                source=self.text(one, "from", here),
                parameter_key=self.text(one, "parameterKey", here, required=False),
                path=here,
            )
            for one, here in self.items(body, "inputs", path)
        )

    def outputs(self, body: dict[str, Any], path: FieldPath) -> tuple[Output, ...]:
        return tuple(
            Output(name=self.text(one, "name", here), value_from=self.text(one, "valueFrom", here), path=here)
            for one, here in self.items(body, "outputs", path)
        )
