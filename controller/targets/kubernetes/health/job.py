"""Job and CronJob (batch): as Argo CD's getJobHealth; a suspended CronJob is Suspended, any other is Healthy."""

from __future__ import annotations

from controller.model import Health
from controller.targets.kubernetes.health.reading import (
    HEALTHY,
    Object,
    Verdict,
    conditions,
    degraded,
    number,
    part,
    progressing,
    said,
    text,
)


def job(live: Object) -> Verdict:
    found = conditions(live)
    for kind in ("Failed", "FailureTarget"):
        if text(found.get(kind, {}), "status") == "True":
            return degraded(said(found[kind], "it failed"))
    if text(found.get("Complete", {}), "status") == "True":
        return HEALTHY
    if part(live, "spec").get("suspend") is True:
        return (Health.SUSPENDED, "it is suspended")
    done, wanted = number(part(live, "status"), "succeeded"), number(part(live, "spec"), "completions", 1)
    return progressing(f"{done} of {wanted} completions")


def cron_job(live: Object) -> Verdict:
    return (Health.SUSPENDED, "it is suspended") if part(live, "spec").get("suspend") is True else HEALTHY
