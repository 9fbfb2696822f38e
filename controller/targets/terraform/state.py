"""What a pulled state says (version 4, which every terraform ≥ 0.12 and tofu write), as far as it is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from controller.model import Health, JsonValue, LiveObject, ObjectKey, Secret, Transient
from controller.targets.terraform.source import OUTPUT, Stamp, read_stamp

# Facts that a record may tell of any resource: names and places, never contents.
TOLD: Final = ("id", "arn", "name", "region", "location", "zone", "availability_zone", "bucket", "engine", "version")
_LONGEST: Final = 300


class _Instance(msgspec.Struct):
    attributes: dict[str, Any] | None = None
    index_key: str | int | None = None
    status: str = ""
    deposed: str = ""
    sensitive_attributes: list[Any] = []


class _Resource(msgspec.Struct):
    mode: str
    type: str
    name: str
    module: str = ""
    instances: list[_Instance] = []


class _Output(msgspec.Struct):
    value: Any = None
    sensitive: bool = False


class _Check(msgspec.Struct):
    config_addr: str = ""
    status: str = ""


class _State(msgspec.Struct):
    serial: int = 0
    lineage: str = ""
    outputs: dict[str, _Output] = {}
    resources: list[_Resource] = []
    check_results: list[_Check] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """A state at one moment. An empty one, as before the first apply, has no lineage."""

    lineage: str = ""
    serial: int = 0
    stamp: Stamp | None = None
    outputs: Mapping[str, JsonValue | Secret]
    resources: tuple[LiveObject, ...]
    failed_checks: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self.stamp is None and not self.resources


def read_state(data: bytes, owner: ObjectKey) -> Pulled:
    """Read what `state pull` printed. Raises Transient for what can't be read: it is never an empty state."""
    if not data.strip():
        return Pulled(outputs={}, resources=())
    try:
        state = msgspec.json.decode(data, type=_State)
    except msgspec.DecodeError as error:
        raise Transient(f"the state can't be read: {error}") from error
    stamp = state.outputs.get(OUTPUT)
    return Pulled(
        lineage=state.lineage,
        serial=state.serial,
        stamp=read_stamp(stamp.value) if stamp else None,
        outputs={name: _output(one) for name, one in state.outputs.items() if name != OUTPUT},
        resources=tuple(sorted(_resources(state, owner), key=lambda one: one.key)),
        failed_checks=tuple(sorted(one.config_addr for one in state.check_results or () if one.status == "fail")),
    )


def _output(one: _Output) -> JsonValue | Secret:
    return Secret(msgspec.json.encode(one.value)) if one.sensitive else one.value


def _resources(state: _State, owner: ObjectKey) -> Iterator[LiveObject]:
    for resource in state.resources:
        if resource.mode != "managed":
            continue
        for instance in resource.instances:
            if instance.deposed:
                continue
            attributes = instance.attributes or {}
            is_tainted = instance.status == "tainted"
            yield LiveObject(
                key=ObjectKey("terraform", resource.type, "", address_of(resource, instance)),
                uid=str(attributes.get("id") or ""),
                digest=None,
                health=Health.DEGRADED if is_tainted else Health.HEALTHY,
                health_reason="its creation failed half way (tainted): it will be replaced" if is_tainted else "",
                part_of=owner,
                attributes=_facts(instance),
            )


def address_of(resource: _Resource, instance: _Instance) -> str:
    index = instance.index_key
    shown = "" if index is None else f"[{msgspec.json.encode(index).decode()}]"
    prefix = f"{resource.module}." if resource.module else ""
    return f"{prefix}{resource.type}.{resource.name}{shown}"


def _facts(instance: _Instance) -> Mapping[str, JsonValue]:
    """Give the allow-listed facts of a resource, none that Terraform calls sensitive."""
    attributes = instance.attributes or {}
    hidden = {
        step.get("value")
        for path in instance.sensitive_attributes
        for step in (path[:1] if isinstance(path, list) else ())
        if isinstance(step, dict)
    }
    return {
        name: value
        for name in TOLD
        if name not in hidden
        and isinstance(value := attributes.get(name), str | int | bool)
        and value != ""
        and len(str(value)) <= _LONGEST
    }
