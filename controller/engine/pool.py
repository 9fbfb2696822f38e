"""The open targets: one task each, so that a target that is away, slow or broken is so for itself alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from controller.engine.spawning import Spawn
from controller.model import (
    NO_RULES,
    ConvergeError,
    EnvironmentName,
    HealthRules,
    InstallationId,
    PlacementRef,
    Stalled,
    TargetName,
    Transient,
)
from controller.model import Target as TargetSpec
from controller.targets import Target

Place = tuple[EnvironmentName, TargetName]


class OpenTarget(Protocol):
    """Opens a target for as long as the context lasts; raises ConvergeErrors where it can't."""

    def __call__(
        self,
        spec: TargetSpec,
        environment: EnvironmentName,
        installation: InstallationId,
        *,
        changed: Callable[[PlacementRef], None],
    ) -> AbstractAsyncContextManager[Target]: ...


@dataclass(slots=True)
class _Opened:
    spec: TargetSpec
    task: asyncio.Task[None]
    target: Target | None = None
    error: ConvergeError | None = None


class Pool:
    """Owns the targets' tasks. `set` says which targets there shall be; `get` gives one or says why not."""

    def __init__(
        self,
        open_target: OpenTarget,
        spawn: Spawn,
        *,
        changed: Callable[[PlacementRef], None],
        opened: Callable[[Place], None],
        retry_seconds: float = 10.0,
    ) -> None:
        self._open_target = open_target
        self._spawn = spawn
        self._changed = changed
        self._on_opened = opened
        self._retry_seconds = retry_seconds
        self._places: dict[Place, _Opened] = {}
        self._rules = NO_RULES

    def set(
        self, installation: InstallationId, specs: Mapping[Place, TargetSpec], rules: HealthRules = NO_RULES
    ) -> None:
        """Open what is new or other than before, close what is named no more; all judge health by `rules`."""
        if rules != self._rules:
            self._rules = rules
            for target in self.open_places().values():
                target.judge_by(rules)
        for place in [place for place, one in self._places.items() if specs.get(place) != one.spec]:
            self._places.pop(place).task.cancel()
        for place, spec in specs.items():
            if place not in self._places:
                task = self._spawn(self._keep_open(place, spec, installation), f"target {place}")
                self._places[place] = _Opened(spec, task)

    def get(self, place: Place) -> Target:
        """Give an open target. Raises its own error where it could not be opened, Transient while it opens."""
        one = self._places.get(place)
        if one is None:
            raise Stalled(f"environment {place[0]} has no target {place[1]}")
        if one.target is not None:
            return one.target
        raise one.error or Transient(f"target {place[1]} is being opened")

    def has_answer(self, place: Place) -> bool:
        """Tell whether `get` has an answer of any kind yet; `opened` is called once it has."""
        one = self._places.get(place)
        return one is None or one.target is not None or one.error is not None

    def open_places(self) -> Mapping[Place, Target]:
        return {place: one.target for place, one in self._places.items() if one.target is not None}

    def credentials_moved(self) -> None:
        """Have every open target look at its login."""
        for target in self.open_places().values():
            target.credentials_moved()

    def close(self) -> None:
        for one in self._places.values():
            one.task.cancel()
        self._places.clear()

    async def _keep_open(self, place: Place, spec: TargetSpec, installation: InstallationId) -> None:
        while True:
            try:
                async with self._open_target(spec, place[0], installation, changed=self._changed) as target:
                    target.judge_by(self._rules)
                    self._note(place, spec, target=target)
                    await asyncio.Event().wait()
            except ConvergeError as error:
                self._note(place, spec, error=error)
            await asyncio.sleep(self._retry_seconds)

    def _note(
        self, place: Place, spec: TargetSpec, *, target: Target | None = None, error: ConvergeError | None = None
    ) -> None:
        one = self._places.get(place)
        if one is not None and one.spec == spec:
            one.target, one.error = target, error
            self._on_opened(place)
