"""PodDisruptionBudgets: how many of their pods may go now."""

from __future__ import annotations

import math
from typing import Any

from controller.sandbox.cluster import lifecycle
from controller.sandbox.cluster.controllers.control import Control, Object, is_leaving, is_ready, with_condition
from controller.sandbox.cluster.selectors import label_selector, labels_of


def reconcile(control: Control, budget: Object) -> None:
    meta, spec = budget["metadata"], budget["spec"]
    matches = label_selector(spec.get("selector"))
    pods: list[Object] = [
        pod
        for pod in control.objects.store.all(("", "pods"), meta["namespace"])
        if matches(labels_of(pod)) and not is_leaving(pod)
    ]
    healthy, expected = sum(map(is_ready, pods)), len(pods)
    desired = _desired(spec, expected)
    allowed = max(0, healthy - desired)
    condition = {
        "type": "DisruptionAllowed", "status": "True" if allowed else "False", "message": "",
        "reason": "SufficientPods" if allowed else "InsufficientPods", "observedGeneration": meta["generation"],
    }  # fmt: skip
    status = {
        "observedGeneration": meta["generation"], "currentHealthy": healthy, "desiredHealthy": desired,
        "disruptionsAllowed": allowed, "expectedPods": expected,
        "conditions": with_condition(budget.get("status", {}).get("conditions", []), condition, lifecycle.now()),
    }  # fmt: skip
    control.set_status("PodDisruptionBudget", budget, status)


def _desired(spec: Object, expected: int) -> int:
    if "maxUnavailable" in spec:
        return max(0, expected - _count(spec["maxUnavailable"], expected))
    return _count(spec.get("minAvailable", 0), expected)


def _count(value: Any, total: int) -> int:
    return math.ceil(int(value[:-1]) * total / 100) if isinstance(value, str) else int(value)
