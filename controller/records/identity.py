"""What an instance is known by: a key that people read, and a UUID made of it that other systems keep."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha1
from typing import Final

from controller.model import EnvironmentName, GroupRef, JsonValue, ObjectKey, PlacementRef
from controller.records.paths import CLUSTER

INSTANCES = uuid.uuid5(uuid.NAMESPACE_OID, "converge/v1/Instance")
ELSEWHERE = "_"  # in place of an application: the object is on this target, and not one of this application
REMEMBERED: Final = 512  # keys, whose parts and ids are looked up again and again
LEVELS: Final = {1: "Environment", 2: "Application", 3: "Target"}  # by the parts of a key


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


@dataclass(frozen=True, slots=True)
class Key:
    """A key's parts, "" for those that it does not have."""

    environment: str
    application: str = ""
    target: str = ""
    namespace: str = ""
    model: str = ""
    name: str = ""

    @property
    def kind(self) -> str:
        return self.model.partition(".")[0]

    @property
    def group(self) -> str:
        return self.model.partition(".")[2]

    @property
    def place(self) -> str:
        """The same key for one object, whichever application speaks of it."""
        if not self.name or not self.target or self.model in LEVELS.values():
            return _joined(self.environment, self.application, self.target)
        return _joined(self.environment, ELSEWHERE, self.target, self.namespace, self.model, self.name)


@lru_cache(maxsize=REMEMBERED)
def parse_key(text: str) -> Key:
    """Read `environment/application/target/namespace/Kind.group/name`, or the first one, two or three of it."""
    parts = [one.replace("%2F", "/").replace("%25", "%") for one in text.split("/")]
    environment, application, target, namespace, model, name = (*parts, *[""] * 6)[:6]
    if len(parts) in LEVELS:
        return Key(environment, application, target, "", LEVELS[len(parts)], parts[-1])
    return Key(environment, application, target, "" if namespace == CLUSTER else namespace, model, name)


def identity(key: str) -> dict[str, JsonValue]:
    return {"key": key, "id": _id(key)}


@lru_cache(maxsize=REMEMBERED)
def _id(key: str) -> str:
    """Give `str(uuid.uuid5(INSTANCES, key))` (RFC 9562, 5.5), in a fourth of its time."""
    text = sha1(INSTANCES.bytes + key.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


def _joined(*parts: str) -> str:
    plain = "/".join(parts)
    if "%" not in plain and plain.count("/") == len(parts) - 1:
        return plain
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)
