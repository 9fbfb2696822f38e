"""Health from a live object alone: a pure function per kind, judged as kstatus and Argo CD do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from controller.model import NO_RULES, Health, HealthRules
from controller.targets.kubernetes.health.apiservice import api_service
from controller.targets.kubernetes.health.autoscaler import horizontal_pod_autoscaler
from controller.targets.kubernetes.health.budget import pod_disruption_budget
from controller.targets.kubernetes.health.claim import persistent_volume_claim
from controller.targets.kubernetes.health.daemonset import daemon_set
from controller.targets.kubernetes.health.definition import custom_resource_definition
from controller.targets.kubernetes.health.deployment import deployment
from controller.targets.kubernetes.health.ingress import ingress
from controller.targets.kubernetes.health.job import cron_job, job
from controller.targets.kubernetes.health.namespace import namespace, terminating_namespace
from controller.targets.kubernetes.health.pod import pod
from controller.targets.kubernetes.health.reading import Object, Verdict, part, text
from controller.targets.kubernetes.health.replicaset import replica_set
from controller.targets.kubernetes.health.rules import judged, shipped
from controller.targets.kubernetes.health.service import service
from controller.targets.kubernetes.health.standard import standard
from controller.targets.kubernetes.health.statefulset import stateful_set

__all__ = ["health"]

RULES: Final[Mapping[tuple[str, str], Callable[[Object], Verdict]]] = {
    ("", "Namespace"): namespace,
    ("", "PersistentVolumeClaim"): persistent_volume_claim,
    ("", "Pod"): pod,
    ("", "ReplicationController"): replica_set,
    ("", "Service"): service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): custom_resource_definition,
    ("apiregistration.k8s.io", "APIService"): api_service,
    ("apps", "DaemonSet"): daemon_set,
    ("apps", "Deployment"): deployment,
    ("apps", "ReplicaSet"): replica_set,
    ("apps", "StatefulSet"): stateful_set,
    ("autoscaling", "HorizontalPodAutoscaler"): horizontal_pod_autoscaler,
    ("batch", "CronJob"): cron_job,
    ("batch", "Job"): job,
    ("networking.k8s.io", "Ingress"): ingress,
    ("policy", "PodDisruptionBudget"): pod_disruption_budget,
}


def health(live: Object, rules: HealthRules = NO_RULES) -> Verdict:
    """Judge a live object, and say in one line why it is not Healthy. Pure: time passing is the caller's to judge.

    `rules` go before what is known to everybody, but for an object that is being deleted.
    """
    group, kind = text(live, "apiVersion").rpartition("/")[0], text(live, "kind")
    if part(live, "metadata").get("deletionTimestamp"):
        return terminating_namespace(live) if (group, kind) == ("", "Namespace") else _terminating(live)
    spoken = f"{kind}.{group}" if group else kind
    verdict = judged(live, rules.get(spoken, ()))
    if verdict is not None:
        return verdict
    rule = RULES.get((group, kind))
    if rule is not None:
        return rule(live)
    judgements = shipped().get(spoken)
    return (judged(live, judgements) if judgements else None) or standard(live)


def _terminating(live: Object) -> Verdict:
    finalizers = part(live, "metadata").get("finalizers")
    held = ", ".join(str(one) for one in finalizers) if isinstance(finalizers, list) else ""
    return (Health.TERMINATING, f"its deletion waits for {held}" if held else "it is being deleted")
