"""What deletions take a yes for: known to whoever plans them, and to whoever proves later that they had one."""

from __future__ import annotations

from typing import Final

PRECIOUS: Final = frozenset(
    {"CustomResourceDefinition.apiextensions.k8s.io", "Namespace", "PersistentVolumeClaim"}
)  # with each of them, what people keep in it goes too
GENERATED_KINDS: Final = frozenset({"ConfigMap", "Secret"})  # whose names kustomize may make anew with each change
ALWAYS_ALLOWED: Final = 3  # deletions that no share forbids
