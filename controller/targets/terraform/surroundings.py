"""What all runs of one process share: work folders, the provider cache, room in memory, an environment."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import re
import shutil
import stat
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from controller.model import Secret, Stalled, Unequipped
from controller.runtime import Confinement, CredentialStore, bare_environment, scratch
from controller.targets.terraform.folders import ERRORED, Seats

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a tmpfs on every Linux; the folder in it is ours alone
WORK_VARIABLE: Final = "CONVERGE_TERRAFORM_WORK"  # of the controller's environment
RUN_BYTES: Final = 800 << 20  # of one run: terraform 0.2 GB and a large provider 0.6 GB
_MOST_AT_ONCE: Final = 8  # processes with one cache, of which each finds again what it could not store
_VARIABLE: Final = re.compile(r"TF_(?:VAR|TOKEN)_\w+|[A-Z_][A-Z0-9_]*")
_OURS: Final = frozenset({"PATH", "HOME", "TMPDIR", "LD_PRELOAD", "LD_LIBRARY_PATH"})
_MEMORY_KINDS: Final = frozenset({"tmpfs", "ramfs"})
# Of Terraform's own variables those are secrets: everything else says how it runs.
_TF_THEIRS: Final = re.compile(r"TF_(?:VAR_\w+|TOKEN_\w+|HTTP_(?:USERNAME|PASSWORD)|ENCRYPTION)")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`work` holds plans and states while they are used, and is in memory; `cache` holds providers, on disk.

    `hidden` is what no run may see: planning runs code of others.
    """

    work: Path
    cache: Path
    configuration: Path  # terraform's own (`TF_CLI_CONFIG_FILE`)
    slots: asyncio.Semaphore
    installing: asyncio.Lock  # terraform's provider cache is not safe for two at once
    hidden: tuple[Path, ...]
    seats: Seats = field(default_factory=Seats)

    def confinement(self, own: Path) -> Confinement:
        """Give one placement's runs their own folder of the work folder, and no other's."""
        home = self.work / "home"
        return Confinement.of((*self.hidden, self.work), (own, home, self.cache / "providers", self.configuration))

    def environment(self, variables: Mapping[str, Secret], *, data: Path) -> dict[str, str]:
        """Give a run's whole environment: what names a machine, what `credentials` name, and what makes it ours."""
        home = self.work / "home"
        home.mkdir(mode=0o700, exist_ok=True)
        return bare_environment(
            {
                **{name: value.reveal_text() for name, value in variables.items()},
                "HOME": str(home),
                "TMPDIR": str(home),
                "TF_CLI_CONFIG_FILE": str(self.configuration),
                "TF_DATA_DIR": str(data),
                "TF_PLUGIN_CACHE_DIR": str(self.cache / "providers"),
                "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1",
                "TF_IN_AUTOMATION": "1",
                "TF_INPUT": "0",
                "CHECKPOINT_DISABLE": "1",
            }
        )

    @asynccontextmanager
    async def installation(self) -> AsyncIterator[None]:
        """Be the only one who installs providers into the cache, in this process and among others."""
        async with self.installing:
            with (self.cache / "installing.lock").open("wb") as file:
                await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
                yield


@contextmanager
def surroundings(
    cache: Path, configuration: Path | None, hidden: tuple[Path, ...], parent: Path | None = None
) -> Iterator[Surroundings]:
    """Prepare a place to work; the work folder outlives a crash, so that what a killed run left can be found.

    `parent` is a folder that an operator vouches for. Raises Unequipped where there is none, and no tmpfs.
    """
    place = _parent(parent)
    (cache / "providers").mkdir(parents=True, exist_ok=True, mode=0o700)
    with _work_folder(cache, place) as work:
        if configuration is None:
            configuration = work / "terraform.rc"
            configuration.write_text("disable_checkpoint = true\n")
        yield Surroundings(work, cache, configuration, asyncio.Semaphore(_slots()), asyncio.Lock(), hidden)


def _parent(named: Path | None) -> Path:
    """Say where work folders go: saved plans hold states, with every secret in them, in the clear."""
    place = named or MEMORY
    if not os.access(place, os.W_OK | os.X_OK):
        trouble = "can't be written to"
    elif named is None and not is_in_memory(place):
        trouble = "is no tmpfs"
    else:
        return place
    raise Unequipped(
        f"{place} {trouble}, and saved plans and states never come to a disk in the clear: mount a tmpfs at {MEMORY}, "
        f"or name a folder on another one, or on an encrypted disk, in {WORK_VARIABLE}"
    )


def work_folder(cache: Path, parent: Path) -> Path:
    """Name the work folder that goes with a cache."""
    name = hashlib.sha256(str(cache.resolve()).encode()).hexdigest()[:16]
    return parent / f"converge-terraform-{os.getuid()}-{name}"


def is_in_memory(folder: Path) -> bool:
    """Tell whether a folder is on a tmpfs: what is written there never comes to a disk (but for swap)."""
    best, kind = Path("/"), ""
    with suppress(OSError):
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, place, found, *_ = line.split()
            mount = Path(place.replace("\\040", " "))
            if folder.resolve().is_relative_to(mount) and len(mount.parts) >= len(best.parts):
                best, kind = mount, found
    return kind in _MEMORY_KINDS


@contextmanager
def _work_folder(cache: Path, parent: Path) -> Iterator[Path]:
    """Give the folder of this cache, or one beside it where another process works in that already."""
    first = work_folder(cache, parent)
    for folder in (first, *(first.with_name(f"{first.name}-{number}") for number in range(1, _MOST_AT_ONCE))):
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        with ExitStack() as stack:
            if not (_is_ours(folder) and _is_taken(folder / "lock", stack)):
                continue
            try:
                yield folder
            finally:
                if not any(folder.rglob(ERRORED)):  # a state that could not be stored stays for the next process
                    shutil.rmtree(folder, ignore_errors=True)
            return
    with scratch("terraform", parent=parent) as other:
        yield other


def _is_ours(folder: Path) -> bool:
    """Tell whether a folder is this user's alone, and no link; False where another process is just taking it away."""
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return False
    return status.st_uid == os.getuid() and not status.st_mode & 0o077 and stat.S_ISDIR(status.st_mode)


def _is_taken(lock: Path, stack: ExitStack) -> bool:
    """Take a folder's lock for as long as the stack lasts; False where another process has it, or is leaving."""
    try:
        file = stack.enter_context(lock.open("wb"))
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), lock.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _slots() -> int:
    """Say how many runs fit into memory at once; at least one, and no more than twice the processors."""
    available = 0
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                available = int(line.split()[1]) << 10
    limit = _memory_limit()
    room = min(available, limit) if limit else available
    return max(1, min(2 * (os.cpu_count() or 1), room // RUN_BYTES))


def _memory_limit() -> int:
    """Give what a container may use, 0 where nothing limits it."""
    with suppress(OSError, ValueError):
        return int(Path("/sys/fs/cgroup/memory.max").read_text())
    return 0


def _is_of_a_run(name: str) -> bool:
    return name.startswith(("TF_", "TOFU_")) and not _TF_THEIRS.fullmatch(name)


def variables_of(names: tuple[str, ...], store: CredentialStore) -> Mapping[str, Secret]:
    """Give the environment variables that credentials hold: files named like one. Raises Stalled."""
    found: dict[str, Secret] = {}
    for name in names:
        values = store.get(name).values
        variables = {key: value for key, value in values.items() if _VARIABLE.fullmatch(key)}
        if not variables:
            raise Stalled(
                f'credential "{name}" holds no environment variable. '
                "Add a file for each, such as AWS_ACCESS_KEY_ID, with its value in it"
            )
        refused = sorted(key for key in variables if key in _OURS or _is_of_a_run(key))
        if refused:
            raise Stalled(f'credential "{name}" sets {", ".join(refused)}, which the controller sets itself')
        found |= variables
    return found
