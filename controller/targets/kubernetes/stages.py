"""In which order a plan's objects are written: first what others live in, then by wave, then by kind. Pure.

Objects of one stage know nothing of each other and are written concurrently. Namespaces and CustomResourceDefinitions
come first of all; then wave by wave (annotation `converge/wave`, a whole number, 0 without one), and within a wave by
the rank of the kind, as `kubectl kustomize` and Helm order them, but in few ranks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from controller.model import Manifest, ObjectKey, ObjectPlan
from controller.targets.kubernetes.options import options_of

FOUNDATION: Final = frozenset(
    {ObjectKey("", "Namespace", "", "").group_kind, "CustomResourceDefinition.apiextensions.k8s.io"}
)

# A later rank may need an earlier one: a binding its role, a pod its ConfigMap, a webhook the workload behind it.
RANKS: Final[tuple[frozenset[str], ...]] = (
    frozenset(
        {
            "ConfigMap",
            "GatewayClass.gateway.networking.k8s.io",
            "IngressClass.networking.k8s.io",
            "LimitRange",
            "NetworkPolicy.networking.k8s.io",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "PriorityClass.scheduling.k8s.io",
            "ResourceQuota",
            "RuntimeClass.node.k8s.io",
            "Secret",
            "ServiceAccount",
            "StorageClass.storage.k8s.io",
            "ClusterRole.rbac.authorization.k8s.io",
            "Role.rbac.authorization.k8s.io",
        }
    ),
    frozenset({"ClusterRoleBinding.rbac.authorization.k8s.io", "RoleBinding.rbac.authorization.k8s.io"}),
    frozenset({"Service"}),
    frozenset(),  # workloads, and every kind that is not named here
    frozenset(
        {
            "APIService.apiregistration.k8s.io",
            "GRPCRoute.gateway.networking.k8s.io",
            "HTTPRoute.gateway.networking.k8s.io",
            "Ingress.networking.k8s.io",
        }
    ),
    frozenset(
        {
            "MutatingAdmissionPolicy.admissionregistration.k8s.io",
            "MutatingAdmissionPolicyBinding.admissionregistration.k8s.io",
            "MutatingWebhookConfiguration.admissionregistration.k8s.io",
            "ValidatingAdmissionPolicy.admissionregistration.k8s.io",
            "ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io",
            "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
        }
    ),
)
ORDINARY: Final = RANKS.index(frozenset())
RANK_OF: Final = {kind: rank for rank, kinds in enumerate(RANKS) for kind in kinds}


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in the order an object comes; equal places are one stage."""

    is_later: bool  # False: the foundation
    turn: tuple[int, int]  # phase and wave
    rank: int


@dataclass(frozen=True, slots=True)
class Stage:
    """Objects that are written together."""

    place: Place
    objects: tuple[ObjectPlan, ...]

    @property
    def is_foundation(self) -> bool:
        return not self.place.is_later


def is_foundation(key: ObjectKey) -> bool:
    """Tell whether other objects can only be written once this one is there."""
    return key.group_kind in FOUNDATION


def rank_of(key: ObjectKey) -> int:
    return RANK_OF.get(key.group_kind, ORDINARY)


def turn_of(manifest: Manifest) -> tuple[int, int]:
    """Read when an object is written: its phase and its wave. Raises Stalled for what means nothing."""
    return options_of(manifest).turn


def place_of(one: ObjectPlan) -> Place:
    if is_foundation(one.key):
        return Place(is_later=False, turn=(0, 0), rank=0)
    turn = turn_of(one.manifest) if one.manifest is not None else (0, 0)
    return Place(is_later=True, turn=turn, rank=rank_of(one.key))


def stages_of(objects: Iterable[ObjectPlan]) -> tuple[Stage, ...]:
    """Sort what is to be written into its stages. The order of the input does not matter."""
    by_place: dict[Place, list[ObjectPlan]] = {}
    for one in objects:
        by_place.setdefault(place_of(one), []).append(one)
    return tuple(
        Stage(place, tuple(sorted(by_place[place], key=lambda one: str(one.key)))) for place in sorted(by_place)
    )


def pruning_order(objects: Sequence[ObjectPlan]) -> tuple[tuple[ObjectPlan, ...], ...]:
    """Sort what is to be deleted: in reverse of the order of writing."""
    return tuple(stage.objects for stage in reversed(stages_of(objects)))
