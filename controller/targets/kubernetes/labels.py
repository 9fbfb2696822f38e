"""The names that say on the target whose an object is (rule 6 of the architecture).

A label's value holds at most 63 characters and no `/`, so labels hold hashes; annotations hold full ids. The ApplySet
names are those of the Kubernetes convention (KEP-3659), so that `kubectl apply --prune --applyset` and others recognise
a parent.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from controller.model import ApplicationName, EnvironmentName, InstallationId, ObjectKey, PlacementRef, TargetName

MANAGER: Final = "converge"  # field manager of what we apply
RELEASED_MANAGER: Final = "converge-released"  # field manager of what we let go of (rule 7)
FIRST_APPLY: Final = "before-first-apply"  # the manager that the server makes up for an object that had none
SYSTEM_NAMESPACE: Final = "converge-system"  # parents and Leases live here

INSTALLATION_LABEL: Final = "converge/installation"  # on parents and members: what is listed and watched
OWNER_ANNOTATION: Final = "converge/owner"  # installation, placement and the object's own id
DIGEST_ANNOTATION: Final = "converge/digest"  # of the Manifest that was applied
FIELDS_ANNOTATION: Final = "converge/fields"  # footprint of the Manifest that was applied
BOOKKEEPING: Final = frozenset({DIGEST_ANNOTATION, FIELDS_ANNOTATION})  # annotations that move with every apply
RELEASED_ANNOTATION: Final = "converge/released"  # what git says and is left to others, with who has it instead

APPLYSET_ID_LABEL: Final = "applyset.kubernetes.io/id"  # on the parent
APPLYSET_PART_OF_LABEL: Final = "applyset.kubernetes.io/part-of"  # on the members
APPLYSET_TOOLING_ANNOTATION: Final = "applyset.kubernetes.io/tooling"
APPLYSET_GROUP_KINDS_ANNOTATION: Final = "applyset.kubernetes.io/contains-group-kinds"
APPLYSET_NAMESPACES_ANNOTATION: Final = "applyset.kubernetes.io/additional-namespaces"
TOOLING: Final = "converge/v1"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose an object is: read from, and written to, the owner annotation.

    `key` is the object's own id: a copy that another controller made of an object of ours carries its original's.
    """

    installation: InstallationId
    placement: PlacementRef
    key: ObjectKey

    def annotation(self) -> str:
        """Write it as `<installation> <placement> <group kind> <namespace>/<name>`; no part can hold a space."""
        return f"{self.installation} {self.placement} {self.key.group_kind} {self.key.namespace}/{self.key.name}"


def read_owner(annotation: str) -> Owner | None:
    """Read an owner annotation; None for what is none of ours."""
    parts = annotation.split(" ")
    if len(parts) != 4:
        return None
    installation, placement, group_kind, where = parts
    group, _, target = placement.partition("@")
    environment, _, application = group.partition("/")
    namespace, slash, name = where.partition("/")
    if not (installation and environment and application and target and slash and name):
        return None
    kind, _, api_group = group_kind.partition(".")
    return Owner(
        InstallationId(installation),
        PlacementRef(EnvironmentName(environment), ApplicationName(application), TargetName(target)),
        ObjectKey(api_group, kind, namespace, name),
    )


def installation_hash(installation: InstallationId) -> str:
    """Hash an installation id for `INSTALLATION_LABEL`: 32 hex digits."""
    return hashlib.sha256(installation.encode()).hexdigest()[:32]


def installation_selector(installation: InstallationId) -> str:
    """Give the label selector that finds everything of an installation, parents and members."""
    return f"{INSTALLATION_LABEL}={installation_hash(installation)}"


def parent_key(installation: InstallationId, placement: PlacementRef, namespace: str = SYSTEM_NAMESPACE) -> ObjectKey:
    """Name the ConfigMap that is a placement's ApplySet parent.

    Readable, and unique by the hash of installation and placement, since several installations may share a cluster.
    """
    unique = hashlib.sha256(f"{installation} {placement}".encode()).hexdigest()[:16]
    readable = re.sub("[^a-z0-9]+", "-", f"{placement.environment}-{placement.application}"[:40].lower()).strip("-")
    return ObjectKey("", "ConfigMap", namespace, f"converge-{readable}-{unique}")


def applyset_id(parent: ObjectKey) -> str:
    """Derive a parent's ApplySet id as KEP-3659 says: base64url of sha256 of `<name>.<namespace>.<kind>.<group>`."""
    spoken = f"{parent.name}.{parent.namespace}.{parent.kind}.{parent.group}"
    encoded = base64.urlsafe_b64encode(hashlib.sha256(spoken.encode()).digest()).decode().rstrip("=")
    return f"applyset-{encoded}-v1"


def member_labels(
    installation: InstallationId, placement: PlacementRef, namespace: str = SYSTEM_NAMESPACE
) -> Mapping[str, str]:
    """Give the labels that every object of a placement carries, whose parent is in `namespace`."""
    return {
        INSTALLATION_LABEL: installation_hash(installation),
        APPLYSET_PART_OF_LABEL: applyset_id(parent_key(installation, placement, namespace)),
    }
