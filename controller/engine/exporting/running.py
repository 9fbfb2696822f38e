"""The exports that the platform in force names: each a task, woken by commits of the records branch.

An export that fails is told of and tried again, ever later; it stops nobody, and no record waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from controller.engine.backoff import backoff_seconds
from controller.engine.committing import Style
from controller.engine.events import Exported, ExportFailed, Tell
from controller.engine.exporting.carrying import EndPoint, FilesChange
from controller.engine.exporting.finding import exporter_of
from controller.engine.exporting.reading import Reading
from controller.engine.spawning import Spawn
from controller.git import Committer, Mirror, choose, ref_patterns
from controller.model import ConvergeError, Export, Stalled, Transient
from controller.records.exporters import Exporter, Instance, Pushing
from controller.runtime import Clock, Credential

GATHER_SECONDS: Final = 2.0  # transitions that come within it are exported together
STALLED_SECONDS: Final = 300.0
COMMIT_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Where instances are read and files are written."""

    records: Mirror
    branch: str
    home: Mirror  # of the export's branch
    style: Style


@dataclass(slots=True)
class _Running:
    export: Export
    aim: Aim
    moved: asyncio.Event
    task: asyncio.Task[None]


class Exports:
    """Owned by the controller."""

    def __init__(self, spawn: Spawn, clock: Clock, tell: Tell, credential: Callable[[str], Credential]) -> None:
        self._spawn = spawn
        self._clock = clock
        self._tell = tell
        self._credential = credential
        self._running: dict[str, _Running] = {}

    def set(self, exports: tuple[Export, ...], aim: Callable[[Export], Aim]) -> None:
        """Run exactly these; one whose export and aim are as before goes on."""
        wanted = {one.name: (one, aim(one)) for one in exports}
        for name in [name for name, one in self._running.items() if wanted.get(name) != (one.export, one.aim)]:
            self._running.pop(name).task.cancel()
        for name, (export, where) in wanted.items():
            if name not in self._running:
                moved = asyncio.Event()
                moved.set()
                task = self._spawn(self._run(export, where, moved), f"export {name}")
                self._running[name] = _Running(export, where, moved, task)

    def poke(self) -> None:
        """The records branch moved."""
        for one in self._running.values():
            one.moved.set()

    def close(self) -> None:
        for one in self._running.values():
            one.task.cancel()
        self._running.clear()

    async def _run(self, export: Export, aim: Aim, moved: asyncio.Event) -> None:
        session = _Session(export, aim, self._clock, self._credential)
        failures = 0
        while True:
            await moved.wait()
            await self._clock.sleep(GATHER_SECONDS)
            moved.clear()
            try:
                count = await session.export()
            except ConvergeError as error:
                failures += 1
                self._tell(ExportFailed(export.name, str(error)))
                pause = backoff_seconds(failures, chance=0.5)
                await self._clock.sleep(STALLED_SECONDS if isinstance(error, Stalled) else pause)
                moved.set()
            else:
                failures = 0
                if count:
                    self._tell(Exported(export.name, count))


class _Session:
    """What one export knows between two commits of the records branch."""

    def __init__(self, export: Export, aim: Aim, clock: Clock, credential: Callable[[str], Credential]) -> None:
        self._export = export
        self._aim = aim
        self._clock = clock
        self._credential = credential
        self._reading = Reading(export)
        self._untold: dict[str, Instance] = {}  # changed, and not yet with the other system

    async def export(self) -> int:
        """Bring the other side to where the records are; gives how many instances that were. Raises as it fails."""
        exporter = exporter_of(self._export)
        refs = await self._aim.records.refs(ref_patterns(self._aim.branch))
        if not refs:
            return 0
        head = choose(self._aim.branch, refs, url=self._aim.records.url)
        self._untold |= await self._reading.refresh(self._aim.records, head)
        if not self._untold:
            return 0
        if self._export.url:
            await self._push(exporter)
        else:
            await self._commit(exporter)
        count = len(self._untold)
        self._untold = {}
        return count

    async def _push(self, exporter: Exporter) -> None:
        if not isinstance(exporter, Pushing):
            raise Stalled(f"exporter {self._export.exporter} writes files only")
        told = sorted(self._untold.values(), key=lambda one: one.key)
        talk = exporter.push([one for one in told if not one.is_retired], [one for one in told if one.is_retired])
        await EndPoint(self._export, self._credentials, self._clock).carry(talk)

    def _credentials(self) -> Credential | None:
        return self._credential(self._export.credentials) if self._export.credentials else None

    async def _commit(self, exporter: Exporter) -> None:
        instances, style = self._reading.instances(), self._aim.style
        files = await self._aim.records.compute(lambda: exporter.files(instances))
        committer = Committer(
            self._aim.home,
            self._export.branch,
            identity=style.identity,
            clock=self._clock,
            subject=style.subject,
            sign=style.sign,
        )
        try:
            async with asyncio.timeout(COMMIT_SECONDS), committer:
                await committer.submit(FilesChange(self._export, files))
        except TimeoutError as error:
            raise Transient(f"export {self._export.name}: its branch could not be pushed") from error
