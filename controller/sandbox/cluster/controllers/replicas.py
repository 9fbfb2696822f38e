"""ReplicaSets: as many pods as they say."""

from __future__ import annotations

from controller.sandbox.cluster.controllers.control import Control, Object, is_leaving, is_ready, pod_from


def reconcile(control: Control, owner: Object) -> None:
    pods = [pod for pod in control.children("Pod", owner) if not is_leaving(pod) and not has_ended(pod)]
    wanted = owner["spec"].get("replicas", 1)
    if not is_leaving(owner):
        namespace, body = owner["metadata"]["namespace"], pod_from(owner["spec"]["template"], owner)
        pods += [control.create("Pod", namespace, body) for _ in range(wanted - len(pods))]
        pods.sort(key=is_ready)  # those that are not ready go first
        for pod in pods[: max(0, len(pods) - wanted)]:
            control.delete("Pod", pod)
        pods = pods[max(0, len(pods) - wanted) :]
    ready = sum(map(is_ready, pods))
    status = {"replicas": len(pods), "observedGeneration": owner["metadata"]["generation"], "terminatingReplicas": 0}
    counts = {"fullyLabeledReplicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
    control.set_status("ReplicaSet", owner, status | {name: count for name, count in counts.items() if count})


def has_ended(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}
