"""Pod: as Argo CD's getPodHealth."""

from __future__ import annotations

from collections.abc import Iterator

from controller.model import Health
from controller.targets.kubernetes.health.reading import (
    HEALTHY,
    Object,
    Verdict,
    conditions,
    degraded,
    items,
    number,
    part,
    progressing,
    said,
    text,
)


def pod(live: Object) -> Verdict:
    status = part(live, "status")
    is_service = text(part(live, "spec"), "restartPolicy") in {"", "Always"}
    stuck = next(_stuck(status), "") if is_service else ""
    if stuck:
        return degraded(stuck)
    phase = text(status, "phase")
    if phase == "Succeeded":
        return HEALTHY
    if phase == "Failed":
        return degraded(said(status) or next(_exits(status), "it failed"))
    if phase == "Running" and is_service:
        return _running(live, status)
    if phase in {"Pending", "Running"}:
        waits = conditions(live).get("PodScheduled", {})
        return progressing(said(waits) if text(waits, "status") == "False" else f"it is {phase.lower()}")
    return (Health.UNKNOWN, said(status, "its node does not tell its state"))


def _running(live: Object, status: Object) -> Verdict:
    ready = conditions(live).get("Ready", {})
    if text(ready, "status") == "True":
        return HEALTHY
    # A container that ended before and is not ready now is one that keeps failing.
    for one in items(status, "containerStatuses"):
        if part(one, "lastState", "terminated") and one.get("ready") is not True:
            return degraded(_exit(one, part(one, "lastState", "terminated")))
    return progressing(said(ready, "it is not ready yet"))


def _stuck(status: Object) -> Iterator[str]:
    """Say which containers wait for something that a restart does not bring."""
    for one in (*items(status, "initContainerStatuses"), *items(status, "containerStatuses")):
        waiting = part(one, "state", "waiting")
        reason = text(waiting, "reason")
        if reason.startswith("Err") or reason.endswith(("Error", "BackOff")):
            ended = part(one, "lastState", "terminated")
            why = _exit(one, ended) if reason == "CrashLoopBackOff" and ended else said(waiting)
            yield f"{reason}: {why}"


def _exits(status: Object) -> Iterator[str]:
    for one in items(status, "containerStatuses"):
        ended = part(one, "state", "terminated")
        if ended and number(ended, "exitCode"):
            yield _exit(one, ended)


def _exit(container: Object, ended: Object) -> str:
    reason = f" ({text(ended, 'reason')})" if text(ended, "reason") not in {"", "Error"} else ""
    return f"container {text(container, 'name')} ended with exit code {number(ended, 'exitCode')}{reason}"
