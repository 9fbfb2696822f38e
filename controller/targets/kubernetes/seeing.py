"""Read what an event or a LIST says of one object, and no more of it than is needed. Pure."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, field
from typing import Any

import msgspec

from controller.model import Digest, ObjectKey, Transient
from controller.targets.kubernetes.labels import (
    APPLYSET_ID_LABEL,
    APPLYSET_PART_OF_LABEL,
    DIGEST_ANNOTATION,
    INSTALLATION_LABEL,
    MANAGER,
    OWNER_ANNOTATION,
    RELEASED_ANNOTATION,
    Owner,
    read_owner,
)
from controller.targets.kubernetes.ownership import APPLY

_NOTHING = msgspec.Raw(b"")
_CHANGING = frozenset({"metadata", "status", "apiVersion", "kind"})  # what `Sight.substance` leaves out, or takes apart


class _Entry(msgspec.Struct):
    manager: str = ""
    operation: str = ""
    subresource: str = ""
    api_version: str = msgspec.field(name="apiVersion", default="")
    fields: msgspec.Raw = msgspec.field(name="fieldsV1", default=_NOTHING)


class _Metadata(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    deletion: str | None = msgspec.field(name="deletionTimestamp", default=None)
    labels: msgspec.Raw = _NOTHING
    annotations: msgspec.Raw = _NOTHING
    finalizers: msgspec.Raw = _NOTHING
    owners: msgspec.Raw = msgspec.field(name="ownerReferences", default=_NOTHING)
    managed: list[_Entry] | None = msgspec.field(name="managedFields", default=None)


_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_METADATA = msgspec.json.Decoder(_Metadata)
_NAMES = msgspec.json.Decoder(dict[str, str] | None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One object as the server just showed it."""

    key: ObjectKey
    api_version: str  # that it was asked for in
    uid: str
    resource_version: str
    is_terminating: bool
    is_labelled: bool  # carries an installation's label
    owner: Owner | None
    digest: Digest | None
    released: str  # what is left to others, as its annotation says
    parent_id: str  # the ApplySet whose parent it is, "" for none
    member_of: str  # the ApplySet whose member it says it is
    applied_as: str  # the api version of our last apply, "" when our manager is not among its managers
    is_touched: bool  # managers beside ours wrote it
    substance: bytes  # equal while nothing moved that a verdict on drift could depend on: status and times may
    raw: msgspec.Raw = field(repr=False)


def see(raw: msgspec.Raw, *, group: str, kind: str, api_version: str) -> Sight:
    """Read an object. Raises Transient for what is none."""
    try:
        top = _OBJECT.decode(raw)
        metadata = _METADATA.decode(top["metadata"])
        labels = _names(metadata.labels)
        annotations = _names(metadata.annotations)
    except (msgspec.DecodeError, KeyError) as error:
        raise Transient(f"the API server sent a {kind} that can't be read: {error}") from error
    entries = metadata.managed or []
    ours = next((one for one in entries if _is_ours(one)), None)
    digest = annotations.get(DIGEST_ANNOTATION)
    return Sight(
        key=ObjectKey(group, kind, sys.intern(metadata.namespace), metadata.name),
        api_version=api_version,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        is_terminating=metadata.deletion is not None,
        is_labelled=INSTALLATION_LABEL in labels,
        owner=read_owner(annotations.get(OWNER_ANNOTATION, "")),
        digest=Digest(digest) if digest else None,
        released=annotations.get(RELEASED_ANNOTATION, ""),
        parent_id=labels.get(APPLYSET_ID_LABEL, ""),
        member_of=labels.get(APPLYSET_PART_OF_LABEL, ""),
        applied_as=ours.api_version if ours else "",
        is_touched=any(one.manager != MANAGER for one in entries),
        substance=_substance(top, metadata, ours),
        raw=raw,
    )


def see_answer(body: bytes) -> Sight:
    """Read the server's answer to a request for one object: it says itself what it is. Raises Transient as `see`."""
    try:
        top: dict[str, Any] = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        api_version, kind = msgspec.json.decode(top["apiVersion"]), msgspec.json.decode(top["kind"])
    except (msgspec.DecodeError, KeyError) as error:
        raise Transient(f"the API server sent an object that can't be read: {error}") from error
    return see(msgspec.Raw(body), group=api_version.rpartition("/")[0], kind=kind, api_version=api_version)


def is_newer(one: str, other: str) -> bool:
    """Tell whether a resourceVersion is newer than another of the same object.

    They are numbers in every Kubernetes there is, and comparable by promise since 1.35; others count as newer.
    """
    return int(one) > int(other) if one.isdigit() and other.isdigit() else one != other


def _names(raw: msgspec.Raw) -> dict[str, str]:
    return (_NAMES.decode(raw) or {}) if raw else {}


def _is_ours(entry: _Entry) -> bool:
    return entry.manager == MANAGER and entry.operation == APPLY and not entry.subresource


def _substance(top: dict[str, msgspec.Raw], metadata: _Metadata, ours: _Entry | None) -> bytes:
    total = hashlib.blake2b(digest_size=16)
    for name, value in top.items():
        if name not in _CHANGING:
            total.update(value)
    for part in (metadata.labels, metadata.annotations, metadata.finalizers, metadata.owners):
        total.update(b"\0")
        total.update(part)
    total.update(ours.fields if ours else b"")
    return total.digest()
