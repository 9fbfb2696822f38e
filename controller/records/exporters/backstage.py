"""Backstage: catalog files. An environment is a System, an application in it a Component, an object a Resource.

After the schemas of `@backstage/catalog-model`: names of 63 characters at most, namespaces that are DNS labels,
annotations that are texts. Root fields `relations` and `status` are Backstage's own, and not written.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from controller.documents import write
from controller.model import JsonValue
from controller.records.exporters.protocol import Exporter, Instance
from controller.records.exporters.settings import Settings
from controller.records.identity import ELSEWHERE, LEVELS, Key, parse_key
from controller.records.paths import segment

API_VERSION: Final = "backstage.io/v1alpha1"
LONGEST: Final = 63
ANNOTATIONS: Final = "converge.io"
NEEDS: Final = frozenset({"uses", "mounts", "dependsOn", "exposes", "selects", "scales", "provisions"})
_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LABEL = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Backstage:
    """`owners` says whose an application is, by its name or by `environment/application`; `owner` of all others."""

    owner: str
    owners: Mapping[str, str] = field(default_factory=dict)
    kind: str = "service"

    def files(self, instances: Sequence[Instance]) -> Mapping[str, bytes]:
        """Give a file per environment and per application in it, which holds its objects, and one that names them."""
        known = {one.key for one in instances}
        members: dict[str, list[str]] = {}
        for one in instances:
            for each in one.relations:
                if each.type == "partOf" and one.place.name and one.model not in LEVELS.values():
                    members.setdefault(each.target, []).append(one.key)
        parts: dict[str, list[dict[str, Any]]] = {}
        for one in sorted(instances, key=lambda one: one.key):
            entity = self._entity(one, known, sorted(members.get(one.key, ())))
            if entity is not None:
                parts.setdefault(_path(one.place), []).append(entity)
        files = {path: b"".join(b"---\n" + write(one) for one in entities) for path, entities in sorted(parts.items())}
        return {**files, "catalog-info.yaml": write(_location(sorted(files)))} if files else {}

    def _entity(self, one: Instance, known: set[str], members: Sequence[str]) -> dict[str, Any] | None:
        match one.model:
            case "Environment":
                return _of("System", one, {"owner": self.owner})
            case "Application":
                spec = {
                    "type": self.kind,
                    "lifecycle": one.place.environment,
                    "owner": self._owner(one.place),
                    "system": _reference(parse_key(one.place.environment)),
                }
                return _of("Component", one, {**spec, **_needs(members)})
            case "Target":
                return None  # an application on a target: told by the resources that are there
            case _:
                spec = {"type": one.place.kind, "owner": self._owner(one.place)}
                spec["system"] = _reference(parse_key(one.place.environment))
                return _of("Resource", one, {**spec, **_needs(sorted(_others(one, known)))})

    def _owner(self, place: Key) -> str:
        group = f"{place.environment}/{place.application}"
        return self.owners.get(group) or self.owners.get(place.application) or self.owner


def _others(one: Instance, known: set[str]) -> Iterator[str]:
    for relation in one.relations:
        if relation.type in NEEDS:
            target = parse_key(relation.target)
            own = relation.target.replace(f"/{ELSEWHERE}/", f"/{one.place.application}/", 1)
            found = own if target.application == ELSEWHERE and own in known else relation.target
            if found in known:
                yield found


def _needs(keys: Sequence[str]) -> dict[str, Any]:
    return {"dependsOn": [_reference(parse_key(key)) for key in keys]} if keys else {}


def _of(kind: str, one: Instance, spec: Mapping[str, Any]) -> dict[str, Any]:
    place = one.place
    metadata: dict[str, Any] = {"name": name_of(place), "namespace": _namespace(place)}
    if one.name != metadata["name"]:
        metadata["title"] = one.name
    metadata["annotations"] = dict(sorted(_annotations(one)))
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": dict(spec)}


def _annotations(one: Instance) -> Iterator[tuple[str, str]]:
    yield f"{ANNOTATIONS}/key", one.key
    yield f"{ANNOTATIONS}/id", one.id
    yield f"{ANNOTATIONS}/sync", one.sync
    yield f"{ANNOTATIONS}/health", one.health
    yield f"{ANNOTATIONS}/since", one.since
    for name in ("version", "repository", "branch", "author", "images", "image"):
        value = one.attributes.get(name)
        if isinstance(value, str) and value:
            yield f"{ANNOTATIONS}/{name}", value
        elif isinstance(value, list) and value:
            yield f"{ANNOTATIONS}/{name}", ", ".join(map(str, value))
    if isinstance(commit := one.provenance.get("commit"), str):
        yield f"{ANNOTATIONS}/commit", commit


def name_of(place: Key) -> str:
    """Give an entity's name: unique among those of its kind in its environment, and one that Backstage takes."""
    match place.model:
        case "Environment":
            return _fitted(place.environment)
        case "Application":
            return _fitted(place.application)
        case _:
            parts = (place.application, place.target, place.namespace, place.model.lower(), place.name)
            return _fitted(".".join(filter(None, parts)))


def _fitted(text: str) -> str:
    """Keep a name that Backstage takes (it does not tell cases apart); any other is what fits of it, and a hash."""
    if len(text) <= LONGEST and _NAME.fullmatch(text) and text == text.lower():
        return text
    readable = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[: LONGEST - 11].strip("-")
    return f"{readable or 'x'}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:10]}"


def _namespace(place: Key) -> str:
    name = place.environment
    is_label = len(name) <= LONGEST and _LABEL.fullmatch(name)
    return name if is_label else _fitted(name.replace(".", "-").replace("_", "-"))


def _reference(place: Key) -> str:
    kind = {"Environment": "system", "Application": "component"}.get(place.model, "resource")
    return f"{kind}:{_namespace(place)}/{name_of(place)}"


def _path(place: Key) -> str:
    if place.model == "Environment":
        return f"{segment(place.environment)}/_system.yaml"
    return f"{segment(place.environment)}/{segment(place.application)}.yaml"


def _location(paths: Sequence[str]) -> dict[str, Any]:
    """Give the one file that Backstage is pointed at."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Location",
        "metadata": {"name": "converge", "description": "Written by Converge: what runs where."},
        "spec": {"targets": [f"./{path}" for path in paths]},
    }


def exporter(settings: Mapping[str, JsonValue]) -> Exporter:
    """Take `owner` (an entity reference; `unknown` without it), `owners` by application, and `type` of components."""
    read = Settings(settings)
    made = Backstage(read.text("owner", "unknown"), read.texts("owners", {}), read.text("type", "service"))
    read.done()
    return made
