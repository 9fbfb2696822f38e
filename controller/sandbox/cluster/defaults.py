"""What the server fills in when a field is not set (pkg/apis/*/v1/defaults.go of Kubernetes).

Defaulting belongs to decoding: a client's own update owns the defaults with it. Functions change the body they are
given, which is always a fresh copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from controller.sandbox.cluster.schema import Body

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
Default = Callable[[dict[str, Any]], None]


def apply_defaults(kind: str, body: Body) -> None:
    """Fill in what a body of a built-in kind leaves open."""
    if default := DEFAULTS.get(kind):
        default(body)


def pod_spec(spec: dict[str, Any]) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("securityContext", {})
    if "serviceAccountName" in spec or "serviceAccount" in spec:
        name = spec.get("serviceAccountName") or spec["serviceAccount"]
        spec["serviceAccountName"] = spec["serviceAccount"] = name
    for volume in spec.get("volumes", ()):
        _volume(volume)
    for container in _containers(spec):
        _container(container)


def _containers(spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(name) or ()


def _container(container: dict[str, Any]) -> None:
    image = container.get("image", "")
    tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    is_latest = "@" not in image and tag in {"", "latest"}
    container.setdefault("imagePullPolicy", "Always" if is_latest else "IfNotPresent")
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    for port in container.get("ports", ()):
        port.setdefault("protocol", "TCP")
    for variable in container.get("env", ()):
        _field_ref(variable.get("valueFrom", {}))
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe := container.get(name):
            _probe(probe)
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _http_get(hook)


def _probe(probe: dict[str, Any]) -> None:
    for name, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        probe.setdefault(name, value)
    _http_get(probe)
    if grpc := probe.get("grpc"):
        grpc.setdefault("service", "")


def _http_get(handler: dict[str, Any]) -> None:
    if (action := handler.get("httpGet")) is not None:
        action.setdefault("path", "/")
        action.setdefault("scheme", "HTTP")


def _field_ref(source: dict[str, Any]) -> None:
    if reference := source.get("fieldRef"):
        reference.setdefault("apiVersion", "v1")


def _volume(volume: dict[str, Any]) -> None:
    if not set(volume) - {"name"}:
        volume["emptyDir"] = {}
    for name in ("configMap", "secret", "downwardAPI", "projected"):
        if (source := volume.get(name)) is not None:
            source.setdefault("defaultMode", 0o644)
            for item in source.get("items", ()):
                _field_ref(item)
            for part in source.get("sources", ()):
                for item in (part.get("downwardAPI") or {}).get("items", ()):
                    _field_ref(item)
                if token := part.get("serviceAccountToken"):
                    token.setdefault("expirationSeconds", 3600)
    if (host := volume.get("hostPath")) is not None:
        host.setdefault("type", "")
    if template := (volume.get("ephemeral") or {}).get("volumeClaimTemplate"):
        template["spec"].setdefault("volumeMode", "Filesystem")


def _pod(body: dict[str, Any]) -> None:
    spec = body["spec"]
    pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    for container in _containers(spec):
        _requests(container.get("resources") or {})


def _requests(resources: dict[str, Any]) -> None:
    """Take requests from limits where they are not set: of a Pod only, a template keeps what was written."""
    for name, limit in (resources.get("limits") or {}).items():
        resources.setdefault("requests", {}).setdefault(name, limit)


def _template(template: dict[str, Any]) -> None:
    pod_spec(template["spec"])


def _deployment(body: dict[str, Any]) -> None:
    spec = body["spec"]
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    _template(spec["template"])


def _replica_set(body: dict[str, Any]) -> None:
    body["spec"].setdefault("replicas", 1)
    _template(body["spec"]["template"])


def _stateful_set(body: dict[str, Any]) -> None:
    spec = body["spec"]
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    policy = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    policy.setdefault("whenDeleted", "Retain")
    policy.setdefault("whenScaled", "Retain")
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    _template(spec["template"])
    for claim in spec.get("volumeClaimTemplates", ()):
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")
        _claim(claim)


def _daemon_set(body: dict[str, Any]) -> None:
    spec = body["spec"]
    body["metadata"].setdefault("annotations", {}).setdefault(TEMPLATE_GENERATION, "1")
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    _template(spec["template"])


def _job(body: dict[str, Any]) -> None:
    spec = body["spec"]
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    spec.setdefault("podReplacementPolicy", "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")
    if labels := spec["template"]["metadata"].get("labels"):
        body["metadata"].setdefault("labels", dict(labels))
    _template(spec["template"])


def _cron_job(body: dict[str, Any]) -> None:
    spec = body["spec"]
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    _template(spec["jobTemplate"]["spec"]["template"])


def _service(body: dict[str, Any]) -> None:
    spec = body["spec"]
    spec.setdefault("sessionAffinity", "None")
    if spec["sessionAffinity"] == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {}).setdefault("timeoutSeconds", 10800)
    kind = spec.setdefault("type", "ClusterIP")
    for port in spec.get("ports", ()):
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in {None, 0, ""}:
            port["targetPort"] = port["port"]
    if kind in {"NodePort", "LoadBalancer"}:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind in {"ClusterIP", "NodePort", "LoadBalancer"}:
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)


def _claim(body: dict[str, Any]) -> None:
    body["spec"].setdefault("volumeMode", "Filesystem")
    body.setdefault("status", {}).setdefault("phase", "Pending")


def _secret(body: dict[str, Any]) -> None:
    body.setdefault("type", "Opaque")


def _network_policy(body: dict[str, Any]) -> None:
    spec = body["spec"]
    for rule in (*spec.get("ingress", ()), *spec.get("egress", ())):
        for port in rule.get("ports", ()):
            port.setdefault("protocol", "TCP")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _binding(body: dict[str, Any]) -> None:
    body["roleRef"].setdefault("apiGroup", "rbac.authorization.k8s.io")
    if not body["roleRef"]["apiGroup"]:
        body["roleRef"]["apiGroup"] = "rbac.authorization.k8s.io"
    for subject in body.get("subjects", ()):
        if subject.get("kind") in {"User", "Group"}:
            subject.setdefault("apiGroup", "rbac.authorization.k8s.io")


def _autoscaler(body: dict[str, Any]) -> None:
    spec = body["spec"]
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _definition(body: dict[str, Any]) -> None:
    spec = body["spec"]
    names = spec["names"]
    names.setdefault("singular", names.get("kind", "").lower())
    names.setdefault("listKind", f"{names.get('kind', '')}List")
    spec.setdefault("conversion", {"strategy": "None"})


def _endpoint_slice(body: dict[str, Any]) -> None:
    for port in body.get("ports") or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def _namespace(body: dict[str, Any]) -> None:
    """Every namespace carries its own name as a label, so that selectors can name it."""
    meta = body["metadata"]
    if name := meta.get("name"):
        meta.setdefault("labels", {})["kubernetes.io/metadata.name"] = name


DEFAULTS: Mapping[str, Default] = {
    "ClusterRoleBinding": _binding,
    "CronJob": _cron_job,
    "CustomResourceDefinition": _definition,
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "EndpointSlice": _endpoint_slice,
    "HorizontalPodAutoscaler": _autoscaler,
    "Job": _job,
    "Namespace": _namespace,
    "NetworkPolicy": _network_policy,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "ReplicaSet": _replica_set,
    "RoleBinding": _binding,
    "Secret": _secret,
    "Service": _service,
    "StatefulSet": _stateful_set,
}
