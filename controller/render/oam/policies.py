"""Policies of an Application as frozen values: where it goes, and how single objects are treated.

Topology and override say what goes where. The others pick objects by rules, and each becomes one of Converge's own
words: take-over adopts what is there, read-only never writes, shared-resource leaves an object that others own too,
apply-once ignores fields (or everything) after the first apply, garbage-collect says when an object may be pruned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from controller.model import FieldPath
from controller.render.oam.application import Policy
from controller.render.oam.overriding import OVERRIDE
from controller.render.oam.reporting import Report, suggestion
from controller.render.oam.schema import TEXT_TABLE, TEXTS, WHOLE, AnyMapping, Items, Kind, OneOf, Text, Truth, fields

TOPOLOGY: Final = "topology"
OVERRIDES: Final = "override"
LOCAL: Final = "local"  # KubeVela's name for its own cluster: here, wherever the application goes

_SELECTOR: Final = fields(
    {
        "componentNames?": TEXTS,
        "componentTypes?": TEXTS,
        "oamTypes?": Items(OneOf(("COMPONENT", "TRAIT"))),
        "traitTypes?": TEXTS,
        "resourceTypes?": TEXTS,
        "resourceNames?": TEXTS,
    }
)
_RULES: Final = Items(fields({"selector": _SELECTOR}))
_TOPOLOGY: Final = fields(
    {
        "clusters?": TEXTS,
        "clusterLabelSelector?": TEXT_TABLE,
        "clusterSelector?": TEXT_TABLE,  # its older name
        "allowEmpty": Truth(False),
        "namespace": Text(""),
    },
    closed=True,
)
_AFFECT: Final = OneOf(("onUpdate", "onStateKeep", "always", ""), default="")
_APPLY_ONCE_RULE: Final = fields({"selector?": _SELECTOR, "strategy?": fields({"path": TEXTS, "affect": _AFFECT})})
_STRATEGY: Final = OneOf(("never", "onAppDelete", "onAppUpdate"), default="onAppUpdate")
_PROPAGATION: Final = OneOf(("orphan", "cascading"))
_COLLECT_RULE: Final = fields({"selector": _SELECTOR, "strategy": _STRATEGY, "propagation?": _PROPAGATION})

PARAMETERS: Final[Mapping[str, Kind]] = {
    TOPOLOGY: _TOPOLOGY,
    OVERRIDES: OVERRIDE,
    "apply-once": fields({"enable": Truth(False), "rules": Items(_APPLY_ONCE_RULE)}),
    "garbage-collect": fields(
        {
            "applicationRevisionLimit?": WHOLE,
            "keepLegacyResource": Truth(False),
            "continueOnFailure": Truth(False),
            "order?": OneOf(("dependency",)),
            "rules": Items(_COLLECT_RULE),
        }
    ),
    "read-only": fields({"rules": _RULES}),
    "shared-resource": fields({"rules": _RULES}),
    "take-over": fields({"rules": _RULES}),
    "resource-update": fields({"rules": Items(fields({"selector": _SELECTOR, "strategy": AnyMapping()}))}),
}

# Policies that KubeVela has and we don't, and what to use instead.
REFUSED: Final[Mapping[str, str]] = {
    "env-binding": "It is deprecated: use topology and override policies with deploy steps.",
    "replication": "Name a component per copy.",
    "debug": "Remove it: `converge render` and `converge diff` show what it would.",
    "health": "Remove it: health is judged per kind.",
}


class Collect(StrEnum):
    """When an object that git no longer says may be deleted."""

    ON_UPDATE = "onAppUpdate"
    ON_DELETE = "onAppDelete"  # only when the whole application goes
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """How one object is treated, beyond what its placement says."""

    take_over: bool = False  # adopt it where it exists, whoever owns it
    read_only: bool = False  # never write it
    shared: bool = False  # others own it too: never delete it while they do
    apply_once: bool = False  # after the first apply nothing of it is drift
    ignored: tuple[str, ...] = ()  # fields, as dotted paths, that are others' after the first apply; `*` for all
    held: tuple[str, ...] = ()  # fields that are others' while they hold them; git's own changes are still applied
    frozen: tuple[str, ...] = ()  # fields whose drift is taken back, and which git's own changes do not reach
    collect: Collect = Collect.ON_UPDATE
    recreate: bool = False  # an update deletes and makes it again


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Where an Application goes: targets by name, else those with all of these labels, else its own cluster."""

    name: str
    clusters: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str = ""  # where its objects go instead, "" where they are
    allow_empty: bool = False  # no such target is no error
    path: FieldPath = field(default=(), compare=False)  # of the policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a rule looks at in an object."""

    component: str
    component_type: str
    trait: str  # "" for a workload
    kind: str
    name: str


def check_policies(policies: Sequence[Policy], report: Report) -> dict[str, dict[str, Any]]:
    """Give the checked properties of every policy by its name, and tell the report what is wrong."""
    checked: dict[str, dict[str, Any]] = {}
    for one in policies:
        kind = PARAMETERS.get(one.type)
        if kind is None:
            _unknown(one, report)
        elif one.properties is None:
            report.wrong((*one.path, "properties"), f"not set, and the policy {one.type} needs it", "Write them.")
        elif one.name in checked:
            report.wrong((*one.path, "name"), f'there are two policies named "{one.name}"', "Rename one.")
        else:
            checked[one.name] = kind.check(one.properties, (*one.path, "properties"), report)
    return checked


def _unknown(policy: Policy, report: Report) -> None:
    path: FieldPath = (*policy.path, "type")
    if policy.type in REFUSED:
        report.wrong(path, f"the policy {policy.type} is not supported", REFUSED[policy.type])
    else:
        report.wrong(path, f'there is no policy "{policy.type}"', suggestion(policy.type, PARAMETERS))


def topology_of(name: str, spec: Mapping[str, Any], path: FieldPath) -> Topology:
    labels = spec.get("clusterLabelSelector", spec.get("clusterSelector", {}))
    clusters = tuple(dict.fromkeys(spec.get("clusters", ())))
    is_local = not clusters and not labels
    return Topology(
        name=name,
        clusters=(LOCAL,) if is_local else clusters,
        labels={} if clusters else labels,
        namespace=spec["namespace"],
        allow_empty=spec["allowEmpty"],
        path=path,
    )


def handling_of(subject: Subject, policies: Sequence[tuple[str, Mapping[str, Any]]]) -> Handling:
    """Say how one object is treated. `policies` are types and checked properties, as written; the first match wins."""
    handling = Handling()
    collects = True
    for kind, spec in policies:
        rules = [rule for rule in spec.get("rules", ()) if matches(rule.get("selector", {}), subject)]
        match kind:
            case "take-over":
                handling = replace(handling, take_over=handling.take_over or bool(rules))
            case "read-only":
                handling = replace(handling, read_only=handling.read_only or bool(rules))
            case "shared-resource":
                handling = replace(handling, shared=handling.shared or bool(rules))
            case "resource-update":
                handling = replace(handling, recreate=handling.recreate or bool(rules))
            case "apply-once" if spec["enable"]:
                handling = replace(
                    handling,
                    apply_once=handling.apply_once or not spec["rules"],
                    ignored=(*handling.ignored, *_affected(rules, "", "always")),
                    held=(*handling.held, *_affected(rules, "onStateKeep")),
                    frozen=(*handling.frozen, *_affected(rules, "onUpdate")),
                )
            case "garbage-collect":
                if spec["keepLegacyResource"]:
                    handling = replace(handling, collect=Collect.NEVER)
                if rules and collects:
                    handling = replace(handling, collect=Collect(rules[0]["strategy"]))
                    collects = False
    return handling


def _affected(rules: Sequence[Mapping[str, Any]], *affects: str) -> list[str]:
    """Give the paths of the rules that take effect then; a rule without a strategy is about everything, always."""
    strategies = [rule.get("strategy", {"path": ["*"], "affect": ""}) for rule in rules]
    return [path for one in strategies if one["affect"] in affects for path in one["path"]]


def matches(selector: Mapping[str, Any], subject: Subject) -> bool:
    """Tell whether a rule picks an object: something is asked for, and everything that is asked for holds."""
    asked = {
        "componentNames": subject.component,
        "componentTypes": subject.component_type,
        "oamTypes": "TRAIT" if subject.trait else "COMPONENT",
        "traitTypes": subject.trait,
        "resourceTypes": subject.kind,
        "resourceNames": subject.name,
    }
    held = [bool(value) and value in selector[name] for name, value in asked.items() if selector.get(name)]
    return bool(held) and all(held)
