"""What a repository may touch, held against what its applications rendered (rule 5). Pure.

What shows before rendering (environments, targets, an entry's namespace) is `groups.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any

from controller.config.complaint import listed, quoted
from controller.config.globs import matches_any, matches_kind
from controller.documents import decode
from controller.model import (
    Desired,
    KubernetesTarget,
    Manifest,
    May,
    ObjectKey,
    Platform,
    Position,
    Problem,
    Repository,
    Target,
)

OUR_NAMESPACE = "converge-system"  # holds every placement's inventory: whoever writes there could forge one
OUR_KINDS = ("ConfigMap", "Lease")
OUR_NAMES = re.compile("converge-(.*-)?[0-9a-f]{16,32}$")  # of inventories and Leases
RBAC = "rbac.authorization.k8s.io"
TERRAFORM = "terraform"  # the group of cloud resources, which have targets and no namespaces
WORKSPACE = "Workspace"  # all that one placement has of them: its modules are looked into

# Kinds without a namespace, by API group of Kubernetes 1.35; every other kind of these groups has one.
_CLUSTER_SCOPED = MappingProxyType(
    {
        "": ("ComponentStatus", "Namespace", "Node", "PersistentVolume"),
        "admissionregistration.k8s.io": (
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ),
        "apiextensions.k8s.io": ("CustomResourceDefinition",),
        "apiregistration.k8s.io": ("APIService",),
        "apps": (),
        "authentication.k8s.io": ("SelfSubjectReview", "TokenReview"),
        "authorization.k8s.io": ("SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"),
        "autoscaling": (),
        "batch": (),
        "certificates.k8s.io": ("CertificateSigningRequest", "ClusterTrustBundle"),
        "coordination.k8s.io": (),
        "discovery.k8s.io": (),
        "events.k8s.io": (),
        "flowcontrol.apiserver.k8s.io": ("FlowSchema", "PriorityLevelConfiguration"),
        "networking.k8s.io": ("IPAddress", "IngressClass", "ServiceCIDR"),
        "node.k8s.io": ("RuntimeClass",),
        "policy": (),
        RBAC: ("ClusterRole", "ClusterRoleBinding"),
        "resource.k8s.io": ("DeviceClass", "DeviceTaintRule", "ResourceSlice"),
        "scheduling.k8s.io": ("PriorityClass",),
        "storage.k8s.io": ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"),
        "storagemigration.k8s.io": ("StorageVersionMigration",),
    }
)

Scope = Callable[[ObjectKey], bool | None]


def has_namespace(key: ObjectKey) -> bool | None:
    """Tell whether a kind has a namespace, as far as Kubernetes itself says; None for other groups' kinds."""
    kinds = _CLUSTER_SCOPED.get(key.group)
    if kinds is not None:
        return key.kind not in kinds
    return True if key.namespace else None


def violations(platform: Platform, desired: Desired, *, is_namespaced: Scope = has_namespace) -> tuple[Problem, ...]:
    """Give what a placement's objects touch and their repository may not, each at the object's own place in git.

    `is_namespaced` answers for kinds of other groups; who knows the target hands in its discovery. In doubt (None),
    an object is taken for one that has no namespace, and that is in `default` if it has one after all.
    """
    environment = platform.environments[desired.placement.environment]
    application = environment.applications[desired.placement.application]
    repository = platform.repositories[application.repository]
    target = environment.targets[desired.placement.target]
    limits = target.namespaces if isinstance(target, KubernetesTarget) else ()
    return tuple(
        problem
        for one in desired.manifests
        for problem in (
            *_violations(one, repository, is_namespaced),
            *(_out_of_reach(one, target, limits, is_namespaced) if limits else ()),
        )
    )


def _out_of_reach(
    manifest: Manifest, target: Target, limits: tuple[str, ...], is_namespaced: Scope
) -> Iterator[Problem]:
    """Give what can't be written on a target that is limited to namespaces, the first of which keeps our records."""
    key, where = manifest.key, Position(manifest.origin.path, manifest.origin.line)
    limited = f"target {quoted(target.name)} is limited to {listed(limits)}"
    namespace = _namespace(key, scope=is_namespaced(key))
    if is_namespaced(key) is False:
        advice = "Remove it, or have it applied to a target without `namespaces`."
        yield Problem(where, f"{key}: {limited}, and {key.kind} has no namespace", advice=advice)
    elif namespace and namespace not in limits:
        advice = f"Move the object, or add the namespace at {target.origin}."
        yield Problem(where, f"{key}: {limited}", advice=advice)
    elif key.kind in OUR_KINDS and namespace == limits[0] and OUR_NAMES.match(key.name):
        yield Problem(where, f"{key}: such names are Converge's own there", advice="Give it another name.")


def _workspace_violations(manifest: Manifest, repository: Repository) -> Iterator[Problem]:
    """Give what the modules of a Terraform workspace ask for and may not, each at its place in git."""
    may = repository.may or May()
    uses: Any = decode(manifest.body)
    uses = uses["uses"]
    for what, allowed in (("providers", may.providers), ("modules", may.modules or ())):
        for one in uses[what]:
            if allowed is not None and not matches_any(one["name"], allowed):
                owner = f"{_owner(repository)} may not use the {what[:-1]} {quoted(one['name'])}"
                yield Problem(
                    Position(one["path"], one["line"]),
                    f"{owner} (it may: {listed(allowed) or 'none'})",
                    advice=f"Remove it, or widen may.{what} at {repository.origin}.",
                )
    for one in uses["kinds"]:
        key = ObjectKey(TERRAFORM, one["name"], "", "")
        found = _kind_objection(key, may, scope=True)
        if found:
            advice = f"Remove it, or let {_owner(repository)} have {_glob_of(key)} (may.kinds at {repository.origin})."
            yield Problem(Position(one["path"], one["line"]), f"{one['name']}: {found}", advice=advice)


def _violations(manifest: Manifest, repository: Repository, is_namespaced: Scope) -> Iterator[Problem]:
    key, may = manifest.key, repository.may or May()
    if (key.group, key.kind) == (TERRAFORM, WORKSPACE):
        yield from _workspace_violations(manifest, repository)
        return
    scope = True if key.group == TERRAFORM else is_namespaced(key)
    where = Position(manifest.origin.path, manifest.origin.line)
    what = _kind_objection(key, may, scope=scope)
    if what:
        advice = f"Remove it, or let {_owner(repository)} have {_glob_of(key)} (may.kinds at {repository.origin})."
        yield Problem(where, f"{key}: {what}", advice=advice)
    namespace = _namespace(key, scope=scope)
    if namespace and not _may_be_in(namespace, may):
        allowed = listed(may.namespaces) if may.namespaces else "any but our own" if may.namespaces is None else "none"
        what = f"{key}: {_owner(repository)} may not touch namespace {quoted(namespace)} (it may: {allowed})"
        yield Problem(where, what, advice=f"Move the object, or widen may.namespaces at {repository.origin}.")


def _kind_objection(key: ObjectKey, may: May, *, scope: bool | None) -> str:
    if may.kinds is not None:
        return (
            "" if matches_kind(key.group, key.kind, may.kinds) else f"the kind is none of {listed(may.kinds) or 'none'}"
        )
    if key.group == RBAC:
        return "RBAC is open only to repositories that are allowed it by name"
    if scope is False:
        return "kinds without a namespace are open only to repositories that are allowed them by name"
    if scope is None and not key.namespace:
        return "nothing says that this kind has a namespace, and only those are open without being named"
    return ""


def _namespace(key: ObjectKey, *, scope: bool | None) -> str:
    """Give the namespace that an object touches, "" for none; a Namespace touches itself."""
    if key.group == TERRAFORM:
        return ""
    if (key.group, key.kind) == ("", "Namespace"):
        return key.name
    return "" if scope is False else key.namespace or "default"


def _may_be_in(namespace: str, may: May) -> bool:
    if namespace == OUR_NAMESPACE:
        return namespace in (may.namespaces or ())
    return may.namespaces is None or matches_any(namespace, may.namespaces)


def _glob_of(key: ObjectKey) -> str:
    return quoted(f"{key.group or 'core'}/{key.kind}")


def _owner(repository: Repository) -> str:
    return f"repository {quoted(repository.name)}"
