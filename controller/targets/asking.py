"""What an object asks for that others than its target must know: a yes, fields left to others, other owners. Pure.

Annotations, as people write them or as an OAM Application's policies come to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from controller.model import Manifest, Release, Stalled, parse_field

CONSENT: Final = "converge/approve"
IGNORE: Final = "converge/ignore"
SHARE: Final = "converge/share"
ANYBODY: Final = ("*",)
WHILE_HELD: Final = " while held"

_DURATION: Final = re.compile(r"^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$")


@dataclass(frozen=True, slots=True)
class Consent:
    """Changes of an object wait for a yes in git; after so many seconds it comes by itself. None: it never does."""

    seconds: int | None = None


def consent_of(manifest: Manifest) -> Consent | None:
    """Read whether changes of an object wait for a yes. Raises Stalled for an annotation that means nothing."""
    said = _annotation(manifest, CONSENT)
    if said in (None, "false"):
        return None
    if said == "true":
        return Consent()
    found = _DURATION.match(said)
    if not said or found is None:
        raise _meaningless(manifest, CONSENT, said, 'Write "true", "false", or a time such as "30m"')
    hours, minutes, seconds = (int(one or 0) for one in found.groups())
    return Consent(hours * 3600 + minutes * 60 + seconds)


def said_releases(manifest: Manifest) -> tuple[Release, ...]:
    """Read which fields an object leaves to others: a path a line, `*` for whatever somebody holds.

    A path with ` while held` is left to others while one of them holds it, and is git's again after that. Raises
    Stalled for what is no path.
    """
    said = _annotation(manifest, IGNORE)
    if said is None:
        return ()
    found: list[Release] = []
    for line in map(str.strip, said.split("\n")):
        if not line:
            continue
        path = line.removesuffix(WHILE_HELD)
        managers = ANYBODY if line != path else ()
        if path == "*":
            found.append(Release("", ANYBODY, f"annotation {IGNORE}"))
            continue
        try:
            parse_field(path)
        except ValueError as error:
            raise _meaningless(manifest, IGNORE, line, f"It is no field path ({error})") from error
        found.append(Release(path, managers, f"annotation {IGNORE}"))
    return tuple(found)


def is_shared(manifest: Manifest) -> bool:
    """Tell whether several applications may name an object: whoever came first writes it, the last takes it away."""
    return _annotation(manifest, SHARE) == "true"


def _annotation(manifest: Manifest, name: str) -> str | None:
    if name.encode() not in manifest.body:  # bodies without it stay undecoded
        return None
    annotations: dict[str, Any] = (orjson.loads(manifest.body).get("metadata") or {}).get("annotations") or {}
    said = annotations.get(name)
    return None if said is None else str(said)


def _meaningless(manifest: Manifest, name: str, said: str, advice: str) -> Stalled:
    return Stalled(f'{manifest.origin}: metadata.annotations["{name}"]: "{said}" means nothing. {advice}')
