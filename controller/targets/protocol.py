"""What the engine asks of a target of any kind."""

from __future__ import annotations

import asyncio
from typing import Protocol

from controller.model import Application, Applied, Capabilities, Desired, HealthRules, Observation, PlacementRef, Plan
from controller.model.plan import Permitted


class Target(Protocol):
    """One place where things live. Every method raises only `ConvergeError`s, and ends within its deadlines.

    A failed observation raises Transient (or Stalled, where a human must act): it is never absence.
    The `changed` callback given at construction is called, from the event loop, whenever a placement's
    observation may have moved, and once for each placement after a (re)connection; it may be called too often.
    """

    async def observe(self, placement: PlacementRef, desired: Desired | None = None, /) -> Observation:
        """Tell what lives there of one placement. Sends no request per object: it reads what watches brought.

        `desired` is what git says of it, None where it says nothing (any more) or does not render. Some targets
        find by it where they keep what they know: a Terraform module names the back-end of its own state.
        """

    async def plan(self, desired: Desired, application: Application) -> Plan:
        """Say what a sync would do, each change preflighted by the server. Writes nothing.

        `application` gives the policy (prune, preflight, deletion limits, `state: absent`). An object that may
        not be changed or deleted carries its objection.
        """

    async def apply(self, plan: Permitted, application: Application, /, *, superseded: asyncio.Event) -> Applied:
        """Write exactly what the gate permitted, stage by stage, and prune last, after health.

        Once `superseded` is set, no further wait is begun or continued: a newer commit is there.
        """

    def judge_by(self, rules: HealthRules) -> None:
        """Judge health by these rules from now on, beside what the target itself knows; where it moves, tell."""

    def credentials_moved(self) -> None:
        """Be told that the credential store moved: a login that leads elsewhere now is taken up."""

    async def capabilities(self) -> Capabilities:
        """Tell what the target is, as charts may ask it. From memory, but for a look now and then."""

    async def placements(self) -> tuple[PlacementRef, ...]:
        """Name the placements of this installation that have, or had, objects here: what git no longer says too."""
