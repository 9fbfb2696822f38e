"""A platform commit that is not in force, told for as long as it is not: pure.

`status/_platform.yaml` is there while the newest commit of the platform repository does not validate, and goes
when one that does is in force again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.documents import write
from controller.model import CommitId, Problem
from controller.records.earlier import earlier
from controller.records.files import Files
from controller.records.markdown import plain
from controller.records.paths import PLATFORM_STATUS
from controller.records.status import API_VERSION

KIND = "PlatformStatus"


@dataclass(frozen=True, slots=True)
class PlatformChange:
    """What the committer takes. `rejected` None: the newest commit is in force."""

    in_force: CommitId
    rejected: CommitId | None
    problems: tuple[Problem, ...] = ()

    @property
    def subject(self) -> str:
        if self.rejected is None:
            return f"platform: {self.in_force[:8]} in force"
        return f"platform: {self.rejected[:8]} refused, {self.in_force[:8]} stays in force"

    @property
    def trailers(self) -> tuple[tuple[str, str], ...]:
        refused = (("Refused-Commit", self.rejected),) if self.rejected else ()
        return (("Platform-Commit", self.in_force), *refused)

    def derive(self, base: Files) -> Mapping[str, bytes | None]:
        """Give the file, or its end; nothing where that is told already."""
        new = write(self._told()) if self.rejected else None
        return {} if base.read(PLATFORM_STATUS) == new else {PLATFORM_STATUS: new}

    def _told(self) -> dict[str, Any]:
        return {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "inForce": self.in_force,
            "refused": self.rejected,
            "problems": [_problem(one) for one in self.problems],
        }


def record_platform(in_force: CommitId, rejected: CommitId | None, problems: tuple[Problem, ...]) -> PlatformChange:
    """Make the change that tells which platform commit is in force, and which one is refused."""
    return PlatformChange(in_force, rejected, problems)


def refusal(base: Files) -> Iterator[str]:
    """Give the overview's paragraph about a refused commit; none where there is none."""
    told = earlier(base, PLATFORM_STATUS, KIND)
    if not told:
        return
    yield "## The platform's newest commit is not in force\n"
    yield f"`{told['refused'][:8]}` does not validate; `{told['inForce'][:8]}` stays in force:\n"
    yield "".join(f"- {plain(_line(one))}\n" for one in told["problems"])


def _problem(problem: Problem) -> dict[str, Any]:
    found = {
        "path": problem.where.path,
        "line": problem.where.line,
        "field": problem.field,
        "what": problem.what,
        "advice": problem.advice,
    }
    return {name: value for name, value in found.items() if value}


def _line(told: Mapping[str, Any]) -> str:
    where = f"{told['path']}:{told['line']}" if "line" in told else told["path"]
    field = f" {told['field']}:" if "field" in told else ""
    return f"{where}:{field} {told['what']}. {told.get('advice', '')}".rstrip()
