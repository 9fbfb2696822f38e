"""task: a Job that runs once. It is named after the application too, since a Job can't change."""

from __future__ import annotations

from typing import Final

from controller.render.oam.components.jobs import PARAMETERS, pod_template
from controller.render.oam.definition import ComponentDefinition, Context, Parameters, Workload
from controller.render.oam.schema import fields

_PARAMETERS: Final = fields(PARAMETERS)


def _build(parameters: Parameters, context: Context) -> Workload:
    return Workload(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": f"{context.application}-{context.component}"},
            "spec": {
                "parallelism": parameters["count"],
                "completions": parameters["count"],
                "template": pod_template(parameters, context),
            },
        }
    )


TASK: Final = ComponentDefinition(_PARAMETERS, _build)
