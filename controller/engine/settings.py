"""How a controller was started: what it can't read from the platform repository, since it leads there."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.engine.sources import Signers
from controller.git import Identity

CONVERGE = Identity("Converge", "converge@users.noreply.invalid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    platform_url: str
    platform_revision: str = ""  # a branch, tag or commit; "" is the repository's HEAD
    platform_credentials: str = ""
    platform_signers: Signers = field(default_factory=Signers)
    interval_seconds: float = 60.0
    identity: Identity = field(default=CONVERGE)  # of the commits that records are
    stop_seconds: float = 30.0  # how long runs under way and the last records may take after a stop
