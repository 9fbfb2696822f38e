"""CustomResourceDefinition (apiextensions.k8s.io): as kstatus's crdConditions."""

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


def custom_resource_definition(live: Object) -> Verdict:
    found = conditions(live)
    names = found.get("NamesAccepted", {})
    if text(names, "status") == "False":
        return degraded(said(names))
    established = found.get("Established", {})
    if text(established, "status") == "True":
        return HEALTHY
    if text(established, "status") == "False" and text(established, "reason") != "Installing":
        return degraded(said(established))
    return progressing("it is not established yet")
