"""StatefulSet (apps): as Argo CD's getStatefulSetHealth."""

from __future__ import annotations

from controller.targets.kubernetes.health.reading import (
    HEALTHY,
    UNOBSERVED,
    Object,
    Verdict,
    is_unobserved,
    number,
    part,
    progressing,
    text,
)


def stateful_set(live: Object) -> Verdict:
    spec, status = part(live, "spec"), part(live, "status")
    if is_unobserved(live):
        return UNOBSERVED
    wanted, ready = number(spec, "replicas", 1), number(status, "readyReplicas")
    if ready < wanted:
        return progressing(f"{ready} of {wanted} replicas are ready")
    strategy = part(spec, "updateStrategy")
    if text(strategy, "type") == "OnDelete":  # who deletes the pods decides when they are replaced
        return HEALTHY
    partition = number(part(strategy, "rollingUpdate"), "partition")
    updated = number(status, "updatedReplicas")
    if partition:
        due = wanted - partition
        return progressing(f"{updated} of {due} replicas of the partition are updated") if updated < due else HEALTHY
    if text(status, "updateRevision") != text(status, "currentRevision"):
        return progressing(f"{updated} of {wanted} replicas are updated")
    return HEALTHY
