"""Service: as Argo CD's getServiceHealth; only a load balancer has something to wait for."""

from __future__ import annotations

from controller.targets.kubernetes.health.reading import HEALTHY, Object, Verdict, items, part, progressing, text


def service(live: Object) -> Verdict:
    if text(part(live, "spec"), "type") != "LoadBalancer" or items(part(live, "status", "loadBalancer"), "ingress"):
        return HEALTHY
    return progressing("no load balancer has given it an address yet")
