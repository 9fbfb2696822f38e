"""What a run asks of the repositories: the platform in force, or what a command read of it once."""

from __future__ import annotations

from typing import Protocol

from controller.engine.fleet import Entry, Fleet
from controller.engine.sources import Checkout, Source
from controller.model import RepositoryName


class Known(Protocol):
    """What git says, and where that was read (`InForce`, `Snapshot`)."""

    @property
    def fleet(self) -> Fleet | None: ...
    def source(self, name: RepositoryName) -> Source: ...
    def checkout(self, entry: Entry) -> Checkout: ...
    def is_read(self, entry: Entry) -> bool: ...
