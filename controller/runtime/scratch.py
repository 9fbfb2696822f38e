"""Private folders for what a child process must read from a file: gone at the end of the block.

Secrets go to memory (a tmpfs) where the machine has one. A killed process leaves its folders behind; their names hold
its process id, so that `sweep_scratch` finds them at the next start.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - every Linux mounts a tmpfs there; mkdtemp makes the folder ours alone
STEM = "converge"


@contextmanager
def scratch(prefix: str, *, in_memory: bool = False, parent: Path | None = None) -> Iterator[Path]:
    """Give an empty folder (mode 0700) for the length of the block; `in_memory` where it will hold a secret."""
    if parent is None:
        parent = MEMORY if in_memory and _is_usable(MEMORY) else Path(tempfile.gettempdir())
    folder = Path(tempfile.mkdtemp(prefix=f"{STEM}-{os.getpid()}-{prefix}-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep_scratch() -> int:
    """Delete what killed processes of this user left behind; give how many folders. Called once, at the start."""
    stale = [folder for parent in {MEMORY, Path(tempfile.gettempdir())} for folder in _left_behind(parent)]
    for folder in stale:
        shutil.rmtree(folder, ignore_errors=True)
    return len(stale)


def _is_usable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _left_behind(parent: Path) -> Iterator[Path]:
    for folder in parent.glob(f"{STEM}-*-*"):
        process = folder.name.split("-")[1]
        # Our own id means an earlier process of the same number: in a container everybody is process 1.
        is_stale = process.isdigit() and (int(process) == os.getpid() or not Path(f"/proc/{process}").exists())
        if is_stale and folder.lstat().st_uid == os.getuid():
            yield folder
