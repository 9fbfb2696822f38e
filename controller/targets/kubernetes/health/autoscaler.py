"""HorizontalPodAutoscaler (autoscaling): as Argo CD's getHPAHealth, on the conditions of autoscaling/v2."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from controller.targets.kubernetes.health.reading import (
    HEALTHY,
    Object,
    Verdict,
    conditions,
    degraded,
    part,
    progressing,
    said,
    text,
)


def horizontal_pod_autoscaler(live: Object) -> Verdict:
    found = conditions(live) or _of_version_1(live)
    for kind in ("AbleToScale", "ScalingActive"):
        one = found.get(kind, {})
        if text(one, "status") == "False" and text(one, "reason").startswith(("Failed", "Invalid")):
            return degraded(said(one))
    for kind in ("AbleToScale", "ScalingLimited"):
        if text(found.get(kind, {}), "status") == "True":
            return HEALTHY
    return progressing("it has not scaled anything yet")


def _of_version_1(live: Object) -> Mapping[str, Object]:
    """Give the conditions of autoscaling/v1, which has them as an annotation."""
    try:
        found = orjson.loads(text(part(live, "metadata", "annotations"), "autoscaling.alpha.kubernetes.io/conditions"))
    except orjson.JSONDecodeError:
        return {}
    listed = [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
    return {text(one, "type"): one for one in listed}
