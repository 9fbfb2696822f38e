"""DaemonSets: one pod on the one node there is."""

from __future__ import annotations

from controller.sandbox.cluster.controllers.control import Control, Object, is_leaving, is_ready, pod_from
from controller.sandbox.cluster.controllers.deployments import template_hash
from controller.sandbox.cluster.controllers.statefuls import REVISION


def reconcile(control: Control, owner: Object) -> None:
    revision = template_hash(owner["spec"]["template"])
    pods = [pod for pod in control.children("Pod", owner) if not is_leaving(pod)]
    if not is_leaving(owner):
        rolls = owner["spec"]["updateStrategy"]["type"] == "RollingUpdate"
        for pod in pods:
            if rolls and pod["metadata"]["labels"].get(REVISION) != revision:
                control.delete("Pod", pod)
        pods = [pod for pod in control.children("Pod", owner) if not is_leaving(pod)]
        if not pods:
            body = pod_from(owner["spec"]["template"], owner, labels={REVISION: revision})
            pods = [control.create("Pod", owner["metadata"]["namespace"], body)]
    ready = sum(map(is_ready, pods))
    updated = sum(pod["metadata"]["labels"].get(REVISION) == revision for pod in pods)
    status = {
        "observedGeneration": owner["metadata"]["generation"], "desiredNumberScheduled": 1, "numberMisscheduled": 0,
        "currentNumberScheduled": len(pods), "numberReady": ready,
    }  # fmt: skip
    counts = {"updatedNumberScheduled": updated, "numberAvailable": ready, "numberUnavailable": 1 - ready}
    control.set_status("DaemonSet", owner, status | {name: count for name, count in counts.items() if count})
