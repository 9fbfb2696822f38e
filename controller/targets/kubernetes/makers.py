"""Who made an object of a namespace: people, whose files an import writes, or something that they run. Pure.

What has an owner is its owner's to make. The rest of this file is about children that carry no owner: claims of a
StatefulSet, endpoints of a Service, what a cluster puts into every namespace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Object = Mapping[str, Any]

# Made by the control plane or by what a cluster runs, in every namespace or by the thousand; nobody keeps them in git.
NOISE: Final = frozenset({
    "Binding", "ControllerRevision.apps", "Event", "Event.events.k8s.io", "Lease.coordination.k8s.io",
    "LocalSubjectAccessReview.authorization.k8s.io", "PodMetrics.metrics.k8s.io", "CiliumEndpoint.cilium.io",
    "ResourceClaim.resource.k8s.io", "CertificateRequest.cert-manager.io", "Order.acme.cert-manager.io",
    "Challenge.acme.cert-manager.io", "PolicyReport.wgpolicyk8s.io", "VulnerabilityReport.aquasecurity.github.io",
    "AnalysisRun.argoproj.io",
})  # fmt: skip
MADE_BY_THE_CLUSTER: Final = frozenset({
    ("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt"), ("ConfigMap", "openshift-service-ca.crt"),
    ("ConfigMap", "istio-ca-root-cert"),
})  # fmt: skip
SECRETS_OF_OTHERS: Final = frozenset({
    "kubernetes.io/service-account-token", "helm.sh/release.v1", "bootstrap.kubernetes.io/token",
})  # fmt: skip
# Whoever writes these notes makes the object too, or keeps its own state there.
MAKERS_NOTES: Final = ("cert-manager.io/certificate-name", "control-plane.alpha.kubernetes.io/leader")
SLICES_MANAGER: Final = "endpointslice.kubernetes.io/managed-by"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else stands in the namespace, as far as it makes objects that carry no owner."""

    claim_prefixes: tuple[str, ...] = ()  # `data-db-` of a StatefulSet db with a claim template data
    selecting: frozenset[str] = frozenset()  # Services that look for pods themselves


def surroundings(listed: Iterable[tuple[str, Object]]) -> Surroundings:
    """Gather from all objects, each with its group-kind, what makes others."""
    prefixes: list[str] = []
    selecting: list[str] = []
    for group_kind, live in listed:
        name, spec = live["metadata"]["name"], live.get("spec") or {}
        if group_kind == "StatefulSet.apps":
            prefixes += [f"{one['metadata']['name']}-{name}-" for one in spec.get("volumeClaimTemplates") or ()]
        elif group_kind == "Service" and spec.get("selector"):
            selecting.append(name)
    return Surroundings(tuple(prefixes), frozenset(selecting))


def is_made_by_people(group_kind: str, live: Object, around: Surroundings) -> bool:
    """Tell whether an object is nobody's child, and not of the cluster's own making."""
    return not any(_reasons(group_kind, live, around))


def _reasons(group_kind: str, live: Object, around: Surroundings) -> Iterator[bool]:
    metadata = live["metadata"]
    name, labels = metadata["name"], metadata.get("labels") or {}
    yield bool(metadata.get("ownerReferences") or metadata.get("deletionTimestamp"))
    yield (group_kind, name) in MADE_BY_THE_CLUSTER
    yield any(note in (metadata.get("annotations") or {}) for note in MAKERS_NOTES)
    match group_kind:
        case "Secret":
            yield live.get("type") in SECRETS_OF_OTHERS
        case "PersistentVolumeClaim":
            yield any(name.startswith(one) and name[len(one) :].isdigit() for one in around.claim_prefixes)
        case "Endpoints":
            yield name in around.selecting
        case "EndpointSlice.discovery.k8s.io":
            yield "controller" in labels.get(SLICES_MANAGER, "")
        case "Role.rbac.authorization.k8s.io" | "RoleBinding.rbac.authorization.k8s.io":
            yield name.startswith("system:")
