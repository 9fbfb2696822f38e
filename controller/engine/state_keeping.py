"""Keeps sealed states on branches of the repository that records go to: pushed, or on disk until they are.

A state is written to the spool first (whole, or not at all), then committed, then taken out of the spool. So a
controller that is killed anywhere finds either nothing or a state to push; and what it had pushed without knowing it
finds on the branch. A change names which states it may take the place of: whoever pushed another one in between keeps
it there, and ours stays in the spool for a person to decide. Until a placement's state is pushed nobody reads it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from controller.engine.backoff import backoff_seconds
from controller.engine.committing import Style
from controller.engine.spawning import Spawn
from controller.engine.spool import Entry, Spool, digest
from controller.git import BranchFiles, Committer, Files, Mirror
from controller.model import ConvergeError, PlacementRef, Stalled, Transient
from controller.records import state_of
from controller.runtime import Clock
from controller.targets import Overtaken, StateMark

PATIENCE_SECONDS = 10.0  # that Terraform waits for a push before it is told that its state is safe on disk
AGAIN_SECONDS: Final = 5.0
README: Final = """# Terraform states

Written by Converge, and by nobody else: one file per placement, each commit a version. A file is a line that says
which state it is, and behind it the state, compressed with gzip and encrypted with age. Whoever has one of its
identities reads it:

    tail -n +2 states/prod/shop/cloud.age | age -d -i KEY | zcat
"""
log = structlog.get_logger()


def path_of(placement: PlacementRef) -> str:
    """Name a placement's file on the branch."""
    return f"states/{placement.environment}/{placement.application}/{placement.target}.age"


@dataclass(frozen=True, slots=True)
class StateChange:
    """One state in place of another."""

    entry: Entry
    where: str

    @property
    def subject(self) -> str:
        return f"Keep the state of {self.entry.placement}, {self.entry.about}"

    @property
    def trailers(self) -> tuple[tuple[str, str], ...]:
        return (("Placement", self.entry.placement),)

    def derive(self, base: Files) -> Mapping[str, bytes | None]:
        """Raises Overtaken where another state is there than those that it may follow."""
        current = base.read(self.entry.path)
        if current == self.entry.sealed:
            return {}
        if digest(current) not in self.entry.expected:
            raise Overtaken(f"{self.where}: {self.entry.path} is another state than the one that was planned with")
        return {self.entry.path: self.entry.sealed}


def readme(_files: Files) -> Mapping[str, bytes | None]:
    return {"README.md": README.encode()}


class StateShelf:
    """A branch of states, read and written at once: for a person, without a spool. Use as `async with`."""

    def __init__(self, mirror: Mirror, branch: str, style: Style, *, clock: Clock) -> None:
        self._mirror = mirror
        self._ref = f"refs/heads/{branch}"
        self.where = f"{mirror.url} {branch}"
        self.committer = Committer(
            mirror,
            branch,
            identity=style.identity,
            clock=clock,
            finish=readme,
            subject=style.subject,
            sign=style.sign,
        )

    async def __aenter__(self) -> Self:
        await self.committer.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.committer.__aexit__(kind, error, trace)

    async def get(self, placement: PlacementRef) -> bytes | None:
        """Give what is on the branch now. Raises Transient, Stalled."""
        commit = (await self._mirror.refs([self._ref])).get(self._ref)
        if commit is None:
            return None
        files = BranchFiles(await self._mirror.tree(commit))
        return await self._mirror.compute(lambda: files.read(path_of(placement)))

    async def put(self, placement: PlacementRef, sealed: bytes, *, base: bytes | None, about: str) -> None:
        """Push a state in place of `base`. Raises Overtaken, Stalled."""
        await self.push(Entry(str(placement), path_of(placement), about, (digest(base),), sealed))

    async def push(self, entry: Entry) -> None:
        """Waits as long as the remote is away. Raises Overtaken, Stalled, Transient."""
        await self.committer.submit(StateChange(entry, self.where))


@dataclass(frozen=True, slots=True)
class _Home:
    """Where states are kept: known once the platform is read, and it may move with it."""

    mirror: Mirror
    style: Style
    records: str  # the branch of that
    spawn: Spawn | None  # None: for who only reads


class StateKeeping:
    """Owns the branches of states. `folder` is where states wait for their push."""

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._home: _Home | None = None
        self._branches: dict[str, _Branch] = {}

    def aim(self, mirror: Mirror, style: Style, *, records: str, spawn: Spawn | None = None) -> None:
        """Say where states are kept from now on, beside the branch `records`; push what an earlier process left."""
        home = _Home(mirror, style, records, spawn)
        if self._home == home:
            return
        self.close()
        self._home = home
        if spawn is not None:
            for branch in Spool.branches(self._folder, mirror.url):
                self.branch(branch)

    def at(self, branch: str) -> Kept:
        """Give the keeper of a branch."""
        return Kept(self, branch)

    def branch(self, name: str) -> _Branch:
        """Raises Transient while nobody knows where states are kept."""
        if self._home is None:
            raise Transient("the platform is not read yet, so that nobody knows where its states are")
        if name not in self._branches:
            self._branches[name] = _Branch(self._home, name, self._folder, self._clock)
        return self._branches[name]

    def close(self) -> None:
        """Stop pushing. What is in the spool is pushed by the next controller."""
        for one in self._branches.values():
            one.close()
        self._branches.clear()
        self._home = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A branch by its name: implements Terraform's `StateKeeper`."""

    keeping: StateKeeping
    name: str

    @property
    def where(self) -> str:
        return self.keeping.branch(self.name).where

    def check(self, placement: PlacementRef) -> None:
        self.keeping.branch(self.name).check(placement)

    async def get(self, placement: PlacementRef) -> bytes | None:
        return await self.keeping.branch(self.name).get(placement)

    async def put(self, placement: PlacementRef, sealed: bytes, *, base: bytes | None, about: str) -> None:
        await self.keeping.branch(self.name).put(placement, sealed, base=base, about=about)

    async def recorded(self, placement: PlacementRef) -> StateMark | None:
        return await self.keeping.branch(self.name).recorded(placement)


class _Branch:
    """One branch, its committer, and what waits for it."""

    def __init__(self, home: _Home, name: str, folder: Path, clock: Clock) -> None:
        self._home = home
        self._clock = clock
        self._spawn = home.spawn
        self._spool = Spool(folder, home.mirror.url, name)
        self._refused: dict[str, Overtaken] = {}
        self._pushing: dict[str, asyncio.Task[None]] = {}
        self._is_closed = False
        self._shelf = StateShelf(home.mirror, name, home.style, clock=clock)
        self.where = self._shelf.where
        self._committing: asyncio.Task[None] | None = None
        if home.spawn is not None:
            self._committing = home.spawn(self._shelf.committer.run(), f"states {name}")
            if self._spool.take():
                for entry in self._spool.entries():
                    self._push(entry.placement)

    def close(self) -> None:
        self._is_closed = True
        for task in (self._committing, *self._pushing.values()):
            if task is not None:
                task.cancel()
        self._spool.let_go()

    def check(self, placement: PlacementRef) -> None:
        refused = self._refused.get(str(placement))
        if refused is not None and self._spool.has(str(placement)):
            raise refused
        self._refused.pop(str(placement), None)
        if not self._spool.has(str(placement)):
            return
        if self._spawn is not None and self._spool.take():
            self._push(str(placement))
        raise Transient(
            f"the state of the last apply is kept at {self._spool.file(str(placement))}, and waits until {self.where} "
            "takes it: nothing is planned before",
            retry_after_seconds=AGAIN_SECONDS,
        )

    async def get(self, placement: PlacementRef) -> bytes | None:
        self.check(placement)
        return await self._shelf.get(placement)

    async def recorded(self, placement: PlacementRef) -> StateMark | None:
        ref = f"refs/heads/{self._home.records}"
        commit = (await self._home.mirror.refs([ref])).get(ref)
        if commit is None:
            return None
        files = BranchFiles(await self._home.mirror.tree(commit))
        found = await self._home.mirror.compute(lambda: state_of(files, placement))
        return None if found is None else StateMark(*found)

    async def put(self, placement: PlacementRef, sealed: bytes, *, base: bytes | None, about: str) -> None:
        name = str(placement)
        if self._spawn is None:
            raise Stalled("only `converge run` stores states")
        if not self._spool.take():
            raise Transient(f"another process keeps the states of {self.where} with the same cache")
        try:
            before = self._spool.read(name)
            expected = (*before.expected, digest(before.sealed)) if before else ()
            entry = Entry(name, path_of(placement), about, (*expected, digest(base)), sealed)
            await asyncio.to_thread(self._spool.write, entry)
        except OSError as error:
            raise Transient(f"the state can't be written to the disk: {error}") from error
        until = self._clock.monotonic() + PATIENCE_SECONDS
        while self._spool.has(name) and name not in self._refused and not self._is_closed:
            left = until - self._clock.monotonic()
            if left <= 0:
                return  # it is safe: who asks for it next waits until it is pushed
            await asyncio.wait({self._push(name)}, timeout=left)
        if name in self._refused:
            raise self._refused[name]

    def _push(self, name: str) -> asyncio.Task[None]:
        """Have what the spool holds of a placement pushed, by one task at a time."""
        running = self._pushing.get(name)
        if running is None or running.done():
            assert self._spawn is not None  # noqa: S101  # who only reads does not come here
            running = self._pushing[name] = self._spawn(self._push_all(name), f"state {name}")
        return running

    async def _push_all(self, name: str) -> None:
        failures = 0
        while self._spool.has(name):
            try:
                entry = self._spool.read(name)
                if entry is None:
                    return
                await self._shelf.push(entry)
                await asyncio.to_thread(self._spool.drop, entry)
            except Overtaken as error:
                self._refused[name] = Overtaken(
                    f"{error}: somebody else applies this placement, too. What our apply came to is sealed in "
                    f"{self._spool.file(name)} (`tail -n +3 FILE | age -d -i KEY | zcat`). Compare the two, store what "
                    f"is true with `converge state push {name} FILE`, and delete that file"
                )
                log.warning("state.overtaken", placement=name, reason=str(error))
                return
            except ConvergeError as error:
                failures += 1
                log.warning("state.waiting", placement=name, reason=str(error))
                await self._clock.sleep(backoff_seconds(failures, chance=0.5))
