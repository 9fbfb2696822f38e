"""Where records lie: a path for every name, however hostile, and never one path for two names.

A name that is safe on every file system keeps its spelling. Any other becomes what of it is safe, `~`, and a part of
its SHA-256: `~` is in no safe name, so that the two never meet. Case counts as unsafe, since file systems differ on
it; only kinds keep theirs, which are written `Deployment.apps` everywhere else too.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final

from controller.model import EnvironmentName, GroupRef, ObjectKey, PlacementRef

CLUSTER: Final = "_cluster"
ENVIRONMENT: Final = "_environment"
APPLICATION: Final = "_application"
TARGET: Final = "_target"
README: Final = "README.md"
FLEET: Final = "_fleet"
APPLICATIONS: Final = "_applications"  # the folder of badges that add an application up over environments
PLATFORM_STATUS: Final = "status/_platform.yaml"

_SAFE = re.compile(r"[a-z0-9](?:[a-z0-9_-]|\.(?!\.))*(?<![.])")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,80}(?:\.[a-z0-9](?:[a-z0-9-]|\.(?!\.))*(?<![.]))?")
_UNSAFE = re.compile(r"[^a-z0-9]+")
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")  # what Windows keeps for itself
REMEMBERED: Final = 512  # names, which come again and again
LONGEST = 200  # bytes; file systems have 255 for a name and its ending


@lru_cache(maxsize=REMEMBERED)
def segment(name: str) -> str:
    """Give the part of a path that stands for a name: unique also where case does not count."""
    if len(name) <= LONGEST and _SAFE.fullmatch(name) and not _DEVICES.fullmatch(name):
        return name
    return _hashed(name)


def kind_segment(key: ObjectKey) -> str:
    """Give the part of a path that stands for a kind, such as `Deployment.apps`."""
    return model_segment(key.group_kind)


@lru_cache(maxsize=REMEMBERED)
def model_segment(name: str) -> str:
    """Give the part of a path that stands for a model: a kind's name keeps its case."""
    is_safe = len(name) <= LONGEST and _KIND.fullmatch(name) and not _DEVICES.fullmatch(name.lower())
    return name if is_safe else _hashed(name)


def _hashed(name: str) -> str:
    readable = _UNSAFE.sub("-", name.lower()).strip("-")[:80].rstrip("-")
    return f"{readable}~{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:16]}"


def status_path(group: GroupRef) -> str:
    return f"status/{segment(group.environment)}/{segment(group.application)}.yaml"


def page_path(group: GroupRef) -> str:
    return f"pages/{segment(group.environment)}/{segment(group.application)}.md"


def badge_path(group: GroupRef, ending: str, *, of: str = "") -> str:
    """Give a badge's path; `of` is `sync`, `health` or `version`, "" for all of it."""
    part = f"_{of}/" if of else ""
    return f"badges/{segment(group.environment)}/{part}{segment(group.application)}.{ending}"


def environment_badge_path(environment: EnvironmentName, ending: str) -> str:
    return f"badges/{segment(environment)}.{ending}"


def fleet_badge_path(ending: str) -> str:
    return f"badges/{FLEET}.{ending}"


def environment_path(environment: str) -> str:
    return f"cmdb/{segment(environment)}/{ENVIRONMENT}.yaml"


def application_path(group: GroupRef) -> str:
    return f"cmdb/{segment(group.environment)}/{segment(group.application)}/{APPLICATION}.yaml"


def target_folder(placement: PlacementRef) -> str:
    """Give the folder of everything a placement has on its target."""
    return "/".join(("cmdb", segment(placement.environment), segment(placement.application), segment(placement.target)))


def target_path(placement: PlacementRef) -> str:
    return f"{target_folder(placement)}/{TARGET}.yaml"


def instance_path(placement: PlacementRef, key: ObjectKey) -> str:
    namespace = segment(key.namespace) if key.namespace else CLUSTER
    return f"{target_folder(placement)}/{namespace}/{kind_segment(key)}/{segment(key.name)}.yaml"
