"""APIService (apiregistration.k8s.io): as Argo CD's getAPIServiceHealth."""

from __future__ import annotations

from controller.targets.kubernetes.health.reading import HEALTHY, Object, Verdict, conditions, progressing, said, text


def api_service(live: Object) -> Verdict:
    available = conditions(live).get("Available", {})
    if text(available, "status") == "True":
        return HEALTHY
    return progressing(said(available, "its availability is not known yet"))
