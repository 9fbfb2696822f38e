"""What an object asks for by its annotations: ours, and those of Flux, Argo CD and Helm that say the same. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from controller.model import Manifest, Origin, Stalled
from controller.targets.asking import CONSENT, IGNORE, consent_of, said_releases
from controller.targets.hooks import HOOK, Phase, phase_of

PRUNE: Final = "converge/prune"
APPLY: Final = "converge/apply"
REPLACE: Final = "converge/replace"
WAIT: Final = "converge/wait"
WAVE: Final = "converge/wave"
ADOPT: Final = "converge/adopt"
SHARE: Final = "converge/share"
FLUX: Final = "kustomize.toolkit.fluxcd.io/"
ARGO: Final = "argocd.argoproj.io/"
HELM_WEIGHT: Final = "helm.sh/hook-weight"
HELM_POLICY: Final = "helm.sh/resource-policy"

# Looked for in the bytes, so that bodies without any of them stay undecoded. Most have none of the families.
FAMILIES: Final = tuple(one.encode() for one in ("converge/", FLUX, ARGO, "helm.sh/"))
MARKS: Final = tuple(
    one.encode()
    for one in (
        PRUNE,
        APPLY,
        REPLACE,
        WAIT,
        WAVE,
        ADOPT,
        SHARE,
        CONSENT,
        IGNORE,
        FLUX,
        f"{ARGO}s",
        f"{ARGO}ignore",
        f"{ARGO}hook",
        HOOK,
        "helm.sh/",
    )
)
MEANINGS: Final[Mapping[str, tuple[str, ...]]] = {
    PRUNE: ("true", "false", "withApplication"),
    APPLY: ("always", "once"),
    REPLACE: ("never", "immutable"),
    WAIT: ("true", "false"),
    ADOPT: ("asEnvironment", "takeOver"),
    SHARE: ("true", "false"),
}


@dataclass(frozen=True, slots=True)
class Options:
    """What an object asks for."""

    is_pruned: bool = True  # False: when git drops it, it is let go of and stays
    goes_with_application: bool = False  # not pruned by itself, but deleted when its whole application is
    is_taken_over: bool = False  # where it was there before, whichever tool manages it
    is_applied_once: bool = False  # created, and left alone from then on
    is_replaced: bool = False  # deleted and made anew where a field of it can't be changed
    is_waited_for: bool = True  # later waves and deletions wait for its health
    wave: int = 0
    phase: Phase = Phase.ORDINARY

    @property
    def turn(self) -> tuple[int, int]:
        """Say when it is written: hooks before, the waves, hooks after."""
        return int(self.phase), self.wave


PLAIN: Final = Options()


def options_of(manifest: Manifest) -> Options:
    """Read what a manifest asks for. Raises Stalled for an annotation of ours that means nothing."""
    body = manifest.body
    if not any(one in body for one in FAMILIES) or not any(mark in body for mark in MARKS):
        return PLAIN
    found = read_options(orjson.loads(manifest.body), manifest.origin)
    consent_of(manifest)
    said_releases(manifest)
    phase = phase_of(manifest)
    return found if phase is Phase.ORDINARY else replace(found, phase=phase, is_replaced=True)


def read_options(body: Mapping[str, Any], origin: Origin | None = None) -> Options:
    """Read what an object asks for. Without an origin it is a live one, where nonsense means nothing."""
    annotations: Mapping[str, str] = (body.get("metadata") or {}).get("annotations") or {}
    wishes = {*(annotations.get(f"{ARGO}sync-options") or "").replace(" ", "").split(",")}
    is_kept = (
        annotations.get(f"{FLUX}prune") == "disabled"
        or annotations.get(HELM_POLICY) == "keep"
        or bool(wishes & {"Prune=false", "Delete=false", "Prune=confirm", "Delete=confirm"})
    )
    is_forced = annotations.get(f"{FLUX}force") == "enabled" or bool(wishes & {"Force=true", "Replace=true"})
    pruned = _said(annotations, PRUNE, "false" if is_kept else "true", origin)
    _said(annotations, SHARE, "false", origin)
    return Options(
        is_pruned=pruned == "true",
        goes_with_application=pruned == "withApplication",
        is_taken_over=_said(annotations, ADOPT, "asEnvironment", origin) == "takeOver",
        is_applied_once=_said(
            annotations, APPLY, "once" if annotations.get(f"{FLUX}ssa") == "IfNotPresent" else "always", origin
        )
        == "once",
        is_replaced=_said(annotations, REPLACE, "immutable" if is_forced else "never", origin) == "immutable",
        is_waited_for=_said(
            annotations, WAIT, "false" if annotations.get(f"{ARGO}ignore-healthcheck") == "true" else "true", origin
        )
        == "true",
        wave=_wave(annotations, origin),
    )


def _said(annotations: Mapping[str, str], name: str, default: str, origin: Origin | None) -> str:
    value = annotations.get(name, default)
    if value in MEANINGS[name]:
        return value
    if origin is None:
        return default
    known = " or ".join(f'"{one}"' for one in MEANINGS[name])
    raise Stalled(f'{origin}: metadata.annotations["{name}"]: "{value}" means nothing. Write {known}')


def _wave(annotations: Mapping[str, str], origin: Origin | None) -> int:
    name = next((one for one in (WAVE, f"{ARGO}sync-wave", HELM_WEIGHT) if one in annotations), WAVE)
    text = annotations.get(name, "0")
    try:
        return int(text)
    except ValueError:
        if origin is None:
            return 0
        raise Stalled(
            f'{origin}: metadata.annotations["{name}"]: "{text}" is no whole number. '
            f'Write one in quotes, such as "-1" or "5"'
        ) from None
