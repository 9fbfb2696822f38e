"""Which fields of a desired state are left to others (rule 7): autoscalers, ignore rules, what the field knows. Pure.

The one place that says so. It only marks manifests: how a target lets go of a field it owns, without resetting it, is
the target's (`kubernetes/handover.py`). What is marked is part of a manifest's digest, so that a rule that comes, goes
or expires is seen like any other change of git.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

import orjson

from controller.config import matches_any, matches_kind
from controller.documents import Dialect, canonical, digest_of, read
from controller.model import Desired, Digest, Ignore, Manifest, ObjectKey, Release, Stalled
from controller.targets.asking import said_releases
from controller.targets.hooks import HOOK, Phase, phase_of, phases_of

AT_DELETION: Final = frozenset({Phase.BEFORE_DELETE, Phase.AFTER_DELETE})
# Who decides on the number of replicas of the object that its `scaleTargetRef` names.
AUTOSCALERS: Final = frozenset({"HorizontalPodAutoscaler.autoscaling", "ScaledObject.keda.sh"})
REPLICAS: Final = "spec.replicas"


def release(desired: Desired, rules: Iterable[Ignore], *, now: datetime) -> Desired:
    """Mark what is left to others, and set aside the hooks that no ordinary sync writes.

    Gives the very same desired state where that is nothing. Raises Stalled for a hook that means nothing.
    """
    desired = _without_rare_hooks(desired)
    valid = [one for one in rules if one.until is None or now < one.until]
    scaled = scaled_by(desired.manifests)
    marked = tuple(_marked(one, valid, scaled.get(one.key, "")) for one in desired.manifests)
    if all(one is other for one, other in zip(marked, desired.manifests, strict=True)):
        return desired
    return replace(desired, manifests=marked, digest=_digest(desired.digest, marked))


def _without_rare_hooks(desired: Desired) -> Desired:
    rare = {one.key: phase for one in desired.manifests if (phase := phase_of(one)) >= Phase.FAILURE}
    if not rare and not any(phases_of(one) & AT_DELETION for one in desired.manifests):
        return desired
    ordinary = tuple(one for one in desired.manifests if one.key not in rare)
    # Run once for each desired state that fails: another one makes another digest of them.
    on_failure = tuple(
        replace(one, digest=digest_of(f"{one.digest} {desired.digest}".encode()))
        for one in desired.manifests
        if rare.get(one.key) is Phase.FAILURE
    )
    return replace(
        desired,
        manifests=ordinary,
        on_failure=on_failure,
        before_delete=_at_deletion(desired, Phase.BEFORE_DELETE),
        after_delete=_at_deletion(desired, Phase.AFTER_DELETE),
    )


def _at_deletion(desired: Desired, phase: Phase) -> tuple[Manifest, ...]:
    """Give the hooks of a deletion, by digests of their own: a Job that ran in a sync as well runs again.

    They are kept on the target in a ConfigMap, for a deletion renders nothing; so no Secret is among them.
    """
    found = [one for one in desired.manifests if phase in phases_of(one)]
    for one in found:
        if one.key.group_kind == "Secret" and phase_of(one) is phase and HOOK.encode() in one.body:
            raise Stalled(
                f"{one.key} ({one.origin}): a Secret can't be a hook of deletions, which are kept in a ConfigMap. "
                "Make it an ordinary object of the application"
            )
    return tuple(
        replace(one, digest=digest_of(f"{one.digest} {phase.name}".encode()))
        for one in found
        if one.key.group_kind != "Secret"
    )


def next_end(rules: Iterable[Ignore], *, now: datetime) -> datetime | None:
    """Say when the next of these rules ends: a desired state is then another one."""
    return min((one.until for one in rules if one.until is not None and one.until > now), default=None)


def scaled_by(manifests: Iterable[Manifest]) -> Mapping[ObjectKey, str]:
    """Name what the autoscalers among these scale, and who does."""
    found = {}
    for one in manifests:
        if one.key.group_kind in AUTOSCALERS:
            target = scale_target(one.key, orjson.loads(one.body))
            if target is not None:
                found[target] = f"{one.key.kind} {one.key.name}"
    return found


def scale_target(key: ObjectKey, autoscaler: Mapping[str, Any]) -> ObjectKey | None:
    """Name what an autoscaler scales; None where it says nothing usable. KEDA's defaults are a Deployment's."""
    spec = autoscaler.get("spec")
    ref = spec.get("scaleTargetRef") if isinstance(spec, dict) else None
    if not isinstance(ref, dict) or not isinstance(ref.get("name"), str):
        return None
    api_version, kind = ref.get("apiVersion") or "apps/v1", ref.get("kind") or "Deployment"
    return ObjectKey(str(api_version).rpartition("/")[0], str(kind), key.namespace, ref["name"])


def by_autoscaler(who: str) -> Release:
    return Release(REPLICAS, (), who)


def _marked(manifest: Manifest, rules: Iterable[Ignore], scaler: str) -> Manifest:
    releases = [by_autoscaler(scaler)] if scaler else []
    releases += [one for rule in rules if _speaks_of(rule, manifest.key) for one in _releases(rule)]
    releases += said_releases(manifest)
    releases += _known(manifest)
    if not releases:
        return manifest
    said = [[one.field, list(one.managers)] for one in releases]
    digest = digest_of(canonical([manifest.digest, said]))  # type: ignore[list-item]
    return replace(manifest, releases=tuple(releases), digest=digest)


def _speaks_of(rule: Ignore, key: ObjectKey) -> bool:
    if rule.kinds and not matches_kind(key.group, key.kind, rule.kinds):
        return False
    return not rule.name or matches_any(key.name, (rule.name,))


def _releases(rule: Ignore) -> list[Release]:
    why = rule.reason or "an ignore rule"
    if rule.until is not None:
        why = f"{why}, until {rule.until.isoformat()}"
    return [Release(field, rule.managers, why) for field in rule.fields or ("",)]


def _known(manifest: Manifest) -> list[Release]:
    """Give what everybody in the field leaves to others: `data/released.yaml`."""
    found = []
    for one in known_releases().get(manifest.key.group_kind, ()):
        if "where" not in one or orjson.loads(manifest.body).get(one["where"]):
            managers = tuple(one.get("managers", ()))
            found += [Release(field, managers, one["why"]) for field in one["fields"]]
    return found


@cache
def known_releases() -> Mapping[str, list[dict[str, Any]]]:
    path = files("controller.targets") / "data" / "released.yaml"
    value: Any = read(path.read_bytes(), path=str(path), dialect=Dialect.KUBERNETES)[0].value
    found: dict[str, list[dict[str, Any]]] = {}
    for one in value:
        for kind in one["kinds"]:
            found.setdefault(kind, []).append(one)
    return found


def redigested(desired: Desired, manifests: tuple[Manifest, ...]) -> Desired:
    """Give a desired state with some of its manifests left out, under a digest of its own."""
    keys = sorted([*map(str, (one.key for one in manifests))])
    digest = digest_of(json.dumps([desired.digest, keys]).encode())
    return replace(desired, manifests=manifests, digest=digest)


def _digest(before: Digest, marked: Iterable[Manifest]) -> Digest:
    """Derive a digest that moves with what is marked: `before` covers the rest."""
    moved = sorted((str(one.key), one.digest) for one in marked if one.releases)
    return digest_of(json.dumps([before, moved]).encode())
