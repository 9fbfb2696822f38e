"""What task and cron-task have in common: the Job's pods."""

from __future__ import annotations

from typing import Final

from controller.render.oam.definition import Body, Context, Parameters
from controller.render.oam.pods import (
    IMAGE,
    LABELS,
    PROBE,
    RUN,
    VOLUMES,
    container,
    mounts_and_volumes,
    pod_metadata,
    pull_secrets,
)
from controller.render.oam.schema import Kind, Text, Whole

PARAMETERS: Final[dict[str, Kind]] = {
    **LABELS,
    "count": Whole(1),
    **IMAGE,
    "restart": Text("Never"),
    **RUN,
    "volumes?": VOLUMES,
    "livenessProbe?": PROBE,  # declared, and left out by the template
    "readinessProbe?": PROBE,
}


def pod_template(parameters: Parameters, context: Context) -> Body:
    """Make a Job's pod template."""
    mounts, volumes = mounts_and_volumes(parameters)
    return {
        "metadata": pod_metadata(parameters, context),
        "spec": {
            "restartPolicy": parameters["restart"],
            "containers": [container(parameters, context) | mounts],
            **volumes,
            **pull_secrets(parameters),
        },
    }
