"""What is wrong with an Application, gathered while it is read: every problem at once, each with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import NoReturn

from controller.model import FieldPath, Invalid, Position, Problem, format_path

Locate = Callable[[FieldPath], Position]  # the place of a field of the Application in its file


def nearest(name: object, known: Iterable[str], *, likeness: float = 0.6) -> str:
    """Give the known name that is most like this one, "" when none is. `likeness` is difflib's ratio, at least.

    A name from YAML may be a number or null too.
    """
    return next(iter(get_close_matches(str(name), sorted(known), n=1, cutoff=likeness)), "")


def suggestion(name: object, known: Iterable[str]) -> str:
    """Say which name may have been meant; all of them when none is like it."""
    names = sorted(known)
    found = nearest(name, names)
    return f'Did you mean "{found}"?' if found else f"Known are {', '.join(names)}."


@dataclass(slots=True)
class Report:
    """Problems and warnings of one Application. `fail` stops at once; `wrong` goes on, so that all are told."""

    locate: Locate
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def wrong(self, path: FieldPath, what: str, advice: str = "") -> None:
        problem = self._problem(path, what, advice)
        if problem not in self.problems:  # a policy or component is read once per placement
            self.problems.append(problem)

    def warn(self, path: FieldPath, what: str, advice: str = "") -> None:
        problem = self._problem(path, what, advice)
        if problem not in self.warnings:
            self.warnings.append(problem)

    def fail(self, path: FieldPath, what: str, advice: str = "") -> NoReturn:
        """Raise Invalid with this problem and all before it."""
        self.wrong(path, what, advice)
        raise Invalid(self.problems)

    def settle(self) -> None:
        """Raise Invalid when anything was wrong."""
        if self.problems:
            raise Invalid(self.problems)

    def _problem(self, path: FieldPath, what: str, advice: str) -> Problem:
        return Problem(self.locate(path), what, format_path(path), advice)
