"""What of an Application is one target's own, and when it has its turn there.

KubeVela walks a workflow once and waits at each step. Here every target of the application is a placement that
converges by itself, so the walk is turned into what each placement needs to know: which deployments reach it, in which
waves, what must be Synced and Healthy before it (other targets of the same application, other applications), and which
objects wait for a yes. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from controller.model import ApplicationName, Behind, EnvironmentName, GroupRef, PlacementRef, TargetName
from controller.render.oam.policies import LOCAL, Topology
from controller.render.oam.references import Reference
from controller.render.oam.rendering import Deployment, RenderedApplication, RenderedObject
from controller.render.oam.reporting import Report, nearest, suggestion
from controller.render.oam.workflow import (
    ApplyComponents,
    AwaitApplication,
    Deploy,
    Group,
    Step,
    Suspend,
    leaves,
)
from controller.render.request import Place, Surroundings

NEVER: Final = -1  # seconds after which a yes comes by itself


@dataclass(frozen=True, slots=True)
class PlacedObject:
    """An object of this placement. `consent` is how long a change of it waits for a yes: None for not at all."""

    rendered: RenderedObject
    wave: int
    consent: int | None  # seconds after which the yes comes by itself; NEVER


@dataclass(frozen=True, slots=True)
class PlacedReference:
    """A component of this placement that another renderer makes."""

    reference: Reference
    namespace: str  # where its topology moves it; "" for where it is
    wave: int
    consent: int | None


@dataclass(frozen=True, slots=True)
class Placed:
    """What of an Application reaches a target."""

    objects: tuple[PlacedObject, ...]
    references: tuple[PlacedReference, ...]
    behind: Behind
    asked: bool  # whether anything of the surroundings was


def place(
    rendered: RenderedApplication,
    placement: PlacementRef,
    targets: Sequence[TargetName],
    surroundings: Surroundings,
    report: Report,
) -> Placed:
    """Give one target's part of an Application that was rendered by its steps. `targets` are the application's own.

    Tells the report of topologies and applications that are not there, and of what is never carried out.
    """
    here = _Placing(rendered, placement, targets, surroundings, report)
    return here.placed()


@dataclass(slots=True)
class _Placing:
    rendered: RenderedApplication
    placement: PlacementRef
    targets: Sequence[TargetName]
    surroundings: Surroundings
    report: Report
    asked: bool = False
    before: Mapping[str, frozenset[str]] = field(default_factory=dict)
    steps: Mapping[str, Step] = field(default_factory=dict)
    _starts: dict[str, int] = field(default_factory=dict)  # the first wave of each step's deployments

    def placed(self) -> Placed:
        self.steps = {one.name: one for one in leaves(self.rendered.steps)}
        self.before = _befores(self.rendered.steps)
        self._check()
        mine = [one for one in self.rendered.deployments if self._reaches(one.topology, self.placement.target)]
        if not mine:
            what = f"nothing of it goes to the target {self.placement.target}: no topology or step says so"
            self.report.warn(("spec", "policies"), what, "Name the target, or take it out of the entry's `targets`.")
        objects = tuple(self._objects(mine))
        references = tuple(
            PlacedReference(
                each,
                one.topology.namespace if one.topology else "",
                self._starts.get(one.step, 0) + each.wave,
                self._consent(one.step),
            )
            for one in mine
            for each in one.references
        )
        return Placed(objects, references, self._waits(mine), self.asked)

    # --- where -------------------------------------------------------------------------------------------

    def _reaches(self, topology: Topology | None, target: TargetName) -> bool:
        if topology is None or topology.clusters == (LOCAL,):
            return True
        if topology.clusters:
            return target in topology.clusters
        labels = self._places().get(target, Place()).labels
        return topology.labels.items() <= labels.items()

    def _places(self) -> Mapping[TargetName, Place]:
        return self.surroundings.places.get(self.placement.environment, {})

    def _reached(self, name: str) -> frozenset[TargetName]:
        """Give the application's targets that a step deploys to."""
        return frozenset(
            target
            for one in self.rendered.deployments
            if one.step == name
            for target in self.targets
            if self._reaches(one.topology, target) and self._places().get(target, Place()).is_cluster
        )

    def _check(self) -> None:
        topologies = {one.topology.path: one.topology for one in self.rendered.deployments if one.topology is not None}
        for topology in topologies.values():
            self._check_topology(topology)

    def _check_topology(self, topology: Topology) -> None:
        if topology.clusters == (LOCAL,):
            return
        path = topology.path
        self.asked = True
        everywhere = [(name, one) for found in self.surroundings.places.values() for name, one in found.items()]
        names = {str(name) for name, _ in everywhere}
        for number, name in enumerate(topology.clusters):
            if name not in names:
                where = (*path, "properties", "clusters", number) if path[:2] == ("spec", "policies") else path
                self.report.wrong(where, f'no target of the platform is called "{name}"', suggestion(name, names))
        wanted = dict(topology.labels)
        if (
            wanted
            and not topology.allow_empty
            and not any(wanted.items() <= one.labels.items() for _, one in everywhere)
        ):
            said = ", ".join(f"{key}: {value}" for key, value in wanted.items())
            known = {f"{key}: {value}" for _, one in everywhere for key, value in one.labels.items()}
            close = nearest(said, known)
            advice = f"Did you mean {close}?" if close else "Label a target, or set `allowEmpty: true`."
            where = (*path, "properties", "clusterLabelSelector")
            self.report.wrong(where, f"no target of the platform has the labels {said}", advice)

    # --- when --------------------------------------------------------------------------------------------

    def _objects(self, mine: Sequence[Deployment]) -> Iterator[PlacedObject]:
        """Put deployments after those of earlier steps. What one repeats as it was keeps its turn, and its consent."""
        found: dict[tuple[str, str, str, str], PlacedObject] = {}
        starts = self._starts
        ends: dict[str, int] = {}
        for one in mine:
            name = one.step
            start = max((ends[other] for other in self._before(name) if other in ends), default=0)
            starts[name] = max(starts.get(name, 0), start)
            last = max((each.wave for each in (*one.objects, *one.references)), default=0)
            ends[name] = max(ends.get(name, 0), starts[name] + last + 1)
            for each in one.objects:
                metadata = each.body["metadata"]
                key = (each.body["apiVersion"], each.body["kind"], metadata.get("namespace", ""), metadata["name"])
                if key not in found or found[key].rendered.body != each.body:
                    found[key] = PlacedObject(each, starts[name] + each.wave, self._consent(name))
        yield from sorted(found.values(), key=lambda one: one.wave)

    def _before(self, step: str) -> frozenset[str]:
        return self.before.get(step, frozenset())

    def _consent(self, name: str) -> int | None:
        """Say which yes a deployment waits for: that of the pauses since another target had its turn."""
        behind = {
            pause
            for other in self._before(name)
            if isinstance(self.steps[other], Deploy | ApplyComponents) and self._is_others(other)
            for pause in (*self._before(other), other)
        }
        pauses = [self.steps[one] for one in (*self._before(name), name) if one in self.steps and one not in behind]
        seconds = [_pause(one) for one in pauses]
        given = [one for one in seconds if one is not None]
        if not given:
            return None
        return NEVER if NEVER in given else sum(given)

    def _waits(self, mine: Sequence[Deployment]) -> Behind:
        names = {one.step for one in mine}
        before = {other for name in names for other in self._before(name)}
        targets = self._goes_before(self.placement.target) | self._modules(mine)
        for target in sorted(targets):
            if self.placement.target in self._goes_before(target):
                self.report.wrong(
                    ("spec", "workflow", "steps"),
                    f"{self.placement.target} and {target} are each deployed to before the other",
                    "A target has its turn once: deploy to each in one step, or in the same ones.",
                )
        groups = [
            self._group(one) for other in sorted(before) if isinstance(one := self.steps[other], AwaitApplication)
        ]
        self.asked |= bool(targets or groups)
        return Behind(tuple(sorted(targets)), tuple(dict.fromkeys(groups)))

    def _modules(self, mine: Sequence[Deployment]) -> frozenset[TargetName]:
        """Name the targets of Terraform components that components here come behind, or take values of in."""
        here = {each.component for one in mine for each in (*one.objects, *one.references)}
        if here.isdisjoint(self.rendered.leans):
            return frozenset()
        places = self._places()
        return frozenset(one for one in self.targets if one in places and not places[one].is_cluster)

    def _is_others(self, name: str) -> bool:
        """Tell whether a step is for other targets alone, so that this one waits for them to be through with it."""
        reached = self._reached(name)
        return bool(reached) and self.placement.target not in reached

    def _goes_before(self, target: TargetName) -> frozenset[TargetName]:
        """Name the targets that have a step to themselves before one of this target's: it waits for them."""
        found: set[TargetName] = set()
        for name in self.steps:
            if target in self._reached(name):
                for earlier in self._before(name):
                    reached = self._reached(earlier)
                    if target not in reached:
                        found |= reached
        return frozenset(found)

    def _group(self, step: AwaitApplication) -> GroupRef:
        environment = EnvironmentName(self.placement.environment)
        names = [str(one) for one in self.surroundings.applications.get(environment, ())]
        where = (*step.path, "properties", "name")
        if step.application == self.placement.application:
            self.report.wrong(where, "the application would wait for itself", "Name another one.")
        elif step.application not in names:
            what = f'environment {environment} has no application "{step.application}"'
            self.report.wrong(where, what, suggestion(step.application, names))
        return GroupRef(environment, ApplicationName(step.application))


def _pause(step: Step) -> int | None:
    if isinstance(step, Suspend):
        return NEVER if step.seconds is None else step.seconds
    return NEVER if isinstance(step, Deploy) and step.needs_approval else None


def _befores(steps: Sequence[Step], above: frozenset[str] = frozenset()) -> dict[str, frozenset[str]]:
    """Name, for each step that does something, all that come before it; a group's steps stand for the group."""
    found: dict[str, frozenset[str]] = {}
    done: dict[str, frozenset[str]] = {}  # by step or group: it, and all before it
    for step in steps:
        before = above.union(*(done.get(name, frozenset()) for name in step.after))
        if isinstance(step, Group):
            found |= _befores(step.steps, before)
            done[step.name] = before | {one.name for one in leaves(step.steps)}
        else:
            found[step.name] = before
            done[step.name] = before | {step.name}
    return found
