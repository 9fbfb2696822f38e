"""Canonical JSON, and digests of bytes."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import orjson

from controller.documents.reading import MAX_BYTES
from controller.documents.scalars import INT64_MIN, UINT64_MAX
from controller.model import Digest, Invalid, JsonValue, Position, Problem

SHA256_DIGITS: Final = 64
_OPTIONS = orjson.OPT_SORT_KEYS


def canonical(value: JsonValue) -> bytes:
    """Write JSON with sorted keys, no spaces, as UTF-8. Integers beyond 64 bits become floats, as in Kubernetes.

    Raises Invalid for what JSON lacks: infinities, lone surrogates.
    """
    try:
        return exact(orjson.dumps(value, option=_OPTIONS, default=_bare))
    except TypeError as error:
        if "64-bit" not in str(error):
            raise _unwritable(str(error)) from error
    try:
        return exact(orjson.dumps(_narrowed(value), option=_OPTIONS, default=_bare))
    except TypeError as error:
        raise _unwritable(str(error)) from error


def exact(data: bytes) -> bytes:
    """Copy what orjson wrote, where it is kept: the rest of its buffer, 4 KB and more, stays behind its bytes."""
    return bytes(memoryview(data))


def decode(data: bytes) -> JsonValue:
    """Read JSON. Raises Invalid with line and column."""
    if len(data) > MAX_BYTES:
        raise _unwritable(f"{len(data)} bytes; {MAX_BYTES} are read at most")
    try:
        value: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Invalid([Problem(Position("", error.lineno, error.colno), f"not JSON: {error.msg}")]) from error
    return value


def blob_id(data: bytes, *, like: str = "") -> str:
    """Give the id that git has for a file's content, in a repository whose ids are like this one."""
    make = hashlib.sha256 if len(like) == SHA256_DIGITS else hashlib.sha1
    return make(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def digest_of(data: bytes) -> Digest:
    """Give `sha256:` and 64 hex digits."""
    return Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")


def _bare(value: object) -> object:
    """Write the float that remembers its spelling: orjson knows subclasses of str and int, not of float."""
    if isinstance(value, float):
        return float(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _narrowed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _narrowed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_narrowed(one) for one in value]
    if isinstance(value, int) and not isinstance(value, bool) and not INT64_MIN <= value <= UINT64_MAX:
        return float(value)
    return value


def _unwritable(what: str) -> Invalid:
    return Invalid([Problem(Position(""), f"not JSON: {what}")])
