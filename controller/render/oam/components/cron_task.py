"""cron-task: a CronJob."""

from __future__ import annotations

from typing import Final

from controller.render.oam.components.jobs import PARAMETERS, pod_template
from controller.render.oam.definition import ComponentDefinition, Context, Parameters, Workload
from controller.render.oam.pods import HOST_ALIASES, VOLUME_MOUNTS, picked
from controller.render.oam.schema import TEXT, WHOLE, OneOf, Truth, Whole, fields

_PARAMETERS: Final = fields(
    {
        **PARAMETERS,
        "schedule": TEXT,
        "startingDeadlineSeconds?": WHOLE,
        "suspend": Truth(False),
        "concurrencyPolicy": OneOf(("Allow", "Forbid", "Replace"), default="Allow"),
        "successfulJobsHistoryLimit": Whole(3),
        "failedJobsHistoryLimit": Whole(1),
        "volumeMounts?": VOLUME_MOUNTS,
        "hostAliases?": HOST_ALIASES,
        "ttlSecondsAfterFinished?": WHOLE,
        "activeDeadlineSeconds?": WHOLE,
        "backoffLimit": Whole(6),
    }
)
_SCHEDULING: Final = (
    "schedule", "concurrencyPolicy", "suspend", "successfulJobsHistoryLimit", "failedJobsHistoryLimit",
    "startingDeadlineSeconds",
)  # fmt: skip


def _build(parameters: Parameters, context: Context) -> Workload:
    template = pod_template(parameters, context)
    if "hostAliases" in parameters:
        template["spec"]["hostAliases"] = [picked(one, "ip", "hostnames") for one in parameters["hostAliases"]]
    metadata = {"labels": dict(template["metadata"]["labels"]), **picked(parameters, "annotations")}
    job = {
        "parallelism": parameters["count"],
        "completions": parameters["count"],
        **picked(parameters, "ttlSecondsAfterFinished", "activeDeadlineSeconds", "backoffLimit"),
        "template": template,
    }
    spec = {**picked(parameters, *_SCHEDULING), "jobTemplate": {"metadata": metadata, "spec": job}}
    return Workload({"apiVersion": "batch/v1", "kind": "CronJob", "spec": spec})


CRON_TASK: Final = ComponentDefinition(_PARAMETERS, _build)
