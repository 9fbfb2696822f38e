"""Which of an environment's targets an application runs on (named, labelled, or all), and as whom it is written."""

from __future__ import annotations

from collections.abc import Mapping

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


def account_of(entry: Node, repositories: Mapping[str, Node]) -> str:
    """Name the service account that an application is written as, `namespace:name`: its entry's, else its repository's.

    "" is none; one without a namespace (`:name`) means nothing.
    """
    repository = repositories.get(entry.text("repository"))
    said = entry.text("serviceAccountName") or (repository.text("serviceAccountName") if repository else "")
    return said if ":" in said or not said else f"{entry.text('namespace')}:{said}"


def labels_of(node: Node) -> dict[str, str]:
    value = node.value if isinstance(node.value, dict) else {}
    return {str(name): label for name, label in value.items() if isinstance(label, str)}
