"""Modules from elsewhere, read before anything of them runs: a lint that finds mistakes, no boundary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from controller.model import Position, Problem

_EXTERNAL: Final = re.compile(rb'^[ \t]*data[ \t]+"external"', re.MULTILINE)
_PROVISIONER: Final = re.compile(rb'^[ \t]*provisioner[ \t]+"([\w-]+)"[ \t]*\{', re.MULTILINE)


def lint(modules: Path) -> tuple[Problem, ...]:
    """Find what runs programs of a fetched module's own choosing. `modules` is where `get` put them."""
    if not modules.is_dir():
        return ()
    return tuple(
        problem for file in sorted(modules.rglob("*.tf")) for problem in _problems(file, file.relative_to(modules))
    )


def _problems(file: Path, name: Path) -> Iterator[Problem]:
    data = file.read_bytes()
    for found in _EXTERNAL.finditer(data):
        what = "an external data source runs a program wherever a plan is made"
        yield Problem(Position(f"module {name}", _line(data, found.start())), what, advice="Use another module.")
    for found in _PROVISIONER.finditer(data):
        what = f"provisioner {found[1].decode()} runs a program"
        yield Problem(Position(f"module {name}", _line(data, found.start())), what, advice="Use another module.")


def _line(data: bytes, at: int) -> int:
    return data.count(b"\n", 0, at) + 1
