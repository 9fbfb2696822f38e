"""PodDisruptionBudget (policy): as kstatus's pdbConditions; a budget over no pods is met."""

from __future__ import annotations

from controller.targets.kubernetes.health.reading import (
    HEALTHY,
    UNOBSERVED,
    Object,
    Verdict,
    conditions,
    degraded,
    is_unobserved,
    number,
    part,
    progressing,
    said,
    text,
)


def pod_disruption_budget(live: Object) -> Verdict:
    if is_unobserved(live):
        return UNOBSERVED
    allowed = conditions(live).get("DisruptionAllowed", {})
    if text(allowed, "reason") == "SyncFailed":
        return degraded(said(allowed))
    status = part(live, "status")
    healthy, wanted = number(status, "currentHealthy"), number(status, "desiredHealthy")
    if number(status, "expectedPods") and healthy < wanted:
        return progressing(f"{healthy} of {wanted} pods are healthy")
    return HEALTHY
