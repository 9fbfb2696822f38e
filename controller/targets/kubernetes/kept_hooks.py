"""The hooks of a deletion as an ApplySet parent keeps them: nothing is rendered when an application has left git.

A ConfigMap is no place for Secrets, so none is among them (`releasing`). Pure.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from controller.model import CommitId, Digest, Manifest, ObjectKey, Origin, RepositoryName, Stalled

DATA: Final = "deletion-hooks"  # the parent's key
MOST_BYTES: Final = 512 * 1024  # of what an object in etcd may have, with room for the rest of the parent


@dataclass(frozen=True, slots=True)
class KeptHooks:
    """What is written when the application is taken away."""

    before: tuple[Manifest, ...] = ()
    after: tuple[Manifest, ...] = ()

    @property
    def keys(self) -> frozenset[ObjectKey]:
        return frozenset(one.key for one in (*self.before, *self.after))


def pack_hooks(before: Iterable[Manifest], after: Iterable[Manifest]) -> str:
    """Write hooks as text; "" for none, the same text for the same hooks. Raises Stalled for what is too much."""
    both = [[_written(one) for one in some] for some in (before, after)]
    if not any(both):
        return ""
    text = base64.b64encode(zlib.compress(orjson.dumps(both), 9)).decode()
    if len(text) > MOST_BYTES:
        raise Stalled(f"its hooks of deletions take {len(text)} bytes, and {MOST_BYTES} can be kept. Make them smaller")
    return text


def unpack_hooks(text: str) -> KeptHooks:
    """Read what `pack_hooks` wrote; what somebody spoiled reads as none."""
    try:
        before, after = orjson.loads(zlib.decompress(base64.b64decode(text, validate=True))) if text else ((), ())
        return KeptHooks(tuple(map(_read, before)), tuple(map(_read, after)))
    except (ValueError, TypeError, KeyError, zlib.error):
        return KeptHooks()


def _written(one: Manifest) -> dict[str, Any]:
    origin = one.origin
    return {
        "apiVersion": one.api_version,
        "key": [one.key.group, one.key.kind, one.key.namespace, one.key.name],
        "body": one.body.decode(),
        "digest": one.digest,
        "origin": [origin.repository, origin.path, origin.line, origin.commit],
    }


def _read(value: Mapping[str, Any]) -> Manifest:
    group, kind, namespace, name = value["key"]
    repository, path, line, commit = value["origin"]
    return Manifest(
        key=ObjectKey(group, kind, namespace, name),
        api_version=value["apiVersion"],
        body=value["body"].encode(),
        digest=Digest(value["digest"]),
        origin=Origin(RepositoryName(repository), path, line, CommitId(commit)),
    )
