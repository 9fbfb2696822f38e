"""One placement's workspace: what is asked of terraform for it, one thing at a time."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from controller.model import (
    Backend,
    CommitId,
    ConvergeError,
    Digest,
    Invalid,
    ObjectKey,
    PlacementRef,
    Revision,
    Secret,
    Stalled,
    TerraformTarget,
    Transient,
)
from controller.runtime import Completed
from controller.targets.states import Overtaken
from controller.targets.terraform.diagnostics import Locked, Told, error_of, hear, progress_of
from controller.targets.terraform.folders import LOCK_FILE, Folders, backend_file, init_key, providers_of
from controller.targets.terraform.hiding import hide, sensitive_values
from controller.targets.terraform.journal import Journal
from controller.targets.terraform.keeping import OpenSession, unkept
from controller.targets.terraform.linting import lint
from controller.targets.terraform.reading import Document, read_document
from controller.targets.terraform.source import Source, Stamp, Workpiece, stamp_file
from controller.targets.terraform.state import Pulled, read_state
from controller.targets.terraform.surroundings import Surroundings
from controller.targets.terraform.tool import Program, Tool

LOCK_SECONDS = 60  # an apply waits so long for a lock
QUICK_SECONDS = 300.0  # init, pull and the like
INSTALL_SECONDS = 1_800.0  # an init that fetches providers
KEPT = Backend("http")  # of the controller; runs find it by their environment, so that no address is in a file
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Ready:
    """A workspace in which terraform can run."""

    folder: Path
    data: Path
    piece: Workpiece
    providers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Saved:
    """A plan in a file, and what it says."""

    file: Path
    ready: Ready
    document: Document


class Workspace:
    """Commands for one placement. Whoever calls sees to it that no two run at once."""

    def __init__(
        self,
        spec: TerraformTarget,
        placement: PlacementRef,
        surroundings: Surroundings,
        program: Program,
        variables: Callable[[], Mapping[str, Secret]],
        session: OpenSession = unkept,
    ) -> None:
        self._spec = spec
        self._placement = placement
        self._surroundings = surroundings
        self._program = program
        self._variables = variables
        self._seat = surroundings.seats.take(placement)
        self._folders = Folders.of(surroundings.work, placement, self._seat)
        self._journal = Journal(surroundings.cache / "runs", placement, self._folders.root)
        self._session = session
        backend = KEPT if spec.state_in_git else spec.backend
        self._backend = backend_file(backend, placement) if backend else None
        self._number = 0
        self._folders.drop_plans()

    @property
    def has_own_backend(self) -> bool:
        """Tell whether the state can be found without any file of git: the target says where it is."""
        return self._backend is not None

    async def prepare(self, piece: Workpiece, stamp: Stamp | None = None) -> Ready:
        """Lay out a workspace and initialise it, where that is not done yet. Raises ConvergeErrors."""
        self._refuse_lost_states(piece.source)
        if self._spec.state_in_git and self._journal.is_at_work():
            raise Transient("an apply of another controller, or of one that died, is under way: it is waited for")
        folder = self._folders.lay_out(piece, self._backend)
        key = init_key(piece.source, self._backend, str(self._program))
        data = self._folders.data(key)
        lock = self._folders.locks.get(key)
        if lock is None:
            lock = await self._initialise(piece.source, folder, data)
            self._folders.locks[key] = lock
        elif not (folder / LOCK_FILE).exists() and lock:
            (folder / LOCK_FILE).write_bytes(lock)
        providers = providers_of(lock)
        made = stamp.made_by(str(self._program), providers) if stamp else None
        self._folders.put_stamp(folder, stamp_file(made, piece) if made else None)
        return Ready(folder, data, piece, providers)

    def _refuse_lost_states(self, source: Source) -> None:
        if self._backend is None and source.backend in ("", "local"):
            raise Stalled(
                f"{source.root or '.'}: the module names no back-end, so that its state would go with the work folder. "
                "Write a `backend` block, or set `terraform.backend` of the target"
            )

    async def _initialise(self, source: Source, folder: Path, data: Path) -> bytes:
        is_locked = posixpath.join(source.root, LOCK_FILE) in source.files
        async with self._surroundings.installation():
            tool = self._tool(folder, data, INSTALL_SECONDS)
            fetched = await tool.fetch_modules()
            if fetched.returncode == 0:
                problems = lint(data / "modules")
                if problems:
                    raise Invalid(problems)
            completed = await tool.initialise(is_locked=is_locked)
        if completed.returncode != 0:
            raise self._error_of(completed, "init", source)
        lock = folder / LOCK_FILE
        return lock.read_bytes() if lock.exists() else b""

    async def pull(self, ready: Ready) -> Pulled:
        """Read the state. Raises Transient or Stalled where it can't be read, which is never an empty state."""
        await self._store_errored(ready)
        completed = await self._tool(ready.folder, ready.data, QUICK_SECONDS).pull_state()
        if completed.returncode != 0:
            raise self._error_of(completed, "the state can't be read", ready.piece.source)
        return read_state(completed.stdout, ready.piece.key)

    async def _store_errored(self, ready: Ready) -> None:
        """Store what an earlier run could not: until that is done, the state in the back-end is not what there is."""
        for file in self._folders.errored():
            completed = await self._tool(ready.folder, ready.data, QUICK_SECONDS).push_state(file)
            if completed.returncode != 0:
                error = self._error_of(completed, f"the state of an earlier apply, kept at {file}, can't be stored")
                if isinstance(error, Locked):
                    await self.unlock_if_dead(ready, error)
                raise error
            file.unlink()

    async def plan(self, piece: Workpiece, stamp: Stamp | None, *, is_destroy: bool = False) -> Saved:
        """Make a plan and read it. Raises ConvergeErrors, with file:line where terraform names one."""
        ready = await self.prepare(piece, stamp)
        return await self._show(ready, await self._make_plan(ready, is_destroy=is_destroy))

    async def look(self, piece: Workpiece, stamp: Stamp) -> tuple[Saved, Pulled]:
        """Make a plan and read it as `plan` does, and the state meanwhile: nothing of the one waits for the other."""
        ready = await self.prepare(piece, stamp)
        await self._store_errored(ready)
        file = await self._make_plan(ready, is_destroy=False)
        try:
            async with asyncio.TaskGroup() as group:
                shown = group.create_task(self._show(ready, file))
                pulled = group.create_task(self.pull(ready))
        except* ConvergeError as errors:
            raise errors.exceptions[0] from None
        return shown.result(), pulled.result()

    async def _make_plan(self, ready: Ready, *, is_destroy: bool) -> Path:
        self._number += 1
        file = self._folders.plan_file(self._number)
        tool = self._tool(ready.folder, ready.data, self._spec.timeout_seconds)
        completed = await tool.make_plan(file, is_destroy=is_destroy)
        if completed.returncode not in (0, 2):
            raise self._error_of(completed, "the plan failed", ready.piece.source)
        return file

    async def _show(self, ready: Ready, file: Path) -> Saved:
        shown = await self._tool(ready.folder, ready.data, QUICK_SECONDS).show_plan(file)
        if shown.returncode != 0:
            raise self._error_of(shown, "the plan can't be shown", ready.piece.source)
        return Saved(file, ready, read_document(shown.stdout))

    def drop(self, kept: Iterable[Saved] = ()) -> None:
        """Delete saved plans but those that are kept: they hold the state."""
        files = {one.file for one in kept}
        for file in (self._folders.root / "plans").iterdir():
            if file not in files:
                file.unlink(missing_ok=True)

    def close(self) -> None:
        """Delete all saved plans, and let another have the folders."""
        self.drop()
        self._surroundings.seats.leave(self._placement, self._seat)

    async def apply(self, saved: Saved) -> tuple[Told, ConvergeError | None]:
        """Apply exactly a saved plan. Gives what became of each resource; raises only where it did not begin."""
        ready = saved.ready
        is_first = self._journal.open(ready.folder)
        tool = self._tool(ready.folder, ready.data, self._spec.timeout_seconds)
        completed = await tool.apply_plan(saved.file, lock_seconds=LOCK_SECONDS, heard=log_progress)
        known = sensitive_values(saved.document.changes) if completed.returncode else frozenset()
        told = hear(self._without_secrets(completed, known))
        error: ConvergeError | None = tool.trouble
        if error is None and completed.returncode:
            error = self._error_of(self._without_secrets(completed, known), "the apply failed", ready.piece.source)
        if isinstance(error, Overtaken):
            self._folders.drop_errored()  # it is kept sealed, and stored nowhere without a person
        if isinstance(error, Locked):
            await self.unlock_if_dead(ready, error)
        if completed.returncode >= 0 and (is_first or not isinstance(error, Locked)):
            self._journal.close()  # it ended by itself, so that it left no lock
        if error is not None and not told.done and not told.failed:
            raise error
        return told, error

    async def unlock_if_dead(self, ready: Ready, error: Locked) -> None:
        """Break a lock that a run of ours left which is proven dead; leave every other alone."""
        if self._journal.is_of_dead_run(error.lock):
            completed = await self._tool(ready.folder, ready.data, QUICK_SECONDS).unlock(error.lock.id)
            if completed.returncode == 0:
                self._journal.close()

    def _error_of(self, completed: Completed, doing: str, source: Source | None = None) -> ConvergeError:
        return error_of(self._without_secrets(completed), doing, source)

    def _without_secrets(self, completed: Completed, known: Iterable[bytes] = ()) -> Completed:
        """Take what credentials hold, and what else is known, out of what a program said: providers quote it."""
        values = {secret.reveal() for secret in self._variables().values()} | {*known}
        return replace(completed, stdout=hide(completed.stdout, values), stderr=hide(completed.stderr, values))

    def _tool(self, folder: Path, data: Path, deadline_seconds: float) -> Tool:
        env = self._surroundings.environment(self._variables(), data=data)
        confinement = self._surroundings.confinement(self._folders.root)
        return Tool(
            self._program.path,
            folder,
            env,
            deadline_seconds=deadline_seconds,
            confinement=confinement,
            session=self._session,
        )


def log_progress(line: bytes) -> None:
    """Tell the log what becomes of each resource while an apply runs: some take an hour."""
    told = progress_of(line)
    if told is not None:
        log.info("resource", address=told.address, action=told.action, step=told.step, seconds=told.seconds)


def bare_piece(key: ObjectKey) -> Workpiece:
    """Give a workspace without a file: enough to reach a back-end that the target names."""
    none = Digest("sha256:bare")
    nowhere = Revision(CommitId("0" * 40), CommitId("0" * 40))
    return Workpiece(
        source=Source(root="", files={}), body=b"{}", key=key, digest=none, desired=none, inputs=none, revision=nowhere
    )
