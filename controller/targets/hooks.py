"""When in a sync an object has its turn: hooks, in our words and in those of Argo CD and Helm. Pure.

`before` comes ahead of every wave and `after` behind them, each when all before it is healthy; `failure` only when a
sync failed; `before-delete` and `after-delete` when the application is taken away. What others run as a test, at a
rollback, or never is no part of the desired state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum, StrEnum
from typing import Any, Final

import orjson

from controller.model import Manifest, ObjectKey, Stalled

HOOK: Final = "converge/hook"
ARGO_HOOK: Final = "argocd.argoproj.io/hook"
HELM_HOOK: Final = "helm.sh/hook"
POLICY: Final = "converge/hook-delete-policy"
ARGO_POLICY: Final = "argocd.argoproj.io/hook-delete-policy"
HELM_POLICY: Final = "helm.sh/hook-delete-policy"
POLICY_MARKS: Final = tuple(one.encode() for one in (POLICY, ARGO_POLICY, HELM_POLICY))
MARKS: Final = tuple(one.encode() for one in (HOOK, ARGO_HOOK, HELM_HOOK))  # looked for in the bytes


BEFORE_CREATION: Final = "before-hook-creation"


class Ending(StrEnum):
    """When a hook's object is taken away again; without a word it stays until its content changes."""

    SUCCEEDED = "hook-succeeded"
    FAILED = "hook-failed"


OUR_POLICIES: Final = frozenset({BEFORE_CREATION, *Ending})  # Helm's words as well
ARGO_POLICIES: Final = {
    "BeforeHookCreation": BEFORE_CREATION, "HookSucceeded": Ending.SUCCEEDED, "HookFailed": Ending.FAILED,
}  # fmt: skip


RUNNERS: Final = frozenset({"Job.batch", "Pod", "Workflow.argoproj.io", "PipelineRun.tekton.dev", "TaskRun.tekton.dev"})


class Phase(IntEnum):
    BEFORE = -1
    ORDINARY = 0
    AFTER = 1
    FAILURE = 2
    BEFORE_DELETE = 3
    AFTER_DELETE = 4
    NEVER = 5


NO_HOOK: Final = frozenset({Phase.ORDINARY})
OURS: Final = {
    "before": Phase.BEFORE, "after": Phase.AFTER, "failure": Phase.FAILURE,
    "before-delete": Phase.BEFORE_DELETE, "after-delete": Phase.AFTER_DELETE,
}  # fmt: skip
ARGO: Final = {
    "PreSync": Phase.BEFORE, "Sync": Phase.ORDINARY, "PostSync": Phase.AFTER, "SyncFail": Phase.FAILURE,
    "PreDelete": Phase.BEFORE_DELETE, "PostDelete": Phase.AFTER_DELETE, "Skip": Phase.NEVER,
}  # fmt: skip
HELM: Final = {
    "pre-install": Phase.BEFORE, "pre-upgrade": Phase.BEFORE, "post-install": Phase.AFTER, "post-upgrade": Phase.AFTER,
    "crd-install": Phase.ORDINARY, "pre-delete": Phase.BEFORE_DELETE, "post-delete": Phase.AFTER_DELETE,
    "pre-rollback": Phase.NEVER, "post-rollback": Phase.NEVER, "test": Phase.NEVER, "test-success": Phase.NEVER,
}  # fmt: skip


def phase_of(manifest: Manifest) -> Phase:
    """Read when an object has its turn. Raises Stalled for an annotation of ours that means nothing.

    Of several turns that others name, the first of a sync counts: an object is there once.
    """
    return min(phases_of(manifest))


def phases_of(manifest: Manifest) -> frozenset[Phase]:
    """Read every turn of an object; an ordinary one has that alone. Raises as `phase_of`."""
    if not any(mark in manifest.body for mark in MARKS):
        return NO_HOOK
    annotations: dict[str, Any] = (orjson.loads(manifest.body).get("metadata") or {}).get("annotations") or {}
    if HOOK in annotations:
        said = annotations[HOOK]
        if said not in OURS:
            known = " or ".join(f'"{one}"' for one in OURS)
            raise Stalled(f'{manifest.origin}: metadata.annotations["{HOOK}"]: "{said}" means nothing. Write {known}')
        return frozenset({OURS[said]})
    for name, meanings in ((ARGO_HOOK, ARGO), (HELM_HOOK, HELM)):
        turns = frozenset(meanings[one] for one in _words(annotations, name) if one in meanings)
        if turns:
            return turns
    return NO_HOOK


def endings_of(manifest: Manifest) -> frozenset[Ending]:
    """Read when a hook is taken away again. Raises Stalled for a policy of ours that means nothing."""
    return frozenset(Ending(one) for one in _policies(manifest) & {*Ending})


def is_made_anew(manifest: Manifest) -> bool:
    """Tell whether a hook asks to be deleted and made anew where its content changed, whatever its kind. Raises so."""
    return BEFORE_CREATION in _policies(manifest) and is_hook(manifest)


def _policies(manifest: Manifest) -> frozenset[str]:
    if not any(mark in manifest.body for mark in POLICY_MARKS):
        return frozenset()
    annotations: dict[str, Any] = (orjson.loads(manifest.body).get("metadata") or {}).get("annotations") or {}
    ours = set(_words(annotations, POLICY))
    if unknown := ours - OUR_POLICIES:
        known = " or ".join(f'"{one}"' for one in sorted(OUR_POLICIES))
        raise Stalled(
            f'{manifest.origin}: metadata.annotations["{POLICY}"]: "{min(unknown)}" means nothing. Write {known}'
        )
    words = ours or {*_words(annotations, ARGO_POLICY), *_words(annotations, HELM_POLICY)}
    return frozenset(ARGO_POLICIES.get(one, one) for one in words)


def _words(annotations: Mapping[str, Any], name: str) -> Iterator[str]:
    return (one.strip() for one in str(annotations.get(name, "")).split(",") if one.strip())


def is_hook(manifest: Manifest) -> bool:
    """Tell whether an object is made anew where its content changed: a Job can't be changed."""
    return phase_of(manifest) is not Phase.ORDINARY


def runs_to_its_end(key: ObjectKey) -> bool:
    """Tell whether a hook does work of its own, once per content; any other is there for the hooks beside it."""
    return key.group_kind in RUNNERS
