"""ReplicaSet (apps) and ReplicationController: as Argo CD's getReplicaSetHealth."""

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


def replica_set(live: Object) -> Verdict:
    if is_unobserved(live):
        return UNOBSERVED
    failure = conditions(live).get("ReplicaFailure", {})
    if text(failure, "status") == "True":
        return degraded(said(failure))
    wanted, available = number(part(live, "spec"), "replicas", 1), number(part(live, "status"), "availableReplicas")
    return progressing(f"{available} of {wanted} replicas are available") if available < wanted else HEALTHY
