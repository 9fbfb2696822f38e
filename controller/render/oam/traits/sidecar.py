"""sidecar: one more container in the pod."""

from __future__ import annotations

from typing import Final

from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.patching import Patch
from controller.render.oam.pods import PROBE, env_of, picked
from controller.render.oam.schema import TEXT, TEXTS, Items, fields
from controller.render.oam.traits.pod_spec import CONTAINERS, nested

_ENV: Final = env_of(fieldRef=fields({"fieldPath": TEXT}, passed_on=True))


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    container: Body = picked(parameters, "name", "image", "args", "env", "livenessProbe", "readinessProbe")
    if "cmd" in parameters:
        container["command"] = parameters["cmd"]
    if "volumes" in parameters:
        container["volumeMounts"] = [{"mountPath": one["path"], "name": one["name"]} for one in parameters["volumes"]]
    return Effect(patch=Patch(nested(CONTAINERS, [container]), keys={CONTAINERS: "name"}))


SIDECAR: Final = TraitDefinition(
    fields(
        {
            "name": TEXT,
            "image": TEXT,
            "cmd?": TEXTS,
            "args?": TEXTS,
            "env?": _ENV,
            "volumes?": Items(fields({"name": TEXT, "path": TEXT})),
            "livenessProbe?": PROBE,
            "readinessProbe?": PROBE,
        }
    ),
    _apply,
)
