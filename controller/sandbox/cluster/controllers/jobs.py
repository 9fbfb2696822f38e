"""Jobs: pods until enough of them succeeded, or too many failed (pkg/controller/job)."""

from __future__ import annotations

from controller.sandbox.cluster import lifecycle
from controller.sandbox.cluster.controllers.control import Control, Object, is_leaving, pod_from


def reconcile(control: Control, job: Object) -> None:
    if is_leaving(job):
        return
    status: Object = dict(job.get("status", {}))
    meta, spec = job["metadata"], job["spec"]
    if _is_finished(status):
        if (seconds := spec.get("ttlSecondsAfterFinished")) is not None:
            _end_later(control, job, seconds)
        return
    pods = control.children("Pod", job)
    phases = [pod.get("status", {}).get("phase") for pod in pods]
    succeeded, failed = phases.count("Succeeded"), phases.count("Failed")
    active = [
        pod for pod in pods if pod.get("status", {}).get("phase") not in {"Succeeded", "Failed"} and not is_leaving(pod)
    ]
    wanted = spec.get("completions", 1)
    now = lifecycle.now()
    if spec.get("suspend"):
        for pod in active:
            control.delete("Pod", pod)
        active = []
        status["conditions"] = [_condition("Suspended", "JobSuspended", "Job suspended", now)]
    else:
        status.setdefault("startTime", now)
        status["conditions"] = [one for one in status.get("conditions", []) if one["type"] != "Suspended"]
        if failed > spec["backoffLimit"]:
            words = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
            status["conditions"] = [_condition("FailureTarget", *words, now), _condition("Failed", *words, now)]
        elif succeeded >= wanted:
            words = ("CompletionsReached", "Reached expected number of succeeded pods")
            status["conditions"] = [_condition("SuccessCriteriaMet", *words, now), _condition("Complete", *words, now)]
            status["completionTime"] = now
        else:
            missing = min(spec["parallelism"], wanted - succeeded) - len(active)
            for _ in range(missing):
                active.append(control.create("Pod", meta["namespace"], pod_from(spec["template"], job)))
    status = {name: value for name, value in status.items() if name not in {"active", "succeeded", "failed", "ready"}}
    counts = {"active": 0 if _is_finished(status) else len(active), "succeeded": succeeded, "failed": failed}
    status |= {name: count for name, count in counts.items() if count}
    status |= {"ready": sum(phase == "Running" for phase in phases), "terminating": 0, "uncountedTerminatedPods": {}}
    if not status["conditions"]:
        del status["conditions"]
    control.set_status("Job", job, status)


def _is_finished(status: Object) -> bool:
    return any(
        one["type"] in {"Complete", "Failed"} and one["status"] == "True" for one in status.get("conditions", ())
    )


def _condition(kind: str, reason: str, message: str, now: str) -> Object:
    return {
        "type": kind, "status": "True", "reason": reason, "message": message, "lastProbeTime": now,
        "lastTransitionTime": now,
    }  # fmt: skip


def _end_later(control: Control, job: Object, seconds: int) -> None:
    meta = job["metadata"]
    finished = max(one["lastTransitionTime"] for one in job["status"]["conditions"])
    left = seconds - lifecycle.seconds_since(finished)
    if left <= 0:
        control.delete("Job", job)
    else:
        control.later(left, ("Job", meta["namespace"], meta["name"]))
