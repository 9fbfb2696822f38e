"""The `namespace` of a kustomization (api/filters/namespace at v0.18.0)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from controller.model import Stalled
from controller.render.kustomize.configuration import Specs
from controller.render.kustomize.edits import UNCHANGED, Edit
from controller.render.kustomize.identity import Gvk, ResId, is_cluster_scoped
from controller.render.kustomize.nodes import MISSING, assign, is_null, is_scalar, restyled, text_of
from controller.render.kustomize.paths import FieldsByKind, FieldSpec, Setter, visit
from controller.render.kustomize.resource import Resource
from controller.render.kustomize.resources import Key

_METADATA: Final = FieldSpec(Gvk(), "metadata/namespace", create=True)
_ROLE_BINDINGS: Final = frozenset({"RoleBinding", "ClusterRoleBinding"})
DEFAULT_ONLY: Final = "defaultOnly"
ALL_SERVICE_ACCOUNTS: Final = "allServiceAccounts"
NONE: Final = "none"


def namespacing(namespace: str, specs: Specs, *, unset_only: bool = False, subjects: str = DEFAULT_ONLY) -> Edit:
    """Put every resource into a namespace, but those of kinds that are known to have none.

    Raises Stalled in the end when two resources have come to have one id.
    """
    if not namespace:
        return UNCHANGED
    if subjects not in {DEFAULT_ONLY, ALL_SERVICE_ACCOUNTS, NONE}:
        modes = f"{DEFAULT_ONLY}, {NONE} or {ALL_SERVICE_ACCOUNTS}"
        raise Stalled(f"setRoleBindingSubjects: {subjects!r}, where {modes} is wanted")
    fields = FieldsByKind(specs)
    seen: dict[Key, Resource] = {}
    twins: list[tuple[Resource, ResId]] = []

    def change(one: Resource) -> None:
        if not one.is_empty:
            one.store_previous_id()
            set_namespace_of(one, namespace, fields, unset_only=unset_only, subjects=subjects)
        now = one.id
        if seen.setdefault(now.key, one) is not one:
            twins.append((seen[now.key], now))

    def end() -> Sequence[str]:
        for one, now in twins:
            raise Stalled(f"{one.source or now.name}: the namespace {namespace} makes two resources of one id, {now}")
        return ()

    return Edit(change, end)


def set_namespace_of(
    one: Resource, namespace: str, fields: FieldsByKind, *, unset_only: bool = False, subjects: str = DEFAULT_ONLY
) -> None:
    """Put one resource into a namespace."""
    setter = _setter(namespace, unset_only=unset_only)
    api_version = one.api_version
    if not is_cluster_scoped(api_version, one.kind):
        visit(one.value, _METADATA, setter, str)
    is_binding = one.kind in _ROLE_BINDINGS
    if is_binding:
        _set_subjects(one, setter, subjects)
    for spec in fields.of(one.gvk):
        if spec.path == "metadata/namespace" or (spec.path == "metadata/name" and api_version != "v1"):
            continue
        if not (is_binding and spec.gvk.kind in _ROLE_BINDINGS and spec.path == "subjects/namespace"):
            visit(one.value, spec, setter, str)


def _setter(namespace: str, *, unset_only: bool) -> Setter:
    def set_text(container: Any, key: Any) -> None:
        old = container[key]
        if not is_scalar(old):
            raise Stalled(f"{key}: a mapping or a list, where a namespace is wanted")
        if unset_only and text_of(old) and not is_null(old):
            return
        assign(container, key, restyled(old, namespace))

    return set_text


def _set_subjects(one: Resource, setter: Setter, mode: str) -> None:
    """Set the namespace of a binding's subjects: those named `default`, whatever their kind, or all accounts."""
    subjects = one.value.get("subjects", MISSING)
    if mode == NONE or subjects is MISSING or is_null(subjects):
        return
    if not isinstance(subjects, list):
        raise Stalled(f"{one.source or one.name}: subjects is no list")
    field, wanted = ("kind", "ServiceAccount") if mode == ALL_SERVICE_ACCOUNTS else ("name", "default")
    for subject in subjects:
        if is_null(subject):
            continue
        if not isinstance(subject, dict):
            raise Stalled(f"{one.source or one.name}: a subject is no mapping")
        value = subject.get(field, MISSING)
        if value is not MISSING and not is_null(value) and text_of(value) == wanted:
            subject.setdefault("namespace", "")
            setter(subject, "namespace")
