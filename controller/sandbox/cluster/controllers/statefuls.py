"""StatefulSets: pods with ordinals and claims of their own, one after another (pkg/controller/statefulset)."""

from __future__ import annotations

from controller.sandbox.cluster.controllers.control import Control, Object, is_leaving, is_ready, pod_from
from controller.sandbox.cluster.controllers.deployments import template_hash

REVISION = "controller-revision-hash"


def reconcile(control: Control, owner: Object) -> None:
    meta, spec = owner["metadata"], owner["spec"]
    update = f"{meta['name']}-{template_hash(spec['template'])}"
    current = owner.get("status", {}).get("currentRevision") or update
    pods = {_ordinal(pod): pod for pod in control.children("Pod", owner)}
    if not is_leaving(owner):
        _step(control, owner, pods, update)
        pods = {_ordinal(pod): pod for pod in control.children("Pod", owner)}
    present = [pod for pod in pods.values() if not is_leaving(pod)]
    ready, updated = sum(map(is_ready, present)), sum(_revision(pod) == update for pod in present)
    is_rolled = updated == spec["replicas"] == ready
    status = {
        "observedGeneration": meta["generation"], "replicas": len(present), "availableReplicas": ready,
        "currentRevision": update if is_rolled else current, "updateRevision": update, "collisionCount": 0,
    }  # fmt: skip
    held = updated if is_rolled else sum(_revision(pod) == current for pod in present)
    counts = {"readyReplicas": ready, "updatedReplicas": updated, "currentReplicas": held}
    control.set_status("StatefulSet", owner, status | {name: count for name, count in counts.items() if count})


def _step(control: Control, owner: Object, pods: dict[int, Object], update: str) -> None:
    """Do what may be done now: scale down from the top, create from the bottom, then roll from the top."""
    spec = owner["spec"]
    is_ordered = spec.get("podManagementPolicy") == "OrderedReady"
    for ordinal in sorted((one for one in pods if one >= spec["replicas"]), reverse=True):
        if not is_leaving(pods[ordinal]):
            control.delete("Pod", pods[ordinal])
            if is_ordered:
                return
    for ordinal in range(spec["replicas"]):
        if ordinal not in pods:
            _create(control, owner, ordinal, update)
        if is_ordered and not (ordinal in pods and is_ready(pods[ordinal]) and not is_leaving(pods[ordinal])):
            # A pod of an old revision that never became ready must not block its own replacement.
            if ordinal in pods and not is_leaving(pods[ordinal]) and _revision(pods[ordinal]) != update:
                control.delete("Pod", pods[ordinal])
            return
    if spec["updateStrategy"]["type"] != "RollingUpdate":
        return
    partition = spec["updateStrategy"].get("rollingUpdate", {}).get("partition", 0)
    for ordinal in sorted(pods, reverse=True):
        if ordinal >= partition and _revision(pods[ordinal]) != update:
            if not is_leaving(pods[ordinal]):
                control.delete("Pod", pods[ordinal])
            return
        if not is_ready(pods[ordinal]):
            return


def _create(control: Control, owner: Object, ordinal: int, revision: str) -> None:
    meta, spec = owner["metadata"], owner["spec"]
    name = f"{meta['name']}-{ordinal}"
    labels = {
        "apps.kubernetes.io/pod-index": str(ordinal), REVISION: revision, "statefulset.kubernetes.io/pod-name": name,
    }  # fmt: skip
    pod = pod_from(spec["template"], owner, labels=labels)
    pod["metadata"]["name"] = name
    pod["spec"] |= {"hostname": name, "subdomain": spec.get("serviceName", "")}
    for template in spec.get("volumeClaimTemplates", ()):
        volume, claim = template["metadata"]["name"], f"{template['metadata']['name']}-{name}"
        if control.get("PersistentVolumeClaim", meta["namespace"], claim) is None:
            body = {
                "metadata": {"name": claim, "labels": spec["selector"].get("matchLabels", {})},
                "spec": template["spec"],
            }  # fmt: skip
            control.create("PersistentVolumeClaim", meta["namespace"], body)
        others = [one for one in pod["spec"].get("volumes", []) if one["name"] != volume]
        pod["spec"]["volumes"] = [*others, {"name": volume, "persistentVolumeClaim": {"claimName": claim}}]
    control.create("Pod", meta["namespace"], pod)


def _ordinal(pod: Object) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])


def _revision(pod: Object) -> str:
    return str(pod["metadata"].get("labels", {}).get(REVISION, ""))
