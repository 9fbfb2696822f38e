"""service-account: who the pods are, and what they may do."""

from __future__ import annotations

from typing import Any, Final

from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.patching import Patch
from controller.render.oam.pods import picked
from controller.render.oam.schema import TEXT, TEXTS, Items, OneOf, Truth, fields
from controller.render.oam.traits.pod_spec import POD, nested

_GROUP: Final = "rbac.authorization.k8s.io"
_PLACE: Final = f"{POD}.serviceAccountName"
_RULE: Final = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
_PRIVILEGE: Final = fields(
    {
        "verbs": TEXTS,
        "apiGroups?": TEXTS,
        "resources?": TEXTS,
        "resourceNames?": TEXTS,
        "nonResourceURLs?": TEXTS,
        "scope": OneOf(("namespace", "cluster"), default="namespace"),
    },
    closed=True,
)


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    name = parameters["name"]
    objects: dict[str, Body] = {}
    if parameters["create"]:
        objects["service-account"] = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    privileges = parameters.get("privileges", [])
    if rules := [picked(one, *_RULE) for one in privileges if one["scope"] == "cluster"]:
        subject = {"kind": "ServiceAccount", "name": name, "namespace": context.namespace}
        role, binding = _role("Cluster", f"{context.namespace}:{name}", rules, subject)
        objects |= {"cluster-role": role, "cluster-role-binding": binding}
    if rules := [picked(one, *_RULE) for one in privileges if one["scope"] == "namespace"]:
        role, binding = _role("", name, rules, {"kind": "ServiceAccount", "name": name})
        objects |= {"role": role, "role-binding": binding}
    return Effect(objects, Patch(nested(_PLACE, name), retained=frozenset({_PLACE})))


def _role(scope: str, name: str, rules: list[Body], subject: Any) -> tuple[Body, Body]:
    head = {"apiVersion": f"{_GROUP}/v1", "metadata": {"name": name}}
    reference = {"apiGroup": _GROUP, "kind": f"{scope}Role", "name": name}
    return (
        {**head, "kind": f"{scope}Role", "rules": rules},
        {
            **head,
            "metadata": {"name": name},
            "kind": f"{scope}RoleBinding",
            "roleRef": reference,
            "subjects": [subject],
        },
    )


SERVICE_ACCOUNT: Final = TraitDefinition(
    fields({"name": TEXT, "create": Truth(False), "privileges?": Items(_PRIVILEGE)}), _apply
)
