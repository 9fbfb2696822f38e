"""How an object's end begins: at once, gracefully, or held by finalizers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from controller.sandbox.cluster import lifecycle, refusals
from controller.sandbox.cluster.registry import DEFINITIONS
from controller.sandbox.cluster.schema import Body, Kind

NAMESPACES = ("", "namespaces")
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
CUSTOM_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"  # a definition goes after its objects
POD_GRACE_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """The options of a delete."""

    uid: str = ""
    resource_version: str = ""
    propagation: str = "Background"
    grace_seconds: int | None = None


def begin(kind: Kind, old: dict[str, Any], options: Deletion) -> Body | None:
    """Give the object as it waits for its end, or None when it goes at once. Raises Refused (409)."""
    meta: dict[str, Any] = old["metadata"]
    _check(kind, meta, options)
    finalizers = _finalizers(meta.get("finalizers", []), options.propagation)
    if kind.key == DEFINITIONS and not meta.get("deletionTimestamp"):
        finalizers.append(CUSTOM_CLEANUP)
    is_graceful = is_running(old) and options.grace_seconds != 0
    if not finalizers and not is_graceful and kind.key != NAMESPACES:
        return None
    if meta.get("deletionTimestamp") and finalizers == meta.get("finalizers", []):
        return old
    waiting = {**meta, "deletionTimestamp": lifecycle.now()}
    waiting.pop("finalizers", None)
    if finalizers:
        waiting["finalizers"] = finalizers
    if kind.key == NAMESPACES:
        return {**old, "metadata": waiting, "status": {**old.get("status", {}), "phase": "Terminating"}}
    grace = POD_GRACE_SECONDS if is_graceful else 0
    waiting["deletionGracePeriodSeconds"] = grace if options.grace_seconds is None else options.grace_seconds
    return {**old, "metadata": waiting}


def is_over(kind: Kind, body: Body) -> bool:
    """Say whether nothing holds an object any more that was deleted before."""
    meta = body["metadata"]
    is_held = meta.get("finalizers") or is_running(body) or kind.key == NAMESPACES
    return "deletionTimestamp" in meta and not is_held


def is_running(body: Body) -> bool:
    """A pod on a node ends when its kubelet says so, by a delete with a grace of zero seconds."""
    return body.get("kind") == "Pod" and body.get("apiVersion") == "v1" and bool(body["spec"].get("nodeName"))


def _check(kind: Kind, meta: dict[str, Any], options: Deletion) -> None:
    if options.uid and options.uid != meta["uid"]:
        why = f"the UID in the precondition ({options.uid}) does not match the UID in record ({meta['uid']})"
        raise refusals.precondition(kind, meta["name"], f"{why}. The object might have been deleted and then recreated")
    version = meta["resourceVersion"]
    if options.resource_version and options.resource_version != version:
        why = f"the ResourceVersion in the precondition ({options.resource_version})"
        why += f" does not match the ResourceVersion in record ({version}). The object might have been modified"
        raise refusals.precondition(kind, meta["name"], why)


def _finalizers(present: list[str], propagation: str) -> list[str]:
    wanted = [one for one in present if one not in {FOREGROUND, ORPHAN}]
    if propagation == "Foreground":
        wanted.append(FOREGROUND)
    if propagation == "Orphan":
        wanted.append(ORPHAN)
    return wanted
