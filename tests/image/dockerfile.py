"""Reads a Dockerfile as the builder does, as far as ours goes; what it does not know it refuses. Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

SHELL = ("/bin/sh", "-c")


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction: its name in capitals, its options (`--from=build`), and the rest."""

    name: str
    options: Mapping[str, str]
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)

    @property
    def argv(self) -> tuple[str, ...]:
        """Give the exec form (a JSON list) or the shell form of RUN, ENTRYPOINT and CMD."""
        return tuple(json.loads(self.text)) if self.text.startswith("[") else (*SHELL, self.text)


@dataclass(slots=True)
class Stage:
    """A FROM and what follows it."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list)


KNOWN = frozenset({"RUN", "COPY", "ENV", "WORKDIR", "USER", "ENTRYPOINT", "CMD"})


def read(text: str, arguments: Mapping[str, str]) -> list[Stage]:
    """Give the stages, with build arguments filled in. Raises ValueError for what this reader does not know."""
    values: dict[str, str] = {}
    stages: list[Stage] = []
    for line in _lines(text):
        step = _step(line)
        if step.name == "ARG" and not stages:
            name, _, default = step.text.partition("=")
            values[name] = arguments.get(name, default)
        elif step.name == "FROM":
            base, *alias = _filled(step.text, values).split()
            stages.append(Stage(base, alias[1] if alias else ""))
        elif step.name in KNOWN and stages:
            stages[-1].steps.append(step)
        else:
            raise ValueError(f"this reader does not know how to build: {line}")
    return stages


def _lines(text: str) -> list[str]:
    kept = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return "\n".join(kept).replace("\\\n", " ").splitlines()


def _step(line: str) -> Step:
    name, _, rest = line.strip().partition(" ")
    options: dict[str, str] = {}
    while match := re.match(r"--(\w+)=(\S+)\s+", rest):
        options[match[1]] = match[2]
        rest = rest[match.end() :]
    return Step(name.upper(), options, rest.strip())


def _filled(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], text)
