"""One node and its kubelet, which pretends: a pod has at once the status that it would have after its containers ran.

Images that do not run, by the beginning of their names, are the same as those of the control plane in tests/cluster.
"""

from __future__ import annotations

from typing import Any

from controller.sandbox.cluster import lifecycle
from controller.sandbox.cluster.controllers.control import (
    KUBELET,
    Control,
    Object,
    is_leaving,
    with_condition,
)

NODE = "sandbox"
PULL_FAILS = "fail.example/pull/"  # it can't be pulled: ImagePullBackOff
CRASHES = "fail.example/crash/"  # it ends with status 1 again and again: CrashLoopBackOff; once, in a Job: failed
STAYS_UNREADY = "fail.example/unready/"  # it runs, and its readiness probe fails
KEEPS_RUNNING = "run.example/"  # a Job's pod that doesn't end


def reconcile(control: Control, pod: Object) -> None:
    """Bring a pod to a node, report its status, or end it."""
    if is_leaving(pod):
        control.delete("Pod", pod, grace_seconds=0)
        return
    if not pod["spec"].get("nodeName"):
        pod = control.bind(pod, NODE, lifecycle.now())
    control.set_status("Pod", pod, status_of(pod), manager=KUBELET)


def status_of(pod: Object) -> Object:
    """Say what a kubelet would report. Pure but for the first start's time."""
    old = pod.get("status", {})
    if old.get("phase") in {"Succeeded", "Failed"}:
        status: Object = old
        return status
    spec = pod["spec"]
    since = old.get("startTime") or lifecycle.now()
    runs_once = spec.get("restartPolicy", "Always") != "Always"
    containers = [
        _container(one, since, ends=runs_once and not one["image"].startswith(KEEPS_RUNNING))
        for one in spec["containers"]
    ]
    inits = [
        _container(one, since, ends=one.get("restartPolicy") != "Always") for one in spec.get("initContainers", ())
    ]
    phase = _phase(containers, runs_once=runs_once)
    is_ready = phase == "Running" and all(one["ready"] for one in containers)
    reason = "" if is_ready else "PodCompleted" if phase == "Succeeded" else "ContainersNotReady"
    conditions = old.get("conditions", [])
    for name, holds in (
        ("PodScheduled", True),
        ("Initialized", True),
        ("ContainersReady", is_ready),
        ("Ready", is_ready),
    ):
        condition = {"type": name, "status": str(holds), "lastProbeTime": None}
        if reason and name.endswith("Ready"):
            condition["reason"] = reason
        conditions = with_condition(conditions, {k: v for k, v in condition.items() if v is not None}, since)
    address = _address(pod["metadata"]["uid"])
    status = {
        "phase": phase, "conditions": conditions, "hostIP": "127.0.0.1", "hostIPs": [{"ip": "127.0.0.1"}],
        "podIP": address, "podIPs": [{"ip": address}], "startTime": since,
        "qosClass": old.get("qosClass", "BestEffort"),
        "containerStatuses": containers,
    }  # fmt: skip
    if inits:
        status["initContainerStatuses"] = inits
    return status


def _container(container: Object, since: str, *, ends: bool) -> Object:
    image, name = container["image"], container["name"]
    status: Object = {
        "name": name, "image": image, "imageID": "", "lastState": {}, "restartCount": 0, "ready": False,
        "started": False,
    }  # fmt: skip
    failed = {"exitCode": 1, "reason": "Error", "startedAt": since, "finishedAt": since}
    if image.startswith(PULL_FAILS):
        message = f'Back-off pulling image "{image}"'
        status["state"] = {"waiting": {"reason": "ImagePullBackOff", "message": message}}
    elif image.startswith(CRASHES) and ends:
        status["state"] = {"terminated": failed}
    elif image.startswith(CRASHES):
        message = f"back-off 40s restarting failed container={name}"
        status |= {"restartCount": 3, "lastState": {"terminated": failed}}
        status["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
    elif ends:
        status["state"] = {"terminated": {**failed, "exitCode": 0, "reason": "Completed"}}
    else:
        status |= {"ready": not image.startswith(STAYS_UNREADY), "started": True}
        status["state"] = {"running": {"startedAt": since}}
    return status


def _phase(containers: list[Object], *, runs_once: bool) -> str:
    ended = [one["state"]["terminated"]["exitCode"] for one in containers if "terminated" in one["state"]]
    if runs_once and len(ended) == len(containers):
        return "Failed" if any(ended) else "Succeeded"
    waiting: list[Any] = [one["state"].get("waiting", {}).get("reason") for one in containers]
    return "Pending" if "ImagePullBackOff" in waiting else "Running"


def _address(uid: str) -> str:
    digits = int(uid.replace("-", "")[:6] or "0", 16)
    return f"10.{128 + digits % 64}.{digits >> 8 & 255}.{digits >> 16 & 255}"
