"""How the story looks: headings, facts, and how long a step took. Colour only on a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Teller:
    """Prints the story's lines through `say`, which gets finished text."""

    def __init__(self, say: Callable[[str], None], style: Callable[..., str]) -> None:
        self._say = say
        self._style = style
        self._step = 0

    def title(self, text: str) -> None:
        self._say(self._style(text, bold=True))

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Tell one step: its heading first, its duration at the end."""
        self._step += 1
        self._say("")
        self._say(self._style(f"{self._step}. {text}", fg="cyan", bold=True))
        started = time.monotonic()
        yield
        self._say(self._style(f"   ({time.monotonic() - started:.1f} s)", dim=True))

    def person(self, text: str) -> None:
        """Tell what somebody does."""
        self._say(f"   {self._style('▸', fg='blue')} {text}")

    def fact(self, text: str) -> None:
        """Tell what came of it."""
        self._say(f"   {self._style('✓', fg='green')} {text}")

    def trouble(self, text: str) -> None:
        self._say(f"   {self._style('✗', fg='red')} {text}")

    def detail(self, text: str) -> None:
        for line in text.rstrip("\n").splitlines():
            self._say(f"       {self._style(line, dim=True)}")
