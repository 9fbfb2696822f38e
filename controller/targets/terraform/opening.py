"""Opens terraform targets for the engine. All of one process share a place to work, and room in memory."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from controller.model import (
    EnvironmentName,
    InstallationId,
    PlacementRef,
    Stalled,
    StateInGit,
    TerraformTarget,
    Unequipped,
)
from controller.runtime import Clock, CredentialStore, PlanKeys, bare_environment
from controller.targets.states import StateKeeper
from controller.targets.terraform.cloud import Cloud
from controller.targets.terraform.keeping import Drawer, OpenSession, unkept
from controller.targets.terraform.planning import Means
from controller.targets.terraform.sealing import Sealer
from controller.targets.terraform.surroundings import MEMORY, Surroundings, is_in_memory, surroundings, variables_of
from controller.targets.terraform.tool import find_program


class Clouds:
    """Opens targets. `cache` is where providers are kept; `configuration` is terraform's own, as an operator has it.

    Runs see neither the credential store nor what is `hidden`; they get their own variables only. `keepers` gives who
    keeps states on a branch, for targets without a back-end. `work` is where plans and states may be while they are
    used, in place of the machine's tmpfs.
    """

    def __init__(
        self,
        cache: Path,
        *,
        credentials: CredentialStore,
        plan_keys: PlanKeys,
        clock: Clock,
        configuration: Path | None,
        hidden: Iterable[Path] = (),
        keepers: Callable[[str], StateKeeper] | None = None,
        work: Path | None = None,
    ) -> None:
        self._cache = cache
        self._credentials = credentials
        self._plan_keys = plan_keys
        self._clock = clock
        self._configuration = configuration
        self._hidden = (credentials.root, *hidden)
        self._keepers = keepers
        self._work = work
        self._drawers: dict[tuple[StateInGit, PlacementRef], Drawer] = {}
        self._users = 0
        self._stack = ExitStack()
        self._shared: Surroundings | None = None

    @asynccontextmanager
    async def open(
        self,
        spec: TerraformTarget,
        environment: EnvironmentName,
        installation: InstallationId,
        *,
        changed: Callable[[PlacementRef], None],
    ) -> AsyncIterator[Cloud]:
        """Give a target for as long as the context lasts. Raises Stalled for a missing program or a bad credential.

        Raises Unequipped where there is no place for plans and states to be while they are used.
        """
        async with self._surroundings() as shared, self._sessions(spec.state_in_git, shared) as session:
            program = await find_program(spec.tool, bare_environment(), shared.work)
            variables_of(spec.credentials, self._credentials)
            means = Means(
                spec=spec,
                installation=installation,
                program=program,
                surroundings=shared,
                variables=lambda: variables_of(spec.credentials, self._credentials),
                plan_key=self._plan_keys.of(environment),
                clock=self._clock,
                session=session,
            )
            cloud = Cloud(means, changed=changed, chance=random.SystemRandom().random)
            try:
                yield cloud
            finally:
                cloud.close()

    @asynccontextmanager
    async def _surroundings(self) -> AsyncIterator[Surroundings]:
        """Share one place to work among all targets that are open; the last one leaves it."""
        if self._shared is None:
            self._shared = self._stack.enter_context(
                surroundings(self._cache, self._configuration, self._hidden, self._work)
            )
        self._users += 1
        try:
            yield self._shared
        finally:
            self._users -= 1
            if self._users == 0:
                self._shared = None
                self._stack.close()

    @asynccontextmanager
    async def _sessions(
        self, said: StateInGit | None, shared: Surroundings
    ) -> AsyncIterator[Callable[[PlacementRef], OpenSession]]:
        """Give how runs reach their states where the controller keeps these. Raises Stalled, Unequipped."""
        if said is None:
            yield lambda _placement: unkept
            return
        from controller.targets.terraform.desk import Desk  # noqa: PLC0415  # only where states are kept in git

        if not is_in_memory(shared.work):
            raise Unequipped(
                f"{shared.work} is no tmpfs, and a state that is kept in git never comes to a disk in the clear: "
                f"mount one at {MEMORY}, or use a back-end"
            )
        if self._keepers is None:
            raise Unequipped("states are kept in git here, which this command does not read")
        keeper, sealer = self._keepers(said.branch), sealer_of(said, self._credentials)
        async with Desk() as desk:

            def drawer(placement: PlacementRef) -> Drawer:
                if (said, placement) not in self._drawers:
                    self._drawers[said, placement] = Drawer(placement, keeper, sealer, self._cache / "seen")
                return self._drawers[said, placement]

            yield lambda placement: lambda: desk.session(drawer(placement))


def sealer_of(said: StateInGit, credentials: CredentialStore) -> Sealer:
    """Give what seals a target's states. Raises Stalled for keys that are not there, or are none."""
    identities = credentials.get(said.credentials).age_key
    if identities is None:
        raise Stalled(f'credential "{said.credentials}" has no age.key. `age-keygen -o age.key` makes one')
    try:
        return Sealer(identities, said.recipients)
    except Stalled as error:
        raise Stalled(f'credential "{said.credentials}": {error}') from error
