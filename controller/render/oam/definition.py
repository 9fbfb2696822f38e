"""What a component or trait type is: the parameters it takes, and a pure function from them to objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.model import FieldPath
from controller.render.oam.patching import Patch
from controller.render.oam.reporting import Report
from controller.render.oam.schema import Kind

Body = dict[str, Any]  # a Kubernetes object
Parameters = dict[str, Any]  # checked, with defaults


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a definition may look at: KubeVela's `context`."""

    application: str
    namespace: str
    component: str
    path: FieldPath  # of the properties, for what only the template can find wrong
    report: Report


@dataclass(frozen=True, slots=True)
class Workload:
    """A component's main object, and the ones beside it by their output names."""

    body: Body
    beside: Mapping[str, Body] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a trait does: objects of its own by their output names, and a patch of the workload."""

    objects: Mapping[str, Body] = field(default_factory=dict)
    patch: Patch | None = None


@dataclass(frozen=True, slots=True)
class ComponentDefinition:
    parameters: Kind
    build: Callable[[Parameters, Context], Workload]


@dataclass(frozen=True, slots=True)
class TraitDefinition:
    parameters: Kind
    apply: Callable[[Parameters, Body, Context], Effect]
    deprecated: str = ""  # what to use instead
