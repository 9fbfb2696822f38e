"""An application's entry in an environment: which file it stands in, and changes to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from controller.config import read_platform
from controller.documents import edit
from controller.model import Application, Environment, GroupRef, Platform, Stalled, Tree


def entry_of(platform: Platform, group: GroupRef) -> tuple[Environment, Application]:
    """Find a group. Raises Stalled that names those there are."""
    environment = platform.environments.get(group.environment)
    if environment is None:
        raise Stalled(f"there is no environment {group.environment}. There are: {_names(platform.environments)}")
    application = environment.applications.get(group.application)
    if application is None:
        known = _names(environment.applications)
        raise Stalled(f"{group.environment} has no application {group.application}. It has: {known}")
    return environment, application


def edit_entry(tree: Tree, group: GroupRef, changes: Mapping[tuple[str, ...], Any]) -> Mapping[str, bytes]:
    """Set fields of a group's entry, or take them away, in the file that it stands in; all else there stays."""
    _, application = entry_of(read_platform(tree), group)
    path = application.origin.path
    at = ("spec", "applications", str(group.application))
    return {path: edit(tree.read(path), {(*at, *field): value for field, value in changes.items()}, path=path)}


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
