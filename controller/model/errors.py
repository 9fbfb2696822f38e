"""What can go wrong, sorted by what happens next.

ConvergeError
├── Stalled     a human must change something; no retry, shown in the status
│   ├── Invalid     what somebody wrote is wrong; carries every problem of it at once
│   └── Unequipped  a program, key or namespace is missing here; looked for again, since it comes without a commit
├── Waiting     something else must finish first; its event wakes us
└── Transient   the world hiccuped; retried with backoff and jitter
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file: lines and columns start at 1; line 0 speaks of the file as a whole."""

    path: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake that somebody made: `where: field: why. what to do`."""

    where: Position
    what: str  # why it is wrong, as a clause
    field: str = ""  # dotted path inside the document, "" for the whole of it
    advice: str = ""  # what to do, as a sentence

    def __str__(self) -> str:
        text = f"{self.where}: {self.field}: {self.what}" if self.field else f"{self.where}: {self.what}"
        return f"{text}. {self.advice}" if self.advice else text


class ConvergeError(Exception):
    """Every error that Converge raises by intention."""


class Stalled(ConvergeError):
    """A human must change something: no retry, shown as Failed with this reason."""


class Invalid(Stalled):
    """Files that cannot be used as they are, with every problem that was found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class Unequipped(Stalled):
    """A program, key, credential or namespace is missing here: looked for again, since it comes without a commit."""


class Waiting(ConvergeError):
    """Something else must finish first; its event wakes the placement."""


class Transient(ConvergeError):
    """The world hiccuped: tried again with backoff and jitter, not before `retry_after_seconds`."""

    def __init__(self, message: str, *, retry_after_seconds: float = 0.0) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)
