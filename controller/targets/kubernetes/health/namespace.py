"""Namespace: there, or on its way out; then its conditions say what holds it."""

from __future__ import annotations

from controller.model import Health
from controller.targets.kubernetes.health.reading import HEALTHY, Object, Verdict, conditions, part, said, text


def namespace(live: Object) -> Verdict:
    return HEALTHY if text(part(live, "status"), "phase") != "Terminating" else terminating_namespace(live)


def terminating_namespace(live: Object) -> Verdict:
    held = [said(one) for one in conditions(live).values() if text(one, "status") == "True"]
    return (Health.TERMINATING, "; ".join(one for one in held if one) or "it is being deleted")
