"""Which of an environment's targets an application runs on: those that it names, those with its labels, or all."""

from __future__ import annotations

from controller.config.draft import EnvironmentDraft
from controller.config.node import Node


def targets_of(environment: EnvironmentDraft, entry: Node) -> tuple[str, ...]:
    """Name an application's targets, in the environment's order where it does not name them itself."""
    named = entry.texts("targets")
    if named is not None:
        return named
    wanted = labels_of(entry.get("targetLabels"))
    return tuple(
        name
        for name, target in environment.targets.items()
        if wanted.items() <= labels_of(target.get("labels")).items()
    )


def labels_of(node: Node) -> dict[str, str]:
    value = node.value if isinstance(node.value, dict) else {}
    return {str(name): label for name, label in value.items() if isinstance(label, str)}
