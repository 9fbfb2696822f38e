"""What the cache hands out: objects of ours, and the parents that list them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from controller.model import Digest, Health, ObjectKey, PlacementRef
from controller.targets.kubernetes.packing import unpack


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One object of ours as the cluster showed it last."""

    key: ObjectKey
    api_version: str
    placement: PlacementRef
    uid: str
    resource_version: str
    digest: Digest | None  # of the Manifest that was applied last, from its annotation
    health: Health
    health_reason: str = ""
    is_suspect: bool = False  # moved since our last apply, or not judged since the controller started
    is_terminating: bool = False
    released: str = ""  # what is left to others, as its annotation says
    body: bytes = field(repr=False)  # packed, without managedFields
    managers: bytes = field(repr=False)  # managedFields, packed

    def live(self) -> dict[str, Any]:
        """Decode the object, without `metadata.managedFields`."""
        live: dict[str, Any] = unpack(self.body)
        return live

    def managed(self) -> list[dict[str, Any]]:
        """Decode its managedFields."""
        managed: list[dict[str, Any]] = unpack(self.managers)
        return managed


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """An ApplySet parent of ours as the cluster showed it last: a labelled ConfigMap, mostly in `converge-system`."""

    placement: PlacementRef  # from its owner annotation
    key: ObjectKey
    uid: str
    resource_version: str
    group_kinds: tuple[str, ...]  # `Deployment.apps`, from its annotation
    namespaces: tuple[str, ...]  # its own, and those from its annotation
    body: bytes = field(repr=False)

    def live(self) -> dict[str, Any]:
        """Decode the ConfigMap, without managedFields."""
        live: dict[str, Any] = unpack(self.body)
        return live
