"""Components' `inputs` filled with what other components give out.

What a component renders to is read here. What a Terraform module gives out is known when it was applied: somebody is
asked for it (`Modules`), and a Symbol stands for what is not known yet. What only a cluster knows, such as the status
of an object, is refused: a render of the whole would wait for a part of itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, Protocol

from controller.model import ABSENT, FieldPath, JsonValue, Missing
from controller.render.oam.application import Application, Component, Output
from controller.render.oam.definition import Body
from controller.render.oam.references import TERRAFORM
from controller.render.oam.reporting import Report, suggestion
from controller.render.oam.values import Later, evaluate, put, steps_of
from controller.render.oam.workflow import ApplyComponents, Step, leaves

HOME: Final = "default"  # KubeVela's namespace for an Application that names none

_STATUS: Final = re.compile(r"(?:^|[.\]])status[.\[]")  # what nothing that is rendered has
_OUTPUT: Final = re.compile(r'(?:^|status\.apply\.)outputs(?:\.|\[")([\w-]+)')  # which one an expression names
_FROM_GIT: Final = "Rendering reads git alone: name a field that it sets, such as a name."


class Modules(Protocol):
    """What an application's Terraform components give out."""

    def outputs(self, component: Component) -> Collection[str]:
        """Name what a component gives out. Raises Invalid where its module can't be read."""

    def value(self, component: Component, output: str) -> JsonValue:
        """Give a value; a Symbol while nobody gives it out, a mark where it is sensitive."""


class Wiring:
    """Fills the inputs of one Application's components.

    `values` are outputs by name, over everything else. `elsewhere` are types that other renderers make; `build` makes
    the objects of any other component, the workload first.
    """

    def __init__(
        self,
        application: Application,
        values: Mapping[str, JsonValue],
        modules: Modules | None,
        elsewhere: Collection[str],
        report: Report,
        build: Callable[[Component], Sequence[Body]],
        *,
        by_steps: bool,
    ) -> None:
        self._application = application
        self._values = values
        self._modules = modules
        self._elsewhere = elsewhere
        self._report = report
        self._build = build
        self._by_steps = by_steps

    def wired(self, component: Component, among: Sequence[Component], above: tuple[str, ...] = ()) -> Component:
        """Put the values of other components where `inputs` say. One that is not there yet is told as a warning."""
        filled: Any = {"properties": component.properties, "traits": [one.properties for one in component.traits]}
        before = filled
        for one in component.inputs:
            value = self._values.get(one.source, ABSENT)
            if isinstance(value, Missing) and self._by_steps:
                value = self._value(one.source, among, (*above, component.name), one.path)
            elif isinstance(value, Missing):
                self._report.warn(one.path, f'the value "{one.source}" is not known yet, and is left out')
            if not isinstance(value, Missing) and one.parameter_key:
                filled = self._filled(filled, one.parameter_key, value, one.path)
        if filled is before:
            return component
        pairs = zip(component.traits, filled["traits"], strict=True)
        traits = tuple(replace(trait, properties=one) for trait, one in pairs)
        return replace(component, properties=filled["properties"], traits=traits)

    def given(self, name: str, path: FieldPath) -> JsonValue | Missing:
        """Give an output by its name, for the condition of a step."""
        value = self._values.get(name, ABSENT)
        return self._value(name, self._application.components, (), path) if isinstance(value, Missing) else value

    def _filled(self, filled: Any, key: str, value: JsonValue, path: FieldPath) -> Any:
        """Fill what a key names: a property, with or without `properties.` before it, or a trait's (`traits[0].…`)."""
        steps = steps_of(key)
        match steps:
            case ("traits", int() as number, *rest):
                if number >= len(filled["traits"]):
                    self._report.wrong((*path, "parameterKey"), f"there is no trait {number}", "They count from 0.")
                    return filled
                return put(filled, ("traits", number, *(rest[1:] if rest[:1] == ["properties"] else rest)), value)
            case ("properties", *_):
                return put(filled, steps, value)
            case _:
                return put(filled, ("properties", *steps), value)

    def _value(
        self, name: str, among: Sequence[Component], above: tuple[str, ...], path: FieldPath
    ) -> JsonValue | Missing:
        """Give another component's output, from what that renders to. What is not to be had is told."""
        everybody = (*among, *(one for one in self._application.components if one not in among))
        found = [(one, output) for one in everybody for output in one.outputs if output.name == name]
        if not found:
            names = [output.name for one in everybody for output in one.outputs]
            advice = suggestion(name, names) if names else "Declare it under `outputs` of the component it comes from."
            self._report.wrong((*path, "from"), f'no component has an output "{name}"', advice)
            return ABSENT
        giver, output = found[0]
        if giver.name in above:
            self._report.wrong((*path, "from"), f"{giver.name} takes a value in from {above[-1]} itself", "Break it.")
            return ABSENT
        if giver.type in self._elsewhere:
            return self._of_module(giver, output)
        bodies = self._build(self.wired(giver, among, above))
        beside = {label: one for one in bodies[1:] if (label := _output_of(one))}
        scope = {"output": bodies[0], "outputs": beside, "context": self._context(giver)}
        value = evaluate(output.value_from, scope)
        if isinstance(value, Missing):
            what, advice = f'"{output.value_from}" is nothing that the component renders to', _FROM_GIT
            if _STATUS.search(output.value_from):
                what = f'"{output.value_from}" is known to the cluster alone'
                advice = f"{_FROM_GIT} In place of an address use the DNS name of a Service."
            self._report.wrong((*output.path, "valueFrom"), what, advice)
        return value

    def _of_module(self, giver: Component, output: Output) -> JsonValue | Missing:
        """Give what a module gives out, named as in the status of KubeVela's Configuration, or `outputs.<name>`."""
        where = (*output.path, "valueFrom")
        if giver.type != TERRAFORM or self._modules is None:
            advice = "Rendering reads git alone: write the value, or let an overlay set it."
            self._report.wrong(where, f"what a {giver.type} component gives out is not known here", advice)
            return ABSENT
        names = self._modules.outputs(giver)
        values = {name: Later(partial(self._modules.value, giver, name)) for name in names}
        status = {"apply": {"outputs": {name: {"value": one} for name, one in values.items()}}}
        scope = {"output": {"status": status}, "outputs": values, "context": self._context(giver)}
        value = evaluate(output.value_from, scope)
        if isinstance(value, Missing):
            named = _OUTPUT.search(output.value_from)
            if named is None or named[1] in names:
                what = f'"{output.value_from}" names no output of the module'
                advice = "Write output.status.apply.outputs.NAME.value."
            else:
                what = f'the module of {giver.name} has no output "{named[1]}"'
                advice = suggestion(named[1], names) if names else "Declare it in the module."
            self._report.wrong(where, what, advice)
        return value

    def _context(self, giver: Component) -> Mapping[str, str]:
        application = self._application
        return {"name": giver.name, "appName": application.name, "namespace": application.namespace or HOME}


def with_those_of_steps(application: Application, steps: Sequence[Step]) -> Application:
    """Give components the inputs and outputs of the steps that apply them alone (kubevela pkg/workflow/step)."""
    components = {one.name: one for one in application.components}
    for step in leaves(steps):
        if isinstance(step, ApplyComponents) and len(step.components) == 1 and (step.inputs or step.outputs):
            name = step.components[0]
            if (one := components.get(name)) is not None:
                inputs, outputs = (*one.inputs, *step.inputs), (*one.outputs, *step.outputs)
                components[name] = replace(one, inputs=inputs, outputs=outputs)
    return replace(application, components=tuple(components.values()))


def leaning(application: Application, *, is_known: Collection[str]) -> Iterator[str]:
    """Name the components that come behind a Terraform component, or take a value of one in."""
    modules = {one.name for one in application.components if one.type == TERRAFORM and TERRAFORM not in is_known}
    given = {output.name for one in application.components if one.name in modules for output in one.outputs}
    for one in application.components:
        if one.name not in modules and (modules.intersection(one.depends_on) or given & {i.source for i in one.inputs}):
            yield one.name


def _output_of(body: Body) -> str:
    """Give the name of the output that an object beside a workload is."""
    return str((body["metadata"].get("labels") or {}).get("trait.oam.dev/resource", ""))
