"""HorizontalPodAutoscaler (autoscaling): as Argo CD's getHPAHealth, on the conditions of autoscaling/v2."""

from __future__ import annotations

from controller.targets.kubernetes.health.reading import (
    HEALTHY,
    Object,
    Verdict,
    conditions,
    degraded,
    progressing,
    said,
    text,
)


def horizontal_pod_autoscaler(live: Object) -> Verdict:
    found = conditions(live)
    for kind in ("AbleToScale", "ScalingActive"):
        one = found.get(kind, {})
        if text(one, "status") == "False" and text(one, "reason").startswith(("Failed", "Invalid")):
            return degraded(said(one))
    for kind in ("AbleToScale", "ScalingLimited"):
        if text(found.get(kind, {}), "status") == "True":
            return HEALTHY
    return progressing("it has not scaled anything yet")
