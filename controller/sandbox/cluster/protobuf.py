"""Read objects in Kubernetes' protobuf encoding: kubectl sends what it makes itself so (`kubectl create namespace`).

A body is a magic number and a runtime.Unknown message, whose `raw` is the object; the numbers of its fields are in the
data file. Answers are JSON, which every client takes.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from datetime import UTC, datetime

from controller.model import JsonValue
from controller.sandbox.cluster.schema import Body, Field, Kind, ListOf, MapOf, Scalar, Shape

MAGIC = b"k8s\0"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
Raw = int | bytes


def decode(data: bytes, kind: Kind) -> Body:
    """Read a body of a kind. Raises ValueError for what is not one."""
    unknown = _collect(data.removeprefix(MAGIC))
    raw = unknown.get(2, [b""])[0]
    if not isinstance(raw, bytes):
        raise ValueError("the message has no object")  # noqa: TRY004 - the bytes are wrong, not a type of ours
    return {**_struct(raw, kind.shape), "apiVersion": kind.api_version, "kind": kind.kind}


def decode_options(data: bytes) -> Body:
    """Read DeleteOptions, which is the body of a DELETE."""
    fields = _collect(_bytes(_collect(data.removeprefix(MAGIC)).get(2, [b""])[0]))
    options: Body = {}
    if 1 in fields:
        options["gracePeriodSeconds"] = fields[1][0]
    if 2 in fields:
        conditions = _collect(_bytes(fields[2][0]))
        names = {1: "uid", 2: "resourceVersion"}
        options["preconditions"] = {names[number]: _bytes(values[0]).decode() for number, values in conditions.items()}
    if 5 in fields:
        options["dryRun"] = [_bytes(one).decode() for one in fields[5]]
    if 4 in fields:
        options["propagationPolicy"] = _bytes(fields[4][0]).decode()
    return options


def _messages(data: bytes) -> Iterator[tuple[int, Raw]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, value - (1 << 64) if value >> 63 else value
        elif kind == BYTES:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError("a field is longer than its message")
            yield number, data[at : at + length]
            at += length
        elif kind in {FIXED64, FIXED32}:
            size = 8 if kind == FIXED64 else 4
            yield number, data[at : at + size]
            at += size
        else:
            raise ValueError(f"unknown wire type {kind}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise ValueError("a number does not end")


def _collect(data: bytes) -> dict[int, list[Raw]]:
    found: dict[int, list[Raw]] = {}
    for number, value in _messages(data):
        found.setdefault(number, []).append(value)
    return found


def _struct(data: bytes, shape: MapOf) -> Body:
    # An object's own version and kind are not in its message; what refers to an object has them as fields.
    own = {"apiVersion", "kind"} if "metadata" in shape.fields else set()
    names = {field.number: (name, field) for name, field in shape.fields.items() if name not in own}
    body: Body = {}
    for number, values in _collect(data).items():
        if number in names:
            name, field = names[number]
            body[name] = _field(values, field)
    return body


def _field(values: list[Raw], field: Field) -> JsonValue:
    match field.shape:
        case ListOf(element):
            return [_value(one, element) for one in values]
        case MapOf(is_struct=False, rest=rest):
            entries = [_collect(_bytes(one)) for one in values]
            inner = rest or Scalar("any")
            return {_bytes(one.get(1, [b""])[0]).decode(): _value(one.get(2, [b""])[0], inner) for one in entries}
        case shape:
            return _value(values[-1], shape)


def _value(value: Raw, shape: Shape) -> JsonValue:
    match shape:
        case MapOf():
            return _struct(_bytes(value), shape)
        case Scalar("string"):
            return _bytes(value).decode()
        case Scalar("bytes"):
            return base64.b64encode(_bytes(value)).decode()
        case Scalar("boolean"):
            return bool(value)
        case Scalar("number"):
            number: float = struct.unpack("<d", _bytes(value))[0]
            return number
        case Scalar("time"):
            seconds = _collect(_bytes(value)).get(1, [0])[0]
            return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else None
        case Scalar("quantity"):
            return _bytes(_collect(_bytes(value)).get(1, [b"0"])[0]).decode()
        case Scalar("int-or-string"):
            parts = _collect(_bytes(value))
            return _bytes(parts[3][0]).decode() if parts.get(1, [0])[0] else int(parts.get(2, [0])[0])
        case Scalar("integer"):
            return int(value)
        case _:
            raise ValueError("a field of this type is not read from protobuf: send JSON")


def _bytes(value: Raw) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number stands where bytes belong")  # noqa: TRY004 - the bytes are wrong, not a type of ours
    return value
