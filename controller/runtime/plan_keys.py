"""The keys that hashes of plans are made with: who sees a hash can't try secret values until one fits."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import Final

from controller.model import EnvironmentName, Secret, Stalled
from controller.runtime.credentials import CredentialStore

PLAN_KEYS: Final = "plan-keys"  # the credential, with a value per environment


class PlanKeys:
    """Reads them from the credential store; where there is none, hashes hold as long as this does."""

    def __init__(self, credentials: CredentialStore) -> None:
        self._credentials = credentials
        self._own = Secret(secrets.token_bytes(32))

    def of(self, environment: EnvironmentName) -> Secret:
        return self.shared(environment) or self._own

    def shared(self, environment: EnvironmentName) -> Secret | None:
        """Give the key of all who have this credential; None where there is none."""
        with suppress(Stalled):
            return self._credentials.get(PLAN_KEYS).value(environment)
        return None

    def place(self, environment: EnvironmentName) -> str:
        """Say where an environment's key belongs, for people."""
        return str(self._credentials.root / PLAN_KEYS / environment)
