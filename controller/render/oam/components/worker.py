"""worker: a Deployment that serves nobody."""

from __future__ import annotations

from typing import Final

from controller.render.oam.components.services import workload
from controller.render.oam.definition import ComponentDefinition, Context, Parameters, Workload
from controller.render.oam.pods import IMAGE, PROBE, RUN, VOLUME_MOUNTS, VOLUMES
from controller.render.oam.schema import TEXT, fields

_PARAMETERS: Final = fields(
    {
        **IMAGE,
        "imagePullPolicy?": TEXT,
        **RUN,
        "volumeMounts?": VOLUME_MOUNTS,
        "volumes?": VOLUMES,
        "livenessProbe?": PROBE,
        "readinessProbe?": PROBE,
    }
)


def _build(parameters: Parameters, context: Context) -> Workload:
    return Workload(workload("Deployment", parameters, context, {}))


WORKER: Final = ComponentDefinition(_PARAMETERS, _build)
