"""Any other kind, by what the API conventions ask of its status: as kstatus's generic rules.

`observedGeneration` behind `generation` is Progressing. Conditions that say failure when True (Stalled, Failed…) come
first, and a `Synced` that is False for a ReconcileError, as every resource that Crossplane manages says it; then
Reconciling, then those that say readiness (Ready, Available…): False and Unknown are Progressing, for the deadline to
judge, because most controllers say False while they work. No condition at all is Healthy.
"""

from __future__ import annotations

from typing import Final

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

FAILURES: Final = ("Stalled", "Failed", "Failure", "Degraded")
READINESS: Final = ("Ready", "Available", "Healthy")


def standard(live: Object) -> Verdict:
    if "observedGeneration" in part(live, "status") and is_unobserved(live):
        return UNOBSERVED
    found = conditions(live)
    for kind in FAILURES:
        if text(found.get(kind, {}), "status") == "True":
            return degraded(said(found[kind], kind))
    synced = found.get("Synced", {})
    if text(synced, "status") == "False" and text(synced, "reason") == "ReconcileError":
        return degraded(said(synced, "ReconcileError"))
    if text(found.get("Reconciling", {}), "status") == "True":
        return progressing(said(found["Reconciling"], "Reconciling"))
    return _readiness(live)


def _readiness(live: Object) -> Verdict:
    found = conditions(live)
    generation = number(part(live, "metadata"), "generation")
    for kind in READINESS:
        one = found.get(kind)
        if one is None:
            continue
        if number(one, "observedGeneration", generation) < generation:
            return UNOBSERVED
        return HEALTHY if text(one, "status") == "True" else progressing(said(one, f"it is not {kind}"))
    return HEALTHY
