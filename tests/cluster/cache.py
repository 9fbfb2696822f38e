"""The folder outside the tree that keeps what is expensive to make, and the locks that let one process make it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_directory() -> Path:
    """Give `$XDG_CACHE_HOME/converge`, made where it is missing."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    directory = (Path(base) if base.startswith("/") else Path.home() / ".cache") / "converge"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock `path`.lock among processes; the kernel lets go of it when its holder dies."""
    with Path(f"{path}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
