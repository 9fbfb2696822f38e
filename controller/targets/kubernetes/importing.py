"""Live objects as files: what somebody would have written, so that they render to no difference.

What is read is sorted out by who made it (`makers.py`), freed of what others wrote into it (`cleaning.py`) and of
defaults (`doubting.py`). The same objects come out as the same files, each time.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from controller.model import ObjectKey, Stalled
from controller.targets.kubernetes.cleaning import cleaned
from controller.targets.kubernetes.connection import Connection, Request
from controller.targets.kubernetes.discovery import Discovery, Resource
from controller.targets.kubernetes.doubting import asking, without_defaults
from controller.targets.kubernetes.errors import refusal
from controller.targets.kubernetes.makers import NOISE, is_made_by_people, surroundings

IN_FLIGHT: Final = 16
UNSAFE: Final = re.compile(r"[^a-z0-9.-]")  # in a file's name, on any system


@dataclass(frozen=True, slots=True)
class Imported:
    """One object as it would have been written."""

    key: ObjectKey
    body: dict[str, Any]
    file_name: str


@dataclass(frozen=True, slots=True)
class Import:
    """What people made in a namespace, sorted by key; `remarks` say what else they may have meant."""

    objects: tuple[Imported, ...]
    remarks: tuple[str, ...]


async def import_from(connection: Connection, namespace: str) -> Import:
    """Read what people made in a namespace. Raises Stalled for a namespace that is not there.

    Kinds that may not be listed are left out, with a remark.
    """
    answer = await connection.send(Request("GET", f"/api/v1/namespaces/{namespace}"))
    if answer.status == 404:
        raise Stalled(f"there is no namespace {namespace} on {connection.name}")
    served = await Discovery(connection).refresh()
    kinds = [one for one in served.preferred.values() if one.namespaced and one.group_kind not in NOISE]
    room = asyncio.Semaphore(IN_FLIGHT)
    answers = await asyncio.gather(*(_listed(connection, one, namespace, room) for one in kinds))
    listed = [(kind, live) for kind, found in zip(kinds, answers, strict=True) for live in found or ()]
    around = surroundings((kind.group_kind, live) for kind, live in listed)
    made = [(kind, live) for kind, live in listed if is_made_by_people(kind.group_kind, live, around)]
    pods = sorted(live["metadata"]["name"] for kind, live in made if kind.group_kind == "Pod")
    cleared = await asyncio.gather(
        *(_cleared(connection, *one, namespace, room) for one in made if one[0].group_kind != "Pod")
    )
    bodies = {key: body for key, body, _ in cleared}
    names = file_names(sorted(bodies))
    closed = sorted(kind.group_kind for kind, found in zip(kinds, answers, strict=True) if found is None)
    remarks = _remarks(closed, pods, {key: why for key, _, why in cleared if why})
    return Import(tuple(Imported(key, bodies[key], names[key]) for key in sorted(bodies)), remarks)


def _remarks(closed: Sequence[str], pods: Sequence[str], unasked: Mapping[ObjectKey, str]) -> tuple[str, ...]:
    """Say what was left out, or written at greater length, that somebody may miss."""
    remarks = [f"{key}: its defaults are written too, for they could not be asked for: {unasked[key]}"
               for key in sorted(unasked)]  # fmt: skip
    if pods:
        remarks.append(f"left out: Pods that nobody owns ({', '.join(pods)}). Write a Job or a Deployment for them")
    if closed:
        remarks.append(f"left out: what may not be listed: {', '.join(closed)}")
    return tuple(remarks)


async def _listed(
    connection: Connection, resource: Resource, namespace: str, room: asyncio.Semaphore
) -> Sequence[Mapping[str, Any]] | None:
    """List a kind; None where that is not allowed."""
    async with room:
        answer = await connection.send(Request("GET", resource.path(namespace)))
    if answer.status == 403:
        return None
    if answer.status in {404, 405}:
        return ()
    if answer.status != 200:
        raise refusal(answer, ObjectKey(resource.group, resource.kind, namespace, "*"))
    return list(orjson.loads(answer.body).get("items") or ())


async def _cleared(
    connection: Connection, resource: Resource, live: Mapping[str, Any], namespace: str, room: asyncio.Semaphore
) -> tuple[ObjectKey, dict[str, Any], str]:
    key = ObjectKey(resource.group, resource.kind, namespace, live["metadata"]["name"])
    body = cleaned(live, resource)
    if resource.group_kind == "Secret":
        return key, body, ""
    return key, *await without_defaults(body, asking(connection, resource, namespace, room))


def file_names(keys: Iterable[ObjectKey]) -> Mapping[ObjectKey, str]:
    """Name a file for each object: `service-web.yaml`, with its group where another kind's has that name. Pure."""
    taken: set[str] = set()
    names: dict[ObjectKey, str] = {}
    for key in keys:
        plain = UNSAFE.sub("-", f"{key.kind}-{key.name}".lower())
        grouped = UNSAFE.sub("-", f"{key.kind}.{key.group}-{key.name}".lower()) if key.group else plain
        candidates = (plain, grouped, *(f"{grouped}-{number}" for number in range(2, len(taken) + 3)))
        stem = next(one for one in candidates if one not in taken)
        taken.add(stem)
        names[key] = f"{stem}.yaml"
    return names
