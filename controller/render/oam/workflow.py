"""The workflow as frozen values that the engine can walk: deployments, single components, pauses, waits.

Without a workflow, each topology is a deployment with all overrides; overrides alone are one deployment at home;
neither is the same with nothing changed. Written steps follow each other unless the mode says DAG, those of a group do
not, unless it says so (kubevela pkg/workflow/step/generator.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from controller.model import FieldPath
from controller.render.oam.application import Application, Input, Output, WrittenStep
from controller.render.oam.policies import OVERRIDES, TOPOLOGY, Topology, topology_of
from controller.render.oam.reporting import Report, suggestion
from controller.render.oam.schema import TEXT, TEXTS, AnyMapping, Kind, Text, Truth, Whole, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What every step has. It starts when all of `after` are done."""

    name: str
    after: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    condition: str = ""  # `if`, as written: `always`, or an expression
    timeout_seconds: int | None = None
    path: FieldPath = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy(Step):
    """Everything goes to the targets of the topologies, with the overrides. No topology: to the application's own."""

    topologies: tuple[Topology, ...] = ()
    overrides: tuple[str, ...] = ()
    needs_approval: bool = False  # `auto: false`
    parallelism: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyComponents(Step):
    """These components go to one target (`cluster`, "" for the application's own)."""

    components: tuple[str, ...]
    cluster: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspend(Step):
    """Wait for a yes; with `seconds` it comes by itself."""

    seconds: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitApplication(Step):
    """Wait until another application is Healthy."""

    application: str
    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Step):
    """Steps that start together."""

    steps: tuple[Step, ...] = ()


def leaves(steps: Sequence[Step]) -> Iterator[Step]:
    """Give the steps that do something, those of groups in their group's place."""
    for one in steps:
        if isinstance(one, Group):
            yield from leaves(one.steps)
        else:
            yield one


def steps_in(steps: Sequence[Step]) -> Iterator[Step]:
    """Give every step, groups before theirs."""
    for one in steps:
        yield one
        if isinstance(one, Group):
            yield from steps_in(one.steps)


_COMMON: Final = ("deploy", "apply-component", "apply-application", "apply-remaining", "suspend", "depends-on-app",
                  "step-group")  # fmt: skip
_PARAMETERS: Final[Mapping[str, Kind]] = {
    "deploy": fields(
        {
            "auto": Truth(True),
            "policies": TEXTS,
            "parallelism": Whole(5),
            "ignoreTerraformComponent": Truth(True),
        },
        closed=True,
    ),
    "apply-component": fields({"component": TEXT, "cluster": Text(""), "namespace": Text("")}),
    "apply-application": AnyMapping(),
    "apply-remaining": AnyMapping(),
    "suspend": fields({"duration?": TEXT, "message": Text("")}),
    "depends-on-app": fields({"name": TEXT, "namespace": Text("")}),
    "step-group": AnyMapping(),
}
# Steps that tell somebody something, and change no object: passed over with a warning.
_TELLING: Final[Mapping[str, str]] = {
    "notification": "Configure `notifications` of the environment instead.",
    "print-message-in-status": "The status of every placement is in the records branch.",
    "webhook": "Configure `notifications` of the environment instead.",
    "restart-workflow": "Every commit starts a deployment, and drift is put back at any time.",
    "share-cloud-resource": "Wire a terraform component's outputs instead.",
}
# Steps that KubeVela has and we don't, and what to use instead.
REFUSED: Final[Mapping[str, str]] = {
    "deploy2env": "It is deprecated: use deploy with topology and override policies.",
    "deploy2runtime": "It is deprecated: use deploy with a topology policy.",
    "deploy-cloud-resource": "Use a component of type terraform.",
    "multi-env": "It is deprecated: use deploy with topology and override policies.",
    "export2config": "Wire the value with outputs and inputs.",
    "export2secret": "Wire the value with outputs and inputs.",
    "export-data": "Wire the value with outputs and inputs.",
    "export-service": "Write the Service with k8s-objects.",
    "read-object": "Declare the value as an output of the component that it comes from.",
    "apply-object": "Write the object as a component of type k8s-objects.",
    "apply-deployment": "Write it as a component of type webservice or worker.",
    "apply-terraform-config": "Use a component of type terraform.",
    "apply-terraform-provider": "Configure the provider in the terraform target's credentials.",
    "request": "Do it in a Job: a component of type task.",
    "vela-cli": "Do it in a Job: a component of type task.",
    "build-push-image": "Build images in CI; git names the image.",
    "check-metrics": "Gate the next environment on health, with `promotion`.",
    "create-config": "Write the ConfigMap or Secret with k8s-objects.",
    "delete-config": "Remove it from git, and it is pruned.",
    "list-config": "Values are declared in git.",
    "read-config": "Values are declared in git.",
    "collect-service-endpoints": "Declare the value as an output of the component.",
    "clean-jobs": "Remove the Jobs from git, and they are pruned.",
    "generate-jdbc-connection": "Wire a terraform component's outputs instead.",
}
_DURATION: Final = re.compile(r"^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$")


def plan_steps(application: Application, policies: Mapping[str, Mapping[str, Any]], report: Report) -> tuple[Step, ...]:
    """Give the steps of an Application, written or not. `policies` are the checked properties by name."""
    topologies = {
        one.name: topology_of(one.name, policies[one.name], one.path)
        for one in application.policies
        if one.type == TOPOLOGY and one.name in policies
    }
    overrides = tuple(one.name for one in application.policies if one.type == OVERRIDES)
    if application.steps is None or not application.steps:
        if not topologies:
            return (Deploy(name="deploy", overrides=overrides),)
        return tuple(
            Deploy(name=f"deploy-{name}", topologies=(one,), overrides=overrides) for name, one in topologies.items()
        )
    planner = _Planner(application, topologies, frozenset(overrides), report)
    return tuple(planner.steps(application.steps, is_parallel=application.is_parallel))


@dataclass(frozen=True, slots=True)
class _Planner:
    application: Application
    topologies: Mapping[str, Topology]
    overrides: frozenset[str]
    report: Report
    applied: set[str] = field(default_factory=set)

    def steps(self, written: Sequence[WrittenStep], *, is_parallel: bool) -> Iterator[Step]:
        known = {one.name for one in written}
        before: tuple[str, ...] = ()
        for one in written:
            for number, name in enumerate(one.depends_on):
                if name not in known:
                    advice = suggestion(name, known)
                    self.report.wrong((*one.path, "dependsOn", number), f'there is no step "{name}" here', advice)
            step = self._step(one, one.depends_on if is_parallel else tuple(dict.fromkeys((*before, *one.depends_on))))
            if step is not None:
                yield step
                before = (one.name,)

    def _step(self, written: WrittenStep, after: tuple[str, ...]) -> Step | None:
        kind = _PARAMETERS.get(written.type)
        if kind is None:
            self._unknown(written)
            return None
        path: FieldPath = (*written.path, "properties")
        spec = kind.check(written.properties, path, self.report)
        shared: dict[str, Any] = {
            "name": written.name,
            "after": after,
            "inputs": written.inputs,
            "outputs": written.outputs,
            "condition": written.condition,
            "timeout_seconds": self._seconds(written.timeout, (*written.path, "timeout")),
            "path": written.path,
        }
        match written.type:
            case "deploy":
                return self._deploy(spec, path, shared)
            case "apply-component":
                return self._component(spec, path, shared)
            case "suspend":
                seconds = self._seconds(spec.get("duration", ""), (*path, "duration"))
                return Suspend(seconds=seconds, message=spec["message"], **shared)
            case "depends-on-app":
                home = spec["namespace"] or self.application.namespace
                return AwaitApplication(application=spec["name"], namespace=home, **shared)
            case "step-group":
                return Group(
                    steps=tuple(self.steps(written.steps, is_parallel=self.application.are_groups_parallel)), **shared
                )
            case _:
                names = tuple(one.name for one in self.application.components if one.name not in self.applied)
                return ApplyComponents(components=names, **shared)

    def _deploy(self, spec: Mapping[str, Any], path: FieldPath, shared: Mapping[str, Any]) -> Deploy:
        topologies, overrides = [], []
        for number, name in enumerate(spec["policies"]):
            if name in self.topologies:
                topologies.append(self.topologies[name])
            elif name in self.overrides:
                overrides.append(name)
            elif name and name not in {one.name for one in self.application.policies}:
                names = [one.name for one in self.application.policies]
                advice = suggestion(name, names) if names else "Declare it under spec.policies."
                self.report.wrong((*path, "policies", number), f'there is no policy "{name}"', advice)
        return Deploy(
            topologies=tuple(topologies),
            overrides=tuple(overrides),
            needs_approval=not spec["auto"],
            parallelism=spec["parallelism"],
            **shared,
        )

    def _component(self, spec: Mapping[str, Any], path: FieldPath, shared: Mapping[str, Any]) -> ApplyComponents:
        name = spec["component"]
        names = [one.name for one in self.application.components]
        if name not in names:
            self.report.warn((*path, "component"), f'there is no component "{name}"', suggestion(str(name), names))
        self.applied.add(name)
        return ApplyComponents(components=(name,), cluster=spec["cluster"], namespace=spec["namespace"], **shared)

    def _unknown(self, written: WrittenStep) -> None:
        path = (*written.path, "type")
        if written.type in _TELLING:
            what = f"the step {written.type} is passed over: it changes no object"
            self.report.warn(path, what, _TELLING[written.type])
        elif written.type in REFUSED:
            self.report.wrong(path, f"the step {written.type} is not supported", REFUSED[written.type])
        else:
            self.report.wrong(path, f'there is no step type "{written.type}"', suggestion(written.type, _COMMON))

    def _seconds(self, text: str, path: FieldPath) -> int | None:
        if not text:
            return None
        found = _DURATION.match(text)
        if found is None or not any(found.groups()):
            self.report.wrong(path, f'"{text}" is no duration', "Write it like 1h30m or 45s.")
            return None
        hours, minutes, seconds = (int(one or 0) for one in found.groups())
        return hours * 3600 + minutes * 60 + seconds
