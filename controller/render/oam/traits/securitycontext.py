"""securitycontext and podsecuritycontext: rights of a container, of the pod; without parameters the careful ones."""

from __future__ import annotations

from typing import Final

from controller.model import FieldPath
from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.patching import Patch
from controller.render.oam.pods import picked
from controller.render.oam.schema import TEXT, TEXTS, WHOLE, OneOf, Truth, fields
from controller.render.oam.traits.containers import OneOrMany, patch_containers
from controller.render.oam.traits.pod_spec import POD, nested

_PASSED: Final = (
    "runAsUser", "runAsGroup", "allowPrivilegeEscalation", "readOnlyRootFilesystem", "privileged", "runAsNonRoot",
)  # fmt: skip


def _patch(parameters: Parameters, container: Body, context: Context, path: FieldPath) -> Body:  # noqa: ARG001
    capabilities = {}
    for name, field in (("add", "addCapabilities"), ("drop", "dropCapabilities")):
        if field in parameters:
            capabilities[name] = parameters[field]
    return {"securityContext": {"capabilities": capabilities, **picked(parameters, *_PASSED)}}


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:
    return patch_containers(parameters, workload, context, trait="securitycontext", patch=_patch)


SECURITYCONTEXT: Final = TraitDefinition(
    OneOrMany(
        {
            "addCapabilities?": TEXTS,
            "dropCapabilities?": TEXTS,
            "allowPrivilegeEscalation": Truth(False),
            "privileged": Truth(False),
            "readOnlyRootFilesystem": Truth(False),
            "runAsNonRoot": Truth(True),
            "runAsUser?": WHOLE,
            "runAsGroup?": WHOLE,
        }
    ),
    _apply,
)

_PROFILE: Final = fields(
    {"type": OneOf(("RuntimeDefault", "Unconfined", "Localhost")), "localhostProfile?": TEXT}, passed_on=True
)
_POD_FIELDS: Final = fields(
    {
        "appArmorProfile?": _PROFILE,
        "fsGroup?": WHOLE,
        "runAsGroup?": WHOLE,
        "runAsUser?": WHOLE,
        "runAsNonRoot": Truth(True),
        "seccompProfile?": _PROFILE,
    }
)


def _apply_to_pod(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    body = picked(parameters, *sorted(_POD_FIELDS.declared))
    return Effect(patch=Patch(nested(f"{POD}.securityContext", body)))


PODSECURITYCONTEXT: Final = TraitDefinition(_POD_FIELDS, _apply_to_pod)
