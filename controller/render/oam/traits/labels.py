"""labels and annotations: metadata of the workload and of its pods; null removes."""

from __future__ import annotations

from typing import Final

from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.patching import Patch, Strategy
from controller.render.oam.schema import TEXT, Maybe, Table
from controller.render.oam.traits.pod_spec import at, nested

_VALUES: Final = Table(Maybe(TEXT))


def _labels(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    body = nested("metadata.labels", parameters)
    if at(workload, "spec", "template") is not None:
        body |= nested("spec.template.metadata.labels", parameters)
    return Effect(patch=Patch(body, Strategy.JSON_MERGE))


def _annotations(parameters: Parameters, workload: Body, context: Context) -> Effect:  # noqa: ARG001
    body = nested("metadata.annotations", parameters)
    if at(workload, "spec", "template") is not None:
        body |= nested("spec.template.metadata.annotations", parameters)
    if at(workload, "spec", "jobTemplate") is not None:
        job: Body = nested("metadata.annotations", parameters)
        if at(workload, "spec", "jobTemplate", "spec", "template") is not None:
            job |= nested("spec.template.metadata.annotations", parameters)
        body.setdefault("spec", {})["jobTemplate"] = job
    return Effect(patch=Patch(body, Strategy.JSON_MERGE))


LABELS: Final = TraitDefinition(_VALUES, _labels)
ANNOTATIONS: Final = TraitDefinition(_VALUES, _annotations)
