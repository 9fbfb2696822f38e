"""init-container: a container that runs before the others and shares a volume with the component's own."""

from __future__ import annotations

from typing import Any, Final

from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.patching import Patch, Yielding
from controller.render.oam.pods import ENV, picked
from controller.render.oam.schema import TEXT, TEXTS, Items, OneOf, fields
from controller.render.oam.traits.pod_spec import CONTAINERS, POD, nested

_INIT: Final = f"{POD}.initContainers"
_KEYS: Final = dict.fromkeys(
    (CONTAINERS, f"{CONTAINERS}[].volumeMounts", _INIT, f"{_INIT}[].volumeMounts", f"{POD}.volumes"), "name"
)


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    # A mount name that nobody wrote yields to the one that is there: so does KubeVela's patch, which sees a default.
    name: Any = parameters.get("mountName", Yielding("workdir"))
    mounted = {"name": context.component, "volumeMounts": [{"name": name, "mountPath": parameters["appMountPath"]}]}
    container = picked(parameters, "name", "image", "imagePullPolicy", "args", "env")
    if "cmd" in parameters:
        container["command"] = parameters["cmd"]
    own = [{"name": name, "mountPath": parameters["initMountPath"]}]
    container["volumeMounts"] = own + parameters["extraVolumeMounts"]
    pod = {"containers": [mounted], "initContainers": [container], "volumes": [{"name": name, "emptyDir": {}}]}
    return Effect(patch=Patch(nested(POD, pod), keys=_KEYS))


INIT_CONTAINER: Final = TraitDefinition(
    fields(
        {
            "name": TEXT,
            "image": TEXT,
            "imagePullPolicy": OneOf(("IfNotPresent", "Always", "Never"), default="IfNotPresent"),
            "cmd?": TEXTS,
            "args?": TEXTS,
            "env?": ENV,
            "mountName?": TEXT,
            "appMountPath": TEXT,
            "initMountPath": TEXT,
            "extraVolumeMounts": Items(fields({"name": TEXT, "mountPath": TEXT}, passed_on=True)),
        }
    ),
    _apply,
)
