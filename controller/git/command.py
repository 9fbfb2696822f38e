"""One git command, run by GitPython in the calling thread, with nothing of its surroundings in it.

GitPython starts children with our whole environment; `env -u NAME…` in front takes away what git must not see (names
only: no value ever stands in an argv). Settings travel as `GIT_CONFIG_KEY_n` variables for the same reason.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.model import Stalled
from controller.runtime import bare_environment

# A mirror is a cache that nobody works in: no hooks, no upkeep of git's own, nothing of the user's or the machine's.
SETTINGS: Mapping[str, str] = {
    "core.hooksPath": os.devnull,
    "core.deltaBaseCacheLimit": "16m",
    "core.fsync": "none",  # after a power cut the mirror is fetched again
    "core.packedGitLimit": "16m",  # of what is mapped of packs, all of which counts as ours
    "core.packedGitWindowSize": "1m",
    "credential.helper": "",
    "fastimport.unpackLimit": "1",
    "fetch.recurseSubmodules": "false",
    "fetch.unpackLimit": "1",
    "gc.auto": "0",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "20",
    "http.postBuffer": str(16 << 20),  # a larger push needs another round trip
    "maintenance.auto": "false",
    "pack.deltaCacheSize": "4m",
    "pack.threads": "1",
    "pack.windowMemory": "16m",
    "protocol.version": "2",
    "submodule.recurse": "false",
}
# For each object that it packs git takes a quarter of a megabyte and gives it back: glibc would ask the kernel for it
# each time, which is half of what writing many small files costs. Other C libraries pass this over (mallopt(3)).
ALLOCATION: Mapping[str, str] = {"MALLOC_TOP_PAD_": str(1 << 20)}
TIMEOUT_WORDS = "Timeout: the command"  # GitPython's, on stderr


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    stdout: bytes
    stderr: str

    @property
    def is_overdue(self) -> bool:
        return self.stderr.startswith(TIMEOUT_WORDS)


def hardened(settings: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """Give the whole environment of a git command. Pure, but for what `bare_environment` lets through."""
    pairs = list({**SETTINGS, **settings}.items())
    numbered = {f"GIT_CONFIG_KEY_{n}": key for n, (key, _) in enumerate(pairs)}
    numbered |= {f"GIT_CONFIG_VALUE_{n}": value for n, (_, value) in enumerate(pairs)}
    return bare_environment(
        {
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_COUNT": str(len(pairs)),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_ALLOW_PROTOCOL": "",  # nothing, unless an access says so
            **numbered,
            **extra,
        }
    )


def git(
    arguments: Sequence[str],
    *,
    cwd: Path,
    deadline_seconds: float,
    env: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    keep_open: Sequence[int] = (),
) -> Answer:
    """Run git to its end; blocks. What its exit status means is the caller's to say. Raises Stalled without git.

    At the deadline it and all its children are killed (`Answer.is_overdue`). `keep_open` are descriptors it inherits.
    """
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    from git.cmd import Git  # noqa: PLC0415 - 100 ms
    from git.exc import GitCommandNotFound  # noqa: PLC0415

    wanted = hardened(settings or {}, {**ALLOCATION, **(env or {})})
    unwanted = [argument for name in os.environ if name not in wanted for argument in ("-u", name)]
    try:
        status, stdout, stderr = Git(str(cwd)).execute(
            ["env", *unwanted, "git", *arguments],
            env=wanted,
            with_extended_output=True,
            with_exceptions=False,
            stdout_as_string=False,
            strip_newline_in_stdout=False,
            kill_after_timeout=deadline_seconds,
            start_new_session=True,
            pass_fds=tuple(keep_open),
        )
    except GitCommandNotFound as error:
        raise Stalled("git can't be started: install it, or put it on PATH") from error
    if status == 127:
        raise Stalled("git can't be started: install it, or put it on PATH")
    return Answer(status, stdout, stderr)
