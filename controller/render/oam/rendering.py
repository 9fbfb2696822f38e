"""An Application into objects: components built, patched by their traits, labelled and put in order.

Pure. The rules are KubeVela's (pkg/appfile, its offline dry run, and its definitions as of 1.11): what it would apply
is what comes out. Nothing of an Application is needed in a cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from controller.model import FieldPath, JsonValue, Position, Problem, Stalled, Waiting, format_path
from controller.render.oam import components as component_types
from controller.render.oam import traits as trait_types
from controller.render.oam.application import Application, Component, Trait, read_application
from controller.render.oam.assembly import AUXILIARY, assemble_beside, assemble_workload
from controller.render.oam.conditions import Conditions
from controller.render.oam.definition import Body, ComponentDefinition, Context
from controller.render.oam.kustomizing import PATCH_TRAITS
from controller.render.oam.overriding import override
from controller.render.oam.patching import apply_patch, copied
from controller.render.oam.policies import LOCAL, Handling, Subject, Topology, check_policies, handling_of
from controller.render.oam.references import REFERENCE_TYPES, Reference, reference_of
from controller.render.oam.reporting import Locate, Report, suggestion
from controller.render.oam.schema import Kind
from controller.render.oam.waves import waves_of
from controller.render.oam.wiring import HOME, Modules, Wiring, leaning, with_those_of_steps
from controller.render.oam.workflow import ApplyComponents, Deploy, Step, leaves, plan_steps, steps_in
from controller.render.taking import Symbol

Definitions = Mapping[str, ComponentDefinition]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedObject:
    """One object, whose it is and how it is treated. `wave`: lower ones are Healthy before it is applied."""

    body: Body
    component: str
    trait: str  # the trait that made it, "" for a workload or what a component makes beside it
    wave: int
    handling: Handling


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The objects of one deployment: where they go, and what comes of each component there."""

    step: str  # the workflow step that does it
    topology: Topology | None  # None: the application's own target
    objects: tuple[RenderedObject, ...]
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedApplication:
    """What comes of an Application. Deployments with the same topology are one after the other in `steps`' order."""

    name: str
    namespace: str
    deployments: tuple[Deployment, ...]
    steps: tuple[Step, ...]
    leans: frozenset[str] = frozenset()  # components that come behind a Terraform component
    warnings: tuple[Problem, ...] = ()

    @property
    def objects(self) -> tuple[Body, ...]:
        """Give every object of every deployment, those that are equal once."""
        bodies: list[Body] = []
        for one in self.deployments:
            bodies.extend(found.body for found in one.objects if found.body not in bodies)
        return tuple(bodies)


def render_application(
    body: Any,
    *,
    topology: str | None = None,
    by_steps: bool = False,
    namespace: str = "",
    values: Mapping[str, JsonValue] | None = None,
    modules: Modules | None = None,
    types: Mapping[str, ComponentDefinition] | None = None,
    locate: Locate | None = None,
) -> RenderedApplication:
    """Render an Application of core.oam.dev/v1beta1.

    `topology` gives the deployments of that topology policy alone. With `by_steps` single components are deployed where
    their steps say, and nothing else is; without, everything is there once, as KubeVela's dry run shows it.
    A step's `if` counts then too.
    `namespace` is for an Application that names none. `values` are outputs of other components by name, for `inputs`;
    `modules` knows what Terraform components give out.
    `types` are the platform's own component types; they come before those built in. `locate` finds a field's place in
    the file.

    Raises Invalid with every problem found: each names the type, trait, policy, step or parameter, the nearest name
    that there is, and what to use instead. Raises Waiting where a value that is not known yet can't stand as text.
    """
    report = Report(locate or (lambda _: Position("application")))
    application = read_application(copied(body), report)
    if not application.namespace:
        application = replace(application, namespace=namespace)
    policies = check_policies(application.policies, report)
    steps = plan_steps(application, policies, report)
    definitions = {**component_types.COMPONENTS, **(types or {})}
    _check_types(application.components, definitions, report)
    report.settle()
    application = with_those_of_steps(application, steps)
    renderer = _Renderer(application, policies, values or {}, definitions, report, modules=modules, by_steps=by_steps)
    if by_steps:
        steps = renderer.carried_out(steps)
    deployments = tuple(renderer.stepped(steps) if by_steps else renderer.deployments(steps, topology))
    report.settle()
    return RenderedApplication(
        name=application.name,
        namespace=application.namespace,
        deployments=deployments,
        steps=steps,
        leans=frozenset(leaning(application, is_known=definitions)),
        warnings=tuple(report.warnings),
    )


def _check_types(components: Sequence[Component], definitions: Definitions, report: Report) -> None:
    """Tell every type that is not there, before anything is built."""
    known = {*definitions, *REFERENCE_TYPES}
    for one in components:
        if one.type not in known:
            _unknown("component type", one.type, known, component_types.REFUSED, (*one.path, "type"), report)
        for trait in one.traits:
            is_patch = one.type == "kustomize" and one.type not in definitions and trait.type in PATCH_TRAITS
            if trait.type not in trait_types.TRAITS and not is_patch:
                where = (*trait.path, "type")
                _unknown("trait", trait.type, trait_types.TRAITS, trait_types.REFUSED, where, report)


def _unknown(what: str, name: str, known: Any, refused: Mapping[str, str], path: FieldPath, report: Report) -> None:
    if not name:
        report.wrong(path, "not set", "Name it.")
    elif name in refused:
        report.wrong(path, f"the {what} {name} is not supported", refused[name])
    else:
        report.wrong(path, f'there is no {what} "{name}"', suggestion(name, known))


class _Renderer:
    """One Application on its way to objects."""

    def __init__(
        self,
        application: Application,
        policies: Mapping[str, Mapping[str, Any]],
        values: Mapping[str, JsonValue],
        definitions: Definitions,
        report: Report,
        *,
        modules: Modules | None,
        by_steps: bool,
    ) -> None:
        self._by_steps = by_steps
        self._has_skipped = False
        self._application = application
        self._policies = policies
        self._rules = [(one.type, policies[one.name]) for one in application.policies]
        self._wiring = Wiring(
            application,
            values,
            modules,
            frozenset(REFERENCE_TYPES) - frozenset(definitions),
            report,
            lambda one: [each.body for each in self._component(one, 0)],
            by_steps=by_steps,
        )
        self._definitions = definitions
        self._report = report

    def deployments(self, steps: Sequence[Step], only: str | None) -> Iterator[Deployment]:
        """Render what the steps deploy; what no step deploys is deployed at home."""
        waves = waves_of(self._application.components, steps)
        found = [one for one in leaves(steps) if isinstance(one, Deploy)]
        for step in found:
            components = self._overridden(step.overrides)
            for topology in step.topologies or (None,):
                if only is None or (topology is not None and topology.name == only):
                    yield self._deployment(step.name, topology, components, waves)
        if not found and only is None:
            yield self._deployment("", None, self._application.components, waves)
        if only is not None and not any(one.name == only for step in found for one in step.topologies):
            names = sorted({one.name for step in found for one in step.topologies})
            self._report.wrong(
                ("spec", "policies"),
                f'no step deploys to a topology "{only}"',
                suggestion(only, names) if names else "It has no topology.",
            )

    def carried_out(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        """Leave out the steps whose `if` does not hold."""
        if not any(one.condition for one in steps_in(steps)):
            return tuple(steps)
        application = self._application
        names = {"name": application.name, "appName": application.name, "workflowName": application.name}
        context = names | {
            "namespace": application.namespace or HOME,
            "appLabels": application.labels,
            "appAnnotations": application.annotations,
        }
        conditions = Conditions(context, self._wiring.given, self._report)
        found = conditions.carried_out(steps)
        self._has_skipped = conditions.has_skipped
        self._report.settle()
        return found

    def stepped(self, steps: Sequence[Step]) -> Iterator[Deployment]:
        """Render what each step deploys, in their order; everything, where there is no step."""
        waves = waves_of(self._application.components, steps)
        found = [one for one in leaves(steps) if isinstance(one, Deploy | ApplyComponents)]
        for step in found:
            if isinstance(step, Deploy):
                components = self._overridden(step.overrides)
                for topology in step.topologies or (None,):
                    yield self._deployment(step.name, topology, components, waves)
            else:
                picked = [one for one in self._application.components if one.name in step.components]
                yield self._deployment(step.name, _place_of(step), picked, waves)
        if not found and not self._has_skipped:
            yield self._deployment("", None, self._application.components, waves)

    def _overridden(self, names: Sequence[str]) -> tuple[Component, ...]:
        components = self._application.components
        by_name = {one.name: one for one in self._application.policies}
        for name in names:
            components = override(components, by_name[name], self._report)
        _check_types(components, self._definitions, self._report)
        self._report.settle()
        return components

    def _deployment(
        self, step: str, topology: Topology | None, components: Sequence[Component], waves: Mapping[str, int]
    ) -> Deployment:
        objects: list[RenderedObject] = []
        references: list[Reference] = []
        for one in components:
            wired = self._wiring.wired(one, components)
            if one.type in REFERENCE_TYPES and one.type not in self._definitions:
                references.append(replace(reference_of(wired, self._report), wave=waves.get(one.name, 0)))
            else:
                objects.extend(self._component(wired, waves.get(one.name, 0)))
        self._warn_of_doubles(objects)
        if topology is not None and topology.namespace:
            objects = [replace(one, body=_moved(one.body, topology.namespace)) for one in objects]
        objects.sort(key=lambda one: one.wave)
        return Deployment(step=step, topology=topology, objects=tuple(objects), references=tuple(references))

    def _warn_of_doubles(self, objects: Sequence[RenderedObject]) -> None:
        """Tell of objects that are made twice, and differ: KubeVela applies one over the other."""
        seen: dict[tuple[str, str, str], RenderedObject] = {}
        for one in objects:
            metadata = one.body["metadata"]
            key = (one.body["kind"], metadata.get("namespace", ""), metadata["name"])
            before = seen.setdefault(key, one)
            if before.body != one.body:
                makers = " and ".join(f"the trait {who.trait}" if who.trait else who.component for who in (before, one))
                what = f"the {key[0]} {key[2]} is made twice, by {makers}, and only one of them can be"
                self._report.warn(("spec", "components"), what, "Leave one out, or give the trait a name.")

    def _component(self, component: Component, wave: int) -> Iterator[RenderedObject]:
        definition = self._definitions[component.type]
        path: FieldPath = (*component.path, "properties")
        parameters = _checked(definition.parameters, component.properties, path, self._report)
        self._report.settle()
        workload = definition.build(parameters, self._context(component, path))
        self._report.settle()
        body = workload.body
        beside = [(AUXILIARY, name, one) for name, one in workload.beside.items()]
        for trait in component.traits:
            body, made = self._trait(trait, body, component)
            beside.extend((trait.type, name, one) for name, one in made.items())
        home = self._application.namespace
        body = assemble_workload(body, self._application, component.name, component.type, home)
        yield self._rendered(body, component, "", wave)
        for kind, output, one in beside:
            assembled = assemble_beside(one, self._application, component.name, kind, output, home)
            yield self._rendered(assembled, component, "" if kind == AUXILIARY else kind, wave)

    def _trait(self, trait: Trait, body: Body, component: Component) -> tuple[Body, Mapping[str, Body]]:
        definition = trait_types.TRAITS[trait.type]
        path: FieldPath = (*trait.path, "properties")
        if definition.deprecated:
            self._report.warn((*trait.path, "type"), f"the trait {trait.type} is deprecated", definition.deprecated)
        parameters = _checked(definition.parameters, trait.properties, path, self._report)
        self._report.settle()
        effect = definition.apply(parameters, body, self._context(component, path))
        self._report.settle()
        if effect.patch is not None:
            try:
                body = apply_patch(body, effect.patch)
            except Stalled as error:
                self._report.fail(trait.path, f"the trait {trait.type} can't be applied: {error}")
        return body, effect.objects

    def _context(self, component: Component, path: FieldPath) -> Context:
        return Context(
            application=self._application.name,
            namespace=self._application.namespace or HOME,
            component=component.name,
            path=path,
            report=self._report,
        )

    def _rendered(self, body: Body, component: Component, trait: str, wave: int) -> RenderedObject:
        subject = Subject(
            component=component.name,
            component_type=component.type,
            trait=trait,
            kind=body["kind"],
            name=body["metadata"]["name"],
        )
        handling = handling_of(subject, self._rules)
        # a copy: what properties say in one place may stand in several objects, and callers change them
        return RenderedObject(body=copied(body), component=component.name, trait=trait, wave=wave, handling=handling)


def _place_of(step: ApplyComponents) -> Topology | None:
    """Give a step's cluster and namespace as a topology; None for the application's own."""
    if not step.cluster and not step.namespace:
        return None
    clusters = (step.cluster,) if step.cluster else (LOCAL,)
    return Topology(name=step.name, clusters=clusters, namespace=step.namespace, path=step.path)


def _checked(kind: Kind, properties: Any, path: FieldPath, report: Report) -> dict[str, Any]:
    """Check properties, and leave out what the definition doesn't declare: it changes nothing."""
    before = len(report.problems)
    checked: dict[str, Any] = kind.check(properties, path, report)
    if len(report.problems) > before and (symbols := {format_path(at): one for at, one in _symbols(properties, path)}):
        lacking = [one for one in report.problems[before:] if one.field in symbols]
        report.problems[before:] = [one for one in report.problems[before:] if one not in lacking]
        if lacking and not report.problems:
            raise Waiting(f"waits for the output {', '.join(symbols[one.field].of for one in lacking)}")
    declared: frozenset[str] | None = getattr(kind, "declared", None)
    return checked if declared is None else {name: one for name, one in checked.items() if name in declared}


def _symbols(value: Any, path: FieldPath) -> Iterator[tuple[FieldPath, Symbol]]:
    """Find what stands for values that nobody gives out yet."""
    if isinstance(value, Symbol):
        yield path, value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _symbols(one, (*path, name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _symbols(one, (*path, number))


def _moved(body: Body, namespace: str) -> Body:
    if body.get("kind") == "Namespace":
        return body
    return {**body, "metadata": {**body["metadata"], "namespace": namespace}}
