"""One command of terraform or tofu: python-terraform says the command line, we own the process.

python-terraform 0.10.1 knows the commands and their options, and nothing newer will. What it lacks is closed here: a
deadline, a process group of its own that is asked before it is killed, an environment of named variables only, capped
output, exit codes as data. Its own files of variables, its reading of states and its made-up commands are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from python_terraform import IsFlagged, Terraform

from controller.model import ConvergeError, Stalled
from controller.runtime import Completed, Confinement, run
from controller.targets.terraform.keeping import OpenSession, unkept

FLAG: Final = IsFlagged  # an option without a value
GRACE_SECONDS: Final = 120.0  # from SIGINT to SIGKILL: long enough to end a request, store the state and unlock it
OUTPUT_LIMIT_BYTES: Final = 256 << 20
OLDEST: Final[Mapping[str, tuple[int, int]]] = {"terraform": (1, 5), "tofu": (1, 6)}
_DEBUG_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Program:
    """An installed terraform or tofu."""

    name: str  # terraform or tofu
    path: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class Tool(Terraform):  # type: ignore[misc]  # the package has no types
    """Runs commands in one folder. Every method of a command gives how it `Completed`, whatever its exit code."""

    def __init__(
        self,
        path: str,
        folder: Path,
        env: Mapping[str, str],
        *,
        deadline_seconds: float,
        confinement: Confinement,
        session: OpenSession = unkept,
    ) -> None:
        super().__init__(working_dir=str(folder), terraform_bin_path=path)
        self._folder = folder
        self._env = env
        self._deadline_seconds = deadline_seconds
        self._confinement = confinement
        self._session = session
        self.trouble: ConvergeError | None = None  # why the last command was refused its state

    def __getattr__(self, item: str) -> Any:
        """Refuse what is no command: the base would run any misspelt method as one."""
        raise AttributeError(item)

    def read_state_file(self, file_path: str | None = None) -> None:
        """Read no state: the base does after every command, from where a back-end never puts it."""

    def _generate_default_options(self, input_options: Mapping[str, Any]) -> dict[str, Any]:
        """Give only what was asked for; the base adds a file of variables to every command."""
        return {"no_color": FLAG, **input_options}

    async def cmd(
        self, cmd: str, *args: str, heard: Callable[[bytes], None] | None = None, **options: Any
    ) -> Completed:
        """Run a command to its end. Raises Overdue at the deadline, Stalled where the program can't be started.

        Raises also what kept it from a state that the controller keeps; where it is heard, `trouble` tells that.
        """
        argv: list[str] = self.generate_cmd_string(cmd, *args, **options)
        async with self._session() as session:
            completed = await run(
                argv,
                cwd=self._folder,
                env={**self._env, **session.variables},
                deadline_seconds=self._deadline_seconds,
                grace_seconds=GRACE_SECONDS,
                output_limit_bytes=OUTPUT_LIMIT_BYTES,
                confinement=self._confinement,
                heard=heard,
            )
        self.trouble = session.trouble if completed.returncode != 0 else None
        if self.trouble is not None and heard is None:
            raise self.trouble
        return completed

    async def initialise(self, *, is_locked: bool) -> Completed:
        """Install providers and modules and connect the back-end; with a lock file in git, exactly what that says."""
        options = {"lockfile": "readonly"} if is_locked else {}
        return await self._completed(self.init(reconfigure=FLAG, input=False, **options))

    async def fetch_modules(self) -> Completed:
        return await self.cmd("get", no_color=FLAG)

    async def make_plan(self, out: Path, *, is_destroy: bool = False) -> Completed:
        """Plan into a file. Without a lock: what is applied later is refused where the state moved in between."""
        options = {"destroy": FLAG} if is_destroy else {}
        return await self._completed(self.plan(out=str(out), json=FLAG, input=False, lock=False, **options))

    async def show_plan(self, file: Path) -> Completed:
        return await self.cmd("show", str(file), json=FLAG, no_color=FLAG)

    async def apply_plan(self, file: Path, *, lock_seconds: int, heard: Callable[[bytes], None]) -> Completed:
        """Apply exactly a saved plan. `heard` gets what it tells while it does, a line of JSON each."""
        return await self.cmd("apply", str(file), heard=heard, json=FLAG, input=False, lock_timeout=f"{lock_seconds}s")

    async def pull_state(self) -> Completed:
        return await self.cmd("state pull", no_color=FLAG)

    async def push_state(self, file: Path) -> Completed:
        return await self.cmd("state push", str(file), no_color=FLAG)

    async def unlock(self, lock: str) -> Completed:
        return await self.cmd("force-unlock", "--", lock, force=FLAG, no_color=FLAG)

    @staticmethod
    async def _completed(running: Any) -> Completed:
        completed: Completed = await running
        return completed


async def find_program(wanted: str, env: Mapping[str, str], folder: Path) -> Program:
    """Find the program and its version. Raises Stalled where there is none, or one that is too old."""
    names = (wanted,) if wanted else tuple(OLDEST)
    for name in names:
        try:
            completed = await run(
                (name, "version", "-json"), cwd=folder, env=env, deadline_seconds=_DEBUG_SECONDS, grace_seconds=1.0
            )
        except Stalled:
            continue
        version = _version_of(completed)
        oldest = OLDEST[name]
        if _numbers(version) < oldest:
            raise Stalled(
                f"{name} {version or 'of an unknown version'} is too old: {oldest[0]}.{oldest[1]} or newer is needed"
            )
        return Program(name, name, version)
    raise Stalled(f"{' and '.join(names)} can't be started: install one of them, or put it on PATH")


def _version_of(completed: Completed) -> str:
    try:
        value = msgspec.json.decode(completed.stdout)
    except msgspec.DecodeError:
        return ""
    return str(value.get("terraform_version", "")) if isinstance(value, dict) else ""


def _numbers(version: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)
