"""What a child may not see: files of the controller that are none of its business, though it runs as the same user.

Linux' Landlock holds it, without root and inside containers (`confined.py`): a child can't open what is hidden, nor
look into or signal a process outside, and neither can anything that it starts. It has no capabilities.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from controller.runtime import confined

HOME_SECRETS = (".ssh", ".kube", ".aws", ".azure", ".config", ".docker", ".gnupg", ".netrc", ".git-credentials")


@cache
def can_confine() -> bool:
    """Tell whether this kernel has Landlock."""
    return sys.platform == "linux" and confined.version() >= 1


@dataclass(frozen=True, slots=True)
class Confinement:
    """What is hidden from a child, and what of that is open to it all the same. Absolute paths."""

    hidden: tuple[str, ...]
    opened: tuple[str, ...]

    @classmethod
    def of(cls, hidden: Iterable[Path], opened: Iterable[Path]) -> Confinement:
        """Follow links now: the kernel judges by where a file is."""
        return cls(
            tuple(sorted({str(one.resolve()) for one in hidden})),
            tuple(sorted({str(one.resolve()) for one in opened})),
        )

    def argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        """Give the command that confines itself and becomes `argv`; where the kernel can't, `argv` itself."""
        if not can_confine():
            return tuple(argv)
        return (sys.executable, "-I", "-S", confined.__file__, *self.hidden, ":", *self.opened, "--", *argv)


def secrets_at_home() -> tuple[Path, ...]:
    """Name where tools keep the controller's user's own secrets."""
    try:
        home = Path.home()
    except RuntimeError:  # a container's user has none
        return ()
    return tuple(home / one for one in HOME_SECRETS)
