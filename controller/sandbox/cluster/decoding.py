"""Read a body into its kind: prune what the kind does not know, fill in defaults, fold what is written only.

The real server does all of it whenever it decodes an object, so also with what a patch or a merge made.
"""

from __future__ import annotations

import base64
from typing import Any

from controller.sandbox.cluster import refusals
from controller.sandbox.cluster.defaults import apply_defaults
from controller.sandbox.cluster.encoding import WrongType, encode, encode_custom, skeleton
from controller.sandbox.cluster.schema import Body, Kind, object_meta


def decode(kind: Kind, body: Body, *, strict: bool = False) -> dict[str, Any]:
    """Read a body. Raises Refused (400) for what the kind can't hold; `strict`: also for fields it doesn't know."""
    named = (body.get("apiVersion", kind.api_version), body.get("kind", kind.kind))
    why = f'{named[1]} in version "{kind.version}" cannot be handled as a {kind.kind}'
    if named != (kind.api_version, kind.kind):
        raise refusals.bad_request(f"{why}: converting ({named[0]}.{named[1]}) to ({kind.kind}): unknown conversion")
    unknown: list[str] = []
    full: Body = {**body, "apiVersion": kind.api_version, "kind": kind.kind}
    full.setdefault("metadata", {})
    try:
        new = _builtin(kind, full, unknown) if kind.is_builtin else _custom(kind, full, unknown)
    except WrongType as error:
        raise refusals.bad_request(f"{why}: {error}") from error
    if strict and unknown:
        found = ", ".join(f'unknown field "{one}"' for one in unknown)
        raise refusals.bad_request(f"{why}: strict decoding error: {found}")
    return new


def blank(kind: Kind) -> dict[str, Any]:
    """Give what an object is before it is created."""
    empty: Body = skeleton(kind.shape) if kind.is_builtin else {"metadata": {}}
    return {**empty, "apiVersion": kind.api_version, "kind": kind.kind}


def _builtin(kind: Kind, full: Body, unknown: list[str]) -> dict[str, Any]:
    new = encode(full, kind.shape, unknown.append)
    if kind.kind == "Secret" and (plain := new.pop("stringData", None)):
        encoded = {name: base64.b64encode(value.encode()).decode() for name, value in plain.items()}
        new["data"] = {**new.get("data", {}), **encoded}
    apply_defaults(kind.kind, new)
    return new


def _custom(kind: Kind, full: Body, unknown: list[str]) -> dict[str, Any]:
    pruned = encode_custom(full, kind.shape, unknown.append)
    new: dict[str, Any] = pruned if isinstance(pruned, dict) else {}
    new["metadata"] = encode(full["metadata"], object_meta(), unknown.append)
    return new
