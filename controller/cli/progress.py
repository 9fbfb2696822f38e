"""Progress of long work: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

QUICK = 3  # so few steps need no bar


@contextmanager
def counting(verb: str, total: int) -> Iterator[Callable[[], None]]:
    """Give a function that counts one step."""
    if total <= QUICK or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console  # noqa: PLC0415  # 100 ms that only a terminal is worth
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(verb, total=total)
        yield lambda: progress.advance(task)
