"""Live objects as files: what somebody would have written, so that they render to no difference.

Left out is what the server, controllers and deploying tools write: status, identity, allocations, children with an
owner, tools' marks, and defaults. What a default is the server says itself: a field that often is one is left out of a
dry creation, and where the answer has the live value again, it stays out.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from controller.model import FieldPath, ObjectKey, Stalled
from controller.targets.kubernetes.connection import JSON, Connection, Request
from controller.targets.kubernetes.discovery import Discovery, Resource
from controller.targets.kubernetes.errors import refusal
from controller.targets.kubernetes.handover import without

IN_FLIGHT: Final = 16
PLACEHOLDER: Final = "REPLACE-ME"

# Made by the control plane or by what a cluster runs, in every namespace or by the thousand; nobody keeps them in git.
NOISE: Final = frozenset({
    "Binding", "ControllerRevision.apps", "Endpoints", "EndpointSlice.discovery.k8s.io", "Event",
    "Event.events.k8s.io", "Lease.coordination.k8s.io", "LocalSubjectAccessReview.authorization.k8s.io", "Pod",
    "PodMetrics.metrics.k8s.io", "ReplicaSet.apps", "CiliumEndpoint.cilium.io", "ResourceClaim.resource.k8s.io",
    "CertificateRequest.cert-manager.io", "Order.acme.cert-manager.io", "Challenge.acme.cert-manager.io",
    "PolicyReport.wgpolicyk8s.io", "VulnerabilityReport.aquasecurity.github.io", "AnalysisRun.argoproj.io",
})  # fmt: skip
MADE_BY_THE_CLUSTER: Final = frozenset({("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt"),
                                        ("ConfigMap", "openshift-service-ca.crt")})  # fmt: skip
SECRETS_OF_OTHERS: Final = (
    "kubernetes.io/service-account-token",
    "helm.sh/release.v1",
    "bootstrap.kubernetes.io/token",
)
METADATA: Final = frozenset({"name", "labels", "annotations", "finalizers"})
SERVERS_FINALIZERS: Final = ("kubernetes.io/", "foregroundDeletion", "orphan", "service.kubernetes.io/")
MARKS: Final = (
    "kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision", "meta.helm.sh/",
    "kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name", "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/instance", "applyset.kubernetes.io/", "converge/installation", "converge/owner",
    "converge/digest", "converge/fields", "converge/released", "pv.kubernetes.io/", "volume.kubernetes.io/",
    "volume.beta.kubernetes.io/", "autoscaling.alpha.kubernetes.io/conditions", "batch.kubernetes.io/job-tracking",
    "deprecated.daemonset.template.generation", "kustomize.toolkit.fluxcd.io/namespace",
    "helm.toolkit.fluxcd.io/namespace",
)  # fmt: skip
ALLOCATED: Final[Mapping[str, tuple[FieldPath, ...]]] = {
    "PersistentVolumeClaim": (("spec", "volumeName"),),
    "Service": (("spec", "clusterIP"), ("spec", "clusterIPs"), ("spec", "healthCheckNodePort")),
    "Job.batch": (("spec", "selector"), ("spec", "template", "metadata", "labels")),
    "ServiceAccount": (("secrets",),),
}
SAID: Final = frozenset({"apiVersion", "kind", "metadata", "data", "stringData"})
MEANT_EMPTY: Final = frozenset({"emptyDir", "podSelector", "namespaceSelector"})
# Names of fields that a server often fills in; whether it did is asked of it.
OFTEN_DEFAULTS: Final = frozenset({
    "allocateLoadBalancerNodePorts", "allowVolumeExpansion", "automountServiceAccountToken", "backoffLimit", "behavior",
    "completionMode", "completions", "concurrencyPolicy", "defaultMode", "dnsPolicy", "externalTrafficPolicy",
    "failedJobsHistoryLimit", "failurePolicy", "failureThreshold", "imagePullPolicy", "internalTrafficPolicy",
    "ipFamilies", "ipFamilyPolicy", "manualSelector", "matchPolicy", "metrics", "nodePort", "parallelism",
    "periodSeconds",
    "persistentVolumeClaimRetentionPolicy", "podManagementPolicy", "podReplacementPolicy", "policyTypes",
    "progressDeadlineSeconds", "protocol", "restartPolicy", "revisionHistoryLimit", "schedulerName", "scheme",
    "securityContext", "serviceAccount", "sessionAffinity", "strategy", "successThreshold",
    "successfulJobsHistoryLimit", "suspend", "targetPort", "terminationGracePeriodSeconds", "terminationMessagePath",
    "terminationMessagePolicy", "timeoutSeconds", "type", "updateStrategy", "volumeMode", "weight",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Imported:
    """One object as it would have been written."""

    key: ObjectKey
    body: dict[str, Any]

    @property
    def file_name(self) -> str:
        return f"{self.key.kind.lower()}-{self.key.name.replace(':', '-')}.yaml"


async def import_from(connection: Connection, namespace: str) -> tuple[Imported, ...]:
    """Read what people made in a namespace, sorted by key. Raises Stalled for a namespace that is not there.

    Kinds that may not be listed are left out: who may not see them can't have made them.
    """
    answer = await connection.send(Request("GET", f"/api/v1/namespaces/{namespace}"))
    if answer.status == 404:
        raise Stalled(f"there is no namespace {namespace} on {connection.name}")
    served = await Discovery(connection).refresh()
    kinds = [one for one in served.preferred.values() if one.namespaced and one.group_kind not in NOISE]
    room = asyncio.Semaphore(IN_FLIGHT)
    found = await asyncio.gather(*(_of_kind(connection, one, namespace, room) for one in kinds))
    return tuple(sorted((one for listed in found for one in listed), key=lambda one: one.key))


async def _of_kind(
    connection: Connection, resource: Resource, namespace: str, room: asyncio.Semaphore
) -> list[Imported]:
    async with room:
        answer = await connection.send(Request("GET", resource.path(namespace)))
    if answer.status in {403, 404, 405}:
        return []
    if answer.status != 200:
        raise refusal(answer, ObjectKey(resource.group, resource.kind, namespace, "*"))
    live = [one for one in orjson.loads(answer.body).get("items") or () if is_made_by_people(one, resource)]
    return list(await asyncio.gather(*(_imported(connection, one, resource, namespace, room) for one in live)))


def is_made_by_people(live: Mapping[str, Any], resource: Resource) -> bool:
    """Tell whether an object is nobody's child, and not of the cluster's own making."""
    metadata = live["metadata"]
    if metadata.get("ownerReferences") or metadata.get("deletionTimestamp"):
        return False
    if resource.group_kind == "Secret" and live.get("type") in SECRETS_OF_OTHERS:
        return False
    return (resource.group_kind, metadata["name"]) not in MADE_BY_THE_CLUSTER


def cleaned(live: Mapping[str, Any], resource: Resource) -> dict[str, Any]:
    """Give an object without what the server, controllers and tools write; its namespace is the base's to say. Pure."""
    body: dict[str, Any] = copy.deepcopy({name: value for name, value in live.items() if name != "status"})
    metadata = {name: value for name, value in body["metadata"].items() if name in METADATA}
    for name in ("labels", "annotations"):
        kept = {key: value for key, value in (metadata.get(name) or {}).items() if not key.startswith(MARKS)}
        if kept.get("app.kubernetes.io/managed-by") == "Helm":
            del kept["app.kubernetes.io/managed-by"]
        metadata[name] = kept
    metadata["finalizers"] = [one for one in metadata.get("finalizers") or () if not one.startswith(SERVERS_FINALIZERS)]
    body["metadata"] = {name: value for name, value in metadata.items() if value}
    template = (body.get("spec") or {}).get("template") if isinstance(body.get("spec"), dict) else None
    if isinstance(template, dict) and isinstance(template.get("metadata"), dict):
        template["metadata"].pop("creationTimestamp", None)
    allocated = [path for path in ALLOCATED.get(resource.group_kind, ()) if not _is_headless(body, path)]
    body = without(body, allocated)
    if resource.group_kind == "Secret":
        body = _placeholders(body)
    return {"apiVersion": resource.api_version, "kind": resource.kind, **body}


def _is_headless(body: Mapping[str, Any], path: FieldPath) -> bool:
    return path[:2] == ("spec", "clusterIP") and (body.get("spec") or {}).get("clusterIP") == "None"


def _placeholders(secret: dict[str, Any]) -> dict[str, Any]:
    """Leave the values out: they come to git encrypted, or never. The live Secret stays as it is (apply once)."""
    annotations = {**secret["metadata"].get("annotations", {}), "converge/apply": "once"}
    keys = [*(secret.get("data") or {}), *(secret.get("stringData") or {})]
    rest = {name: value for name, value in secret.items() if name not in {"data", "stringData"}}
    return {
        **rest,
        "metadata": {**secret["metadata"], "annotations": annotations},
        "stringData": dict.fromkeys(keys, PLACEHOLDER),
    }


async def _imported(
    connection: Connection, live: Mapping[str, Any], resource: Resource, namespace: str, room: asyncio.Semaphore
) -> Imported:
    body = cleaned(live, resource)
    key = ObjectKey(resource.group, resource.kind, namespace, live["metadata"]["name"])
    doubted = tuple(often_defaults(body))
    if resource.group_kind != "Secret" and doubted:
        trial = without(body, doubted)
        async with room:
            answer = await connection.send(_trial_request(resource, namespace, trial))
        if answer.status == 201:
            made = cleaned(orjson.loads(answer.body), resource)
            body = without(body, [path for path in doubted if value_of(made, path) == value_of(body, path)])
    return Imported(key, body)


def _trial_request(resource: Resource, namespace: str, body: Mapping[str, Any]) -> Request:
    """Ask what would be created under a name that is free; nothing is."""
    name = hashlib.sha256(orjson.dumps(body)).hexdigest()[:12]
    trial = {**body, "metadata": {**body["metadata"], "name": f"converge-import-{name}"}}
    query = (("dryRun", "All"), ("fieldManager", "converge"))
    return Request("POST", resource.path(namespace), query, orjson.dumps(trial), JSON)


def often_defaults(node: Any, path: FieldPath = ()) -> Iterator[FieldPath]:
    """Name the fields that may be defaults. What has one of these names is doubted whole, and not looked into."""
    if isinstance(node, dict):
        for name, value in node.items():
            here = (*path, name)
            if len(here) == 1 and name in SAID:
                continue
            if _is_doubted(name, value, path):
                yield here
            else:
                yield from often_defaults(value, here)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            if isinstance(value, dict):
                yield from often_defaults(value, (*path, index))


def _is_doubted(name: str, value: Any, path: FieldPath) -> bool:
    if path and (name in OFTEN_DEFAULTS or (name == "apiVersion" and path[-1] == "fieldRef")):
        return True
    return value in ({}, []) and name not in MEANT_EMPTY


def value_of(node: Any, path: FieldPath) -> Any:
    """Look a field up by names and indices; None where there is none."""
    for step in path:
        if isinstance(node, dict) and isinstance(step, str):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            return None
    return node
