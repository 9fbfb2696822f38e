"""What an exporter is: instances in, files or talk with another system out. Pure; others carry it.

A package adds one under the entry point group `converge.exporters`: a name, and a callable that takes the settings of
converge.yaml and gives an `Exporter`, or raises ValueError with what is wrong with them.

    [project.entry-points."converge.exporters"]
    netbox = "converge_netbox:exporter"

    def exporter(settings: Mapping[str, JsonValue]) -> Exporter: ...
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from controller.model import JsonValue
from controller.records.earlier import earlier
from controller.records.files import Files
from controller.records.identity import Key, parse_key


@dataclass(frozen=True, slots=True)
class Relation:
    type: str
    target: str  # the other's key


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One record of `cmdb/`, as docs/records.md specifies it. Nothing of it is secret."""

    key: str
    id: str  # the UUID of the key
    model: str
    name: str
    attributes: Mapping[str, JsonValue]
    relations: tuple[Relation, ...] = ()
    provenance: Mapping[str, JsonValue] = field(default_factory=dict)
    sync: str
    health: str
    since: str
    is_retired: bool = False

    @property
    def place(self) -> Key:
        return parse_key(self.key)


def instance_of(record: Mapping[str, Any]) -> Instance:
    """Read a record that is valid."""
    return Instance(
        key=record["identity"]["key"],
        id=record["identity"]["id"],
        model=record["model"],
        name=record["name"],
        attributes=record["attributes"],
        relations=tuple(Relation(one["type"], one["target"]) for one in record["relations"]),
        provenance=record.get("provenance", {}),
        sync=record["observed"]["sync"],
        health=record["observed"]["health"],
        since=record["observed"]["since"],
        is_retired=record["lifecycle"] == "retired",
    )


def instance_at(files: Files, path: str) -> Instance | None:
    """Read a record of a records branch; None where there is none that could be ours."""
    found = earlier(files, path, "Instance")
    return instance_of(found) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of the other system. It must be safe to send twice: it is sent again when no answer came."""

    method: str
    path: str  # below the URL of converge.yaml, beginning with a slash
    body: JsonValue = None
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of 2xx or 404; others are not handed to the exporter."""

    status: int
    body: JsonValue


class RefusedError(Exception):
    """What the other system says of instances that it does not take: for people, without secrets."""


Talk = Generator[Request, Reply, None]


class Exporter(Protocol):
    def files(self, instances: Sequence[Instance]) -> Mapping[str, bytes]:
        """Give the files that tell of all instances that are there, by path; the same for the same."""


@runtime_checkable
class Pushing(Protocol):
    """An exporter that talks to an end point."""

    def push(self, changed: Sequence[Instance], gone: Sequence[Instance]) -> Talk:
        """Ask, hear, ask again: bring instances there by their keys, and take away those that are gone.

        The first talk after a start is of all instances, and of all that are retired. Raises RefusedError at its end
        for what the other system does not take.
        """


MakeExporter = Callable[[Mapping[str, JsonValue]], Exporter]
