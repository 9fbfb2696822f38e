"""How a test reaches a cluster, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeAccess:
    """A cluster's administrator, and a namespace of one test's own. `ca` is None for a server without TLS."""

    server: str
    kubeconfig: Path
    ca: Path | None
    token: str
    namespace: str
