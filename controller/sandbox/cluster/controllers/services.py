"""Services of type LoadBalancer get an address (of the block for documentation, RFC 5737)."""

from __future__ import annotations

from controller.sandbox.cluster.controllers.control import Control, Object, is_leaving


def reconcile(control: Control, service: Object) -> None:
    if is_leaving(service):
        return
    if service["spec"].get("type") != "LoadBalancer":
        control.set_status("Service", service, {"loadBalancer": {}})
    elif not service.get("status", {}).get("loadBalancer"):
        last = 1 + int(service["metadata"]["uid"][:2], 16) % 254
        control.set_status(
            "Service", service, {"loadBalancer": {"ingress": [{"ip": f"203.0.113.{last}", "ipMode": "VIP"}]}}
        )
