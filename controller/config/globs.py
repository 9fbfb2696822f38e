"""Globs as `may` writes them: `*`, `?` and `[a-c]`, over the whole of a name, minding case."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def matches_any(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def is_own_group(group: str) -> bool:
    """Tell whether an API group is one of Kubernetes itself: what a kind without a group speaks of."""
    return group in ("", "apps", "batch", "autoscaling", "policy", "extensions") or group.endswith(".k8s.io")


def matches_kind(group: str, kind: str, globs: Iterable[str]) -> bool:
    """Tell whether a kind is named: by `*`, by `Kind` if it is Kubernetes' own, or by `group/Kind`."""
    return any(_matches(group, kind, glob) for glob in globs)


def _matches(group: str, kind: str, glob: str) -> bool:
    wanted, slash, name = glob.rpartition("/")
    if glob == "*":
        return True
    if not slash:
        return is_own_group(group) and fnmatchcase(kind, name)
    return fnmatchcase(group or "core", wanted) and fnmatchcase(kind, name)
