"""When in a sync an object has its turn: hooks, in our words and in those of Argo CD and Helm. Pure.

`before` comes ahead of every wave and `after` behind them, each when all before it is healthy; `failure` only when a
sync failed. What others run at a deletion, as a test, or never is no part of the desired state.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

import orjson

from controller.model import Manifest, Stalled

HOOK: Final = "converge/hook"
ARGO_HOOK: Final = "argocd.argoproj.io/hook"
HELM_HOOK: Final = "helm.sh/hook"
MARKS: Final = tuple(one.encode() for one in (HOOK, ARGO_HOOK, HELM_HOOK))  # looked for in the bytes


class Phase(IntEnum):
    BEFORE = -1
    ORDINARY = 0
    AFTER = 1
    FAILURE = 2
    NEVER = 3


OURS: Final = {"before": Phase.BEFORE, "after": Phase.AFTER, "failure": Phase.FAILURE}
ARGO: Final = {
    "PreSync": Phase.BEFORE, "Sync": Phase.ORDINARY, "PostSync": Phase.AFTER, "SyncFail": Phase.FAILURE,
    "PreDelete": Phase.NEVER, "PostDelete": Phase.NEVER, "Skip": Phase.NEVER,
}  # fmt: skip
HELM: Final = {
    "pre-install": Phase.BEFORE, "pre-upgrade": Phase.BEFORE, "post-install": Phase.AFTER, "post-upgrade": Phase.AFTER,
    "crd-install": Phase.ORDINARY, "pre-delete": Phase.NEVER, "post-delete": Phase.NEVER, "pre-rollback": Phase.NEVER,
    "post-rollback": Phase.NEVER, "test": Phase.NEVER, "test-success": Phase.NEVER,
}  # fmt: skip


def phase_of(manifest: Manifest) -> Phase:
    """Read when an object has its turn. Raises Stalled for an annotation of ours that means nothing.

    Of several turns that others name, the first of a sync counts: an object is there once.
    """
    if not any(mark in manifest.body for mark in MARKS):
        return Phase.ORDINARY
    annotations: dict[str, Any] = (orjson.loads(manifest.body).get("metadata") or {}).get("annotations") or {}
    if HOOK in annotations:
        said = annotations[HOOK]
        if said not in OURS:
            known = " or ".join(f'"{one}"' for one in OURS)
            raise Stalled(f'{manifest.origin}: metadata.annotations["{HOOK}"]: "{said}" means nothing. Write {known}')
        return OURS[said]
    for name, meanings in ((ARGO_HOOK, ARGO), (HELM_HOOK, HELM)):
        turns = [meanings[one.strip()] for one in str(annotations.get(name, "")).split(",") if one.strip() in meanings]
        if turns:
            return min(turns)
    return Phase.ORDINARY


def is_hook(manifest: Manifest) -> bool:
    """Tell whether an object is made anew where its content changed: a Job can't be changed."""
    return phase_of(manifest) is not Phase.ORDINARY
