"""What an instance is known by: a key that people read, and a UUID made of it that other systems keep."""

from __future__ import annotations

import uuid

from controller.model import EnvironmentName, GroupRef, JsonValue, ObjectKey, PlacementRef
from controller.records.paths import CLUSTER

INSTANCES = uuid.uuid5(uuid.NAMESPACE_OID, "converge/v1/Instance")
ELSEWHERE = "_"  # in place of an application: the object is on this target, and not one of this application


def environment_key(environment: EnvironmentName) -> str:
    return _joined(environment)


def group_key(group: GroupRef) -> str:
    return _joined(group.environment, group.application)


def placement_key(placement: PlacementRef) -> str:
    return _joined(placement.environment, placement.application, placement.target)


def object_key(placement: PlacementRef, key: ObjectKey, *, is_ours: bool = True) -> str:
    """Give `environment/application/target/namespace/kind.group/name`; a slash inside of a name is `%2F`."""
    application = placement.application if is_ours else ELSEWHERE
    where = (placement.environment, application, placement.target, key.namespace or CLUSTER)
    return _joined(*where, key.group_kind, key.name)


def identity(key: str) -> dict[str, JsonValue]:
    return {"key": key, "id": str(uuid.uuid5(INSTANCES, key))}


def _joined(*parts: str) -> str:
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)
