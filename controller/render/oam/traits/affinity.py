"""affinity: near which pods and on which nodes, and which taints are borne; node-affinity, its forerunner."""

from __future__ import annotations

from typing import Any, Final

from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.patching import Patch
from controller.render.oam.pods import picked
from controller.render.oam.schema import TEXT, TEXT_TABLE, TEXTS, WHOLE, Fields, Items, OneOf, Table, Whole, fields
from controller.render.oam.traits.pod_spec import POD, nested

_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_WEIGHT: Final = Whole(minimum=1, maximum=100)
_LABEL_OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist")


def _requirement(*operators: str) -> Items:
    chosen = OneOf(operators, default="In")
    return Items(fields({"key": TEXT, "operator": chosen, "values?": TEXTS}, closed=True))


SELECTOR: Final = fields(
    {"matchLabels?": TEXT_TABLE, "matchExpressions?": _requirement(*_LABEL_OPERATORS)}, closed=True
)
_POD_TERM: Final = fields(
    {"labelSelector?": SELECTOR, "namespaces?": TEXTS, "topologyKey": TEXT, "namespaceSelector?": SELECTOR}, closed=True
)
_NODE_REQUIREMENT: Final = _requirement(*_LABEL_OPERATORS, "Gt", "Lt")
_NODE_TERM: Final = fields({"matchExpressions?": _NODE_REQUIREMENT, "matchFields?": _NODE_REQUIREMENT}, closed=True)


def _pods() -> Fields:
    preferred = Items(fields({"weight": _WEIGHT, "podAffinityTerm": _POD_TERM}))
    return fields({"required?": Items(_POD_TERM), "preferred?": preferred})


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    affinity: dict[str, Any] = {}
    for name in ("podAffinity", "podAntiAffinity"):
        if name in parameters:
            rules = parameters[name]
            affinity[name] = _renamed(rules, {"required": _REQUIRED, "preferred": _PREFERRED})
    if "nodeAffinity" in parameters:
        rules = parameters["nodeAffinity"]
        affinity["nodeAffinity"] = _renamed(rules, {"required": _REQUIRED, "preferred": _PREFERRED})
    body = {"affinity": affinity} if affinity else {}
    if "tolerations" in parameters:
        names = ("key", "effect", "value", "operator", "tolerationSeconds")
        body["tolerations"] = [picked(one, *names) for one in parameters["tolerations"]]  # type: ignore[assignment]
    return Effect(patch=Patch(nested(POD, body)))


def _renamed(rules: Parameters, names: dict[str, str]) -> Body:
    return {new: rules[old] for old, new in names.items() if old in rules}


AFFINITY: Final = TraitDefinition(
    fields(
        {
            "podAffinity?": _pods(),
            "podAntiAffinity?": _pods(),
            "nodeAffinity?": fields(
                {
                    "required?": fields({"nodeSelectorTerms": Items(_NODE_TERM)}),
                    "preferred?": Items(fields({"weight": _WEIGHT, "preference": _NODE_TERM})),
                }
            ),
            "tolerations?": Items(
                fields(
                    {
                        "key?": TEXT,
                        "operator": OneOf(("Equal", "Exists"), default="Equal"),
                        "value?": TEXT,
                        "effect?": OneOf(("NoSchedule", "PreferNoSchedule", "NoExecute")),
                        "tolerationSeconds?": WHOLE,
                    }
                )
            ),
        }
    ),
    _apply,
)


def _nodes(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    body: Body = {}
    if "affinity" in parameters:
        asked = [{"key": key, "operator": "In", "values": values} for key, values in parameters["affinity"].items()]
        body["affinity"] = {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": asked}]}}}
    if "tolerations" in parameters:
        body["tolerations"] = [
            {"effect": "NoSchedule", "key": key, "operator": "Equal", "value": value}
            for key, value in parameters["tolerations"].items()
        ]
    return Effect(patch=Patch(nested(POD, body)))


NODE_AFFINITY: Final = TraitDefinition(
    fields({"affinity?": Table(TEXTS), "tolerations?": TEXT_TABLE}), _nodes, "Use the trait affinity with nodeAffinity."
)
