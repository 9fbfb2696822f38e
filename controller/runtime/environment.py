"""What a child process inherits: little, and by name."""

from __future__ import annotations

import os
from collections.abc import Mapping

# Where programs, certificates and proxies are found is the machine's business; everything else (GIT_DIR, AWS_PROFILE,
# LD_PRELOAD, somebody's KUBECONFIG) would make what a child does depend on who started us.
INHERITED = (
    "PATH",
    "TMPDIR",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
)


def bare_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give the environment of a child: `INHERITED`, plain English, no home directory, and `extra`."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {"HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "LANGUAGE": "C", **kept, **(extra or {})}
