"""DaemonSet (apps): as Argo CD's getDaemonSetHealth."""

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


def daemon_set(live: Object) -> Verdict:
    status = part(live, "status")
    if is_unobserved(live):
        return UNOBSERVED
    if text(part(live, "spec", "updateStrategy"), "type") == "OnDelete":
        return HEALTHY
    wanted, updated = number(status, "desiredNumberScheduled"), number(status, "updatedNumberScheduled")
    if updated < wanted:
        return progressing(f"{updated} of {wanted} pods are updated")
    available = number(status, "numberAvailable")
    return progressing(f"{available} of {wanted} pods are available") if available < wanted else HEALTHY
