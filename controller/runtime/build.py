"""Which program this is, to the byte: what a cache on disk is good for."""

from __future__ import annotations

import platform
import site
import sys
from functools import cache
from hashlib import blake2b
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


@cache
def build_digest() -> str:
    """Digest the program's own files, and name its interpreter and libraries: another build may come to other results.

    By content and not by version, since who works on the program runs many builds of one version.
    """
    total = blake2b(digest_size=16)
    for part in (sys.version, platform.machine(), *_libraries()):
        total.update(f"{part}\0".encode())
    for file in sorted(PACKAGE.rglob("*")):
        if file.suffix not in {".pyc", ".pyo"} and file.is_file():
            data = file.read_bytes()
            total.update(f"{file.relative_to(PACKAGE)}\0{len(data)}\0".encode())
            total.update(data)
    return total.hexdigest()


def _libraries() -> list[str]:
    """Name the installed distributions, which carry their versions in the names of their folders."""
    found: set[str] = set()
    for folder in {*site.getsitepackages(), *(one for one in sys.path if one.endswith("-packages"))}:
        path = Path(folder)
        if path.is_dir():
            found.update(one.name for one in path.iterdir() if one.suffix in {".dist-info", ".egg-info"})
    return sorted(found)
