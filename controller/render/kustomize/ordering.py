"""The order of the output (api/internal/builtins/SortOrderTransformer.go at v0.18.0)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from controller.model import Stalled
from controller.render.kustomize.identity import ResId
from controller.render.kustomize.resource import Resource

LEGACY_FIRST: Final = (
    "Namespace", "ResourceQuota", "StorageClass", "CustomResourceDefinition", "ServiceAccount", "PodSecurityPolicy",
    "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ConfigMap", "Secret", "Endpoints", "Service",
    "LimitRange", "PriorityClass", "PersistentVolume", "PersistentVolumeClaim", "Deployment", "StatefulSet", "CronJob",
    "PodDisruptionBudget",
)  # fmt: skip
LEGACY_LAST: Final = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def sort_legacy(
    items: Sequence[Resource], first: Sequence[str] = LEGACY_FIRST, last: Sequence[str] = LEGACY_LAST
) -> list[Resource]:
    """Sort by kind: those of `first`, all others, those of `last`; then by group, version, kind, namespace, name."""
    places = {kind: at - len(first) for at, kind in enumerate(first)} | {kind: at + 1 for at, kind in enumerate(last)}

    def rank(one: Resource) -> tuple[int, str, str]:
        now = one.id
        gvk = f"{now.gvk.group or '~G'}_{now.gvk.version or '~V'}_{now.gvk.kind or '~K'}"
        is_listed = now.gvk.kind in places
        return (places.get(now.gvk.kind, 0), _reversed_for_namespaces(now, gvk) if is_listed else gvk, _text(now))

    return sorted(items, key=rank)


def _reversed_for_namespaces(one: ResId, gvk: str) -> str:
    """Put the core Namespace before those of other groups, though `~G` sorts behind them."""
    return "" if one.gvk.kind == "Namespace" and not one.gvk.group else gvk


def _text(one: ResId) -> str:
    return f"{one.gvk}|{one.namespace or '~X'}|{one.name or '~N'}"


def sort_as_asked(items: Sequence[Resource], options: Mapping[str, Any]) -> list[Resource]:
    """Sort as `sortOptions` says. Raises Stalled for what it does not know."""
    order, lists = options["order"], options["legacySortOptions"]
    if order not in {"fifo", "legacy"}:
        raise Stalled(f"sortOptions.order: {order!r}, where fifo or legacy is wanted")
    if order == "fifo":
        if lists is not None:
            raise Stalled("sortOptions.legacySortOptions is set, but the order is fifo")
        return list(items)
    if lists is None:
        return sort_legacy(items)
    return sort_legacy(items, lists["orderFirst"], lists["orderLast"])
