"""Deployment (apps): as Argo CD's getDeploymentHealth and kstatus's deploymentConditions."""

from __future__ import annotations

from controller.model import Health
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


def deployment(live: Object) -> Verdict:
    spec, status, found = part(live, "spec"), part(live, "status"), conditions(live)
    if spec.get("paused") is True:
        return (Health.SUSPENDED, "it is paused")
    if is_unobserved(live):
        return UNOBSERVED
    rollout = found.get("Progressing", {})
    if text(rollout, "reason") == "ProgressDeadlineExceeded":
        return degraded(said(found.get("ReplicaFailure", {})) or said(rollout))
    missing = _missing(number(spec, "replicas", 1), status)
    if missing:
        failure = found.get("ReplicaFailure", {})
        return progressing(f"{missing}: {said(failure)}" if text(failure, "status") == "True" else missing)
    if text(found.get("Available", {}), "status") == "False":
        return progressing(said(found["Available"]))
    return HEALTHY


def _missing(wanted: int, status: Object) -> str:
    updated = number(status, "updatedReplicas")
    if updated < wanted:
        return f"{updated} of {wanted} replicas are updated"
    old = number(status, "replicas") - updated
    if old > 0:
        return f"{old} old replicas are still there"
    available = number(status, "availableReplicas")
    return f"{available} of {wanted} replicas are available" if available < wanted else ""
