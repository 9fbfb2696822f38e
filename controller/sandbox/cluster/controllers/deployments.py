"""Deployments: a ReplicaSet per template, rolled within maxSurge and maxUnavailable (pkg/controller/deployment)."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

from controller.sandbox.cluster import lifecycle
from controller.sandbox.cluster.controllers.control import (
    Control,
    Object,
    is_leaving,
    owner_reference,
    with_condition,
)

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
DESIRED, MAXIMUM = "deployment.kubernetes.io/desired-replicas", "deployment.kubernetes.io/max-replicas"
OWN = {
    REVISION,
    DESIRED,
    MAXIMUM,
    "deployment.kubernetes.io/revision-history",
    "kubectl.kubernetes.io/last-applied-configuration",
}


def reconcile(control: Control, deployment: Object) -> None:
    """Bring a deployment one step on; the events of what it changed bring the next."""
    sets = control.children("ReplicaSet", deployment)
    new = next((one for one in sets if _template(one) == deployment["spec"]["template"]), None)
    if not is_leaving(deployment):
        if new is None and not deployment["spec"].get("paused"):
            new = _create(control, deployment, sets)
            sets = [*sets, new]
        if new is not None:
            new = _annotated(control, deployment, new, sets)
            sets = [new if one["metadata"]["uid"] == new["metadata"]["uid"] else one for one in sets]
        sets = _scaled(control, deployment, new, sets)
        new = next((one for one in sets if new and one["metadata"]["uid"] == new["metadata"]["uid"]), None)
        _forget_old(control, deployment, new, sets)
    _report(control, deployment, new, sets)


def _template(replica_set: Object) -> Object:
    """Give a ReplicaSet's template as its deployment wrote it."""
    template = replica_set["spec"]["template"]
    labels = {name: value for name, value in template["metadata"].get("labels", {}).items() if name != HASH}
    return {**template, "metadata": {**template["metadata"], "labels": labels}}


def template_hash(template: Object) -> str:
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    letters = lifecycle.NAME_LETTERS
    return "".join(letters[byte % len(letters)] for byte in digest[:10])


def _create(control: Control, deployment: Object, sets: list[Object]) -> Object:
    meta, spec = deployment["metadata"], deployment["spec"]
    label = {HASH: template_hash(spec["template"])}
    template = {**spec["template"], "metadata": {**spec["template"]["metadata"]}}
    template["metadata"]["labels"] = {**template["metadata"].get("labels", {}), **label}
    selector = {**spec["selector"], "matchLabels": {**spec["selector"].get("matchLabels", {}), **label}}
    body = {
        "metadata": {
            "name": f"{meta['name']}-{label[HASH]}", "labels": template["metadata"]["labels"],
            "annotations": _annotations(deployment, _next_revision(sets)),
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {"replicas": _surge_room(deployment, None, sets), "selector": selector, "template": template},
    }  # fmt: skip
    return control.create("ReplicaSet", meta["namespace"], body)


def _next_revision(sets: list[Object]) -> int:
    return 1 + max((_revision(one) for one in sets), default=0)


def _revision(replica_set: Object) -> int:
    return int(replica_set["metadata"].get("annotations", {}).get(REVISION, 0))


def _annotations(deployment: Object, revision: int) -> dict[str, str]:
    """A ReplicaSet carries its deployment's annotations: whoever looks for owned objects must not be fooled by them."""
    copied = {k: v for k, v in deployment["metadata"].get("annotations", {}).items() if k not in OWN}
    wanted = deployment["spec"]["replicas"]
    return {**copied, REVISION: str(revision), DESIRED: str(wanted), MAXIMUM: str(wanted + _surge(deployment))}


def _annotated(control: Control, deployment: Object, new: Object, sets: list[Object]) -> Object:
    others = [_revision(one) for one in sets if one["metadata"]["uid"] != new["metadata"]["uid"]]
    revision = _revision(new)
    if others and revision <= max(others):
        revision = max(others) + 1  # an old template again: a rollback
    wanted = _annotations(deployment, revision)
    if new["metadata"].get("annotations") == wanted:
        return new
    return control.update("ReplicaSet", new, {**new, "metadata": {**new["metadata"], "annotations": wanted}})


def _share(value: Any, total: int, *, up: bool) -> int:
    if isinstance(value, str) and value.endswith("%"):
        part = int(value[:-1]) * total / 100
        return math.ceil(part) if up else math.floor(part)
    return int(value)


def _surge(deployment: Object) -> int:
    rolling = deployment["spec"]["strategy"].get("rollingUpdate", {})
    return _share(rolling.get("maxSurge", 0), deployment["spec"]["replicas"], up=True)


def _unavailable(deployment: Object) -> int:
    rolling = deployment["spec"]["strategy"].get("rollingUpdate", {})
    allowed = _share(rolling.get("maxUnavailable", 0), deployment["spec"]["replicas"], up=False)
    return allowed if allowed or _surge(deployment) else 1


def _surge_room(deployment: Object, new: Object | None, sets: list[Object]) -> int:
    """How many pods the new ReplicaSet may have now."""
    wanted: int = deployment["spec"]["replicas"]
    if deployment["spec"]["strategy"]["type"] == "Recreate":
        others = [one for one in sets if new is None or one["metadata"]["uid"] != new["metadata"]["uid"]]
        return 0 if any(one.get("status", {}).get("replicas") for one in others) else wanted
    total: int = sum(one["spec"]["replicas"] for one in sets)
    current: int = new["spec"]["replicas"] if new else 0
    return max(min(current, wanted), min(current + wanted + _surge(deployment) - total, wanted))


def _scaled(control: Control, deployment: Object, new: Object | None, sets: list[Object]) -> list[Object]:
    if new is None:
        return sets
    uid = new["metadata"]["uid"]
    goals = {one["metadata"]["uid"]: one["spec"]["replicas"] for one in sets}
    goals[uid] = _surge_room(deployment, new, sets)
    old = sorted((one for one in sets if one["metadata"]["uid"] != uid), key=_revision)
    if deployment["spec"]["strategy"]["type"] == "Recreate":
        goals |= {one["metadata"]["uid"]: 0 for one in old}
    else:
        goals |= _shrunk(deployment, new, old)
    result = []
    for one in sets:
        goal = goals[one["metadata"]["uid"]]
        if one["spec"]["replicas"] != goal:
            one = control.update("ReplicaSet", one, {**one, "spec": {**one["spec"], "replicas": goal}})  # noqa: PLW2901
        result.append(one)
    return result


def _available(replica_set: Object) -> int:
    return int(replica_set.get("status", {}).get("availableReplicas", 0))


def _shrunk(deployment: Object, new: Object, old: list[Object]) -> dict[str, int]:
    """Scale old ReplicaSets down: first pods that are not available, then as many as the new ones allow."""
    floor = deployment["spec"]["replicas"] - _unavailable(deployment)
    total = sum(one["spec"]["replicas"] for one in (*old, new))
    room = total - floor - (new["spec"]["replicas"] - _available(new))
    goals = {one["metadata"]["uid"]: one["spec"]["replicas"] for one in old}
    for one in old:
        sick = max(0, min(room, goals[one["metadata"]["uid"]] - _available(one)))
        goals[one["metadata"]["uid"]] -= sick
        room -= sick
    spare = sum(map(_available, (*old, new))) - floor
    for one in old:
        step = max(0, min(spare, room, goals[one["metadata"]["uid"]]))
        goals[one["metadata"]["uid"]] -= step
        spare, room = spare - step, room - step
    return goals


def _forget_old(control: Control, deployment: Object, new: Object | None, sets: list[Object]) -> None:
    idle = [
        one for one in sorted(sets, key=_revision)
        if one is not new and not one["spec"]["replicas"] and not one.get("status", {}).get("replicas")
    ]  # fmt: skip
    for one in idle[: max(0, len(idle) - deployment["spec"].get("revisionHistoryLimit", 10))]:
        control.delete("ReplicaSet", one)


def _report(control: Control, deployment: Object, new: Object | None, sets: list[Object]) -> None:
    old: Object = deployment.get("status", {})
    wanted = deployment["spec"]["replicas"]
    total = sum(one.get("status", {}).get("replicas", 0) for one in sets)
    available = sum(map(_available, sets))
    updated = new.get("status", {}).get("replicas", 0) if new else 0
    status: Object = {"observedGeneration": deployment["metadata"]["generation"], "terminatingReplicas": 0}
    counts = {
        "replicas": total, "updatedReplicas": updated, "readyReplicas": available, "availableReplicas": available,
        "unavailableReplicas": max(0, wanted - available),
    }  # fmt: skip
    status |= {name: count for name, count in counts.items() if count}
    conditions = old.get("conditions", [])
    now = lifecycle.now()
    enough = available >= wanted - _unavailable(deployment)
    conditions = _moved(conditions, _availability(enough=enough, now=now, old=conditions), now)
    is_done = bool(new) and updated == wanted == total and _available(new or {}) == wanted
    progress = _progress(control, deployment, new, is_done=is_done, moved=counts != _counts(old, counts))
    status["conditions"] = _moved(conditions, progress, now)
    annotations = dict(deployment["metadata"].get("annotations", {}))
    if new:
        annotations[REVISION] = new["metadata"]["annotations"][REVISION]
    changed = {**deployment, "status": status, "metadata": {**deployment["metadata"], "annotations": annotations}}
    if changed != deployment:
        control.update("Deployment", deployment, changed, status=True)


def _moved(conditions: list[Object], new: Object, now: str) -> list[Object]:
    """Put a condition in; one whose status or reason moved goes to the end (deploymentutil.SetDeploymentCondition)."""
    old = next((one for one in conditions if one["type"] == new["type"]), None)
    if old and (old["status"], old["reason"]) != (new["status"], new["reason"]):
        written = with_condition([old], new, now)
        return [*(one for one in conditions if one is not old), *written]
    return with_condition(conditions, new, now)


def _counts(status: Object, like: Object) -> Object:
    return {name: status.get(name, 0) for name in like}


def _availability(*, enough: bool, now: str, old: list[Object]) -> Object:
    before = next((one for one in old if one["type"] == "Available"), {})
    new = {
        "type": "Available", "status": "True" if enough else "False",
        "reason": "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        "message": f"Deployment {'has' if enough else 'does not have'} minimum availability.",
    }  # fmt: skip
    is_same = all(before.get(name) == value for name, value in new.items())
    return {**new, "lastUpdateTime": before["lastUpdateTime"] if is_same else now}


def _progress(control: Control, deployment: Object, new: Object | None, *, is_done: bool, moved: bool) -> Object:
    """Say how a rollout goes; while it goes on, its deadline is a timer."""
    conditions = deployment.get("status", {}).get("conditions", [])
    before: Object = next((one for one in conditions if one["type"] == "Progressing"), {})
    now = lifecycle.now()
    name = new["metadata"]["name"] if new else ""
    if is_done:
        words = ("True", "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
    else:
        words = ("True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
        deadline = deployment["spec"].get("progressDeadlineSeconds", 600)
        is_waiting = not moved and before.get("reason") in {"ReplicaSetUpdated", "ProgressDeadlineExceeded"}
        left = deadline - (lifecycle.seconds_since(before["lastUpdateTime"]) if is_waiting else 0)
        if left <= 0:
            words = ("False", "ProgressDeadlineExceeded", f'ReplicaSet "{name}" has timed out progressing.')
        else:
            meta = deployment["metadata"]
            control.later(left, ("Deployment", meta["namespace"], meta["name"]))
    new_condition = {"type": "Progressing", "status": words[0], "reason": words[1], "message": words[2]}
    is_same = not moved and all(before.get(k) == v for k, v in new_condition.items())
    return {**new_condition, "lastUpdateTime": before["lastUpdateTime"] if is_same else now}
