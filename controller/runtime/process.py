"""One child process from start to end: own session, bare environment, deadline, capped output.

Children are asked first (SIGINT: git and terraform clean up their locks on it) and killed after a grace. Signals go to
the whole process group, so that nothing a child started outlives it. Whatever ends the wait (the deadline, a cancelled
task, too much output) ends the child too.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from controller.model import Stalled, Transient
from controller.runtime.confinement import Confinement

CHUNK_BYTES = 1 << 16


class Overdue(Transient):
    """A child process was stopped at its deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How a child ended. `returncode` is negative for a signal; what it means is the caller's to say."""

    program: str
    returncode: int
    stdout: bytes
    stderr: bytes
    seconds: float

    @property
    def error_text(self) -> str:
        """What it said on stderr, for people."""
        return self.stderr.decode(errors="replace").strip()


async def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    deadline_seconds: float,
    stdin: bytes = b"",
    grace_seconds: float = 5.0,
    output_limit_bytes: int = 64 << 20,
    confinement: Confinement | None = None,
    memory_limit_bytes: int = 0,
    heard: Callable[[bytes], None] | None = None,
) -> Completed:
    """Run a program to its end. `env` is its whole environment (see `bare_environment`).

    `memory_limit_bytes` bounds the data that it may hold, where the system can (Linux); 0 is no bound. `heard` gets
    each line of its standard output as soon as it is there, without its end.

    Raises Overdue at the deadline, Stalled for a program that isn't installed or prints more than the limit.
    """
    started = time.monotonic()
    child = await _start(argv, cwd=cwd, env=env, confinement=confinement)
    if memory_limit_bytes:
        _bound(child.process.pid, memory_limit_bytes)
    try:
        async with asyncio.timeout(deadline_seconds):
            stdout, stderr = await _talk(child.process, stdin, output_limit_bytes, heard)
            returncode = await child.process.wait()
    except BaseException as error:
        await asyncio.shield(_end(child, grace_seconds))
        if isinstance(error, TimeoutError):
            raise Overdue(f"{argv[0]} took longer than {deadline_seconds:g} s and was stopped") from error
        raise
    seconds = time.monotonic() - started
    return Completed(program=argv[0], returncode=returncode, stdout=stdout, stderr=stderr, seconds=seconds)


@dataclass(frozen=True, slots=True)
class _Child:
    process: asyncio.subprocess.Process
    transport: asyncio.SubprocessTransport  # closes the pipes, which the process itself does not offer


async def _start(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], confinement: Confinement | None) -> _Child:
    loop = asyncio.get_running_loop()
    try:
        transport, protocol = await loop.subprocess_exec(
            lambda: asyncio.subprocess.SubprocessStreamProtocol(limit=CHUNK_BYTES, loop=loop),
            *(confinement.argv(argv) if confinement else argv),
            cwd=cwd,
            env=dict(env),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        return _Child(asyncio.subprocess.Process(transport, protocol, loop), transport)
    except (FileNotFoundError, PermissionError) as error:
        if not cwd.is_dir():  # noqa: ASYNC240 - one stat, of a local folder
            raise Transient(f"{cwd}: the folder that {argv[0]} should run in is gone") from error
        raise Stalled(f"{argv[0]} can't be started ({error.strerror}): install it, or put it on PATH") from error
    except OSError as error:
        raise Transient(f"{argv[0]} can't be started: {error.strerror}") from error


def _bound(process: int, memory_bytes: int) -> None:
    if hasattr(resource, "prlimit"):  # not on macOS
        with suppress(ProcessLookupError):
            resource.prlimit(process, resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


async def _talk(
    process: asyncio.subprocess.Process, stdin: bytes, limit: int, heard: Callable[[bytes], None] | None
) -> tuple[bytes, bytes]:
    """Write and read at once: a pipe holds 64 KiB, so doing one after the other would hang."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_feed(cast("asyncio.StreamWriter", process.stdin), stdin))
            stdout = group.create_task(_read(cast("asyncio.StreamReader", process.stdout), limit, heard))
            stderr = group.create_task(_read(cast("asyncio.StreamReader", process.stderr), limit, None))
    except* _TooMuchError as errors:
        raise Stalled(f"the program printed more than {limit} bytes and was stopped") from errors
    return stdout.result(), stderr.result()


class _TooMuchError(Exception):
    """More output than anybody will read."""


async def _feed(pipe: asyncio.StreamWriter, data: bytes) -> None:
    # A child that ends without reading everything says why by its exit code.
    with suppress(BrokenPipeError, ConnectionResetError):
        # One that has ended already has closed its end: uvloop raises RuntimeError at a write to that.
        if data and not pipe.is_closing():
            pipe.write(data)
            await pipe.drain()
    pipe.close()


async def _read(pipe: asyncio.StreamReader, limit: int, heard: Callable[[bytes], None] | None) -> bytes:
    data = bytearray()
    told = 0  # up to where lines were handed on
    while chunk := await pipe.read(CHUNK_BYTES):
        data += chunk
        if len(data) > limit:
            raise _TooMuchError
        if heard is not None and (end := data.rfind(b"\n", told)) >= 0:
            for line in data[told:end].split(b"\n"):
                heard(bytes(line))
            told = end + 1
    return bytes(data)


async def _end(child: _Child, grace_seconds: float) -> None:
    """Leave nothing of the group behind: ask, wait, kill."""
    if child.process.returncode is None:
        _signal(child.process.pid, signal.SIGINT)
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await _last_words(child.process)
    _signal(child.process.pid, signal.SIGKILL)
    child.transport.close()  # asyncio's wait() waits for the pipes too: one that nobody reads would never end
    await child.process.wait()


async def _last_words(process: asyncio.subprocess.Process) -> None:
    """Wait for the end of a child, and drop what it says meanwhile: it must not stand still at a full pipe."""
    async with asyncio.TaskGroup() as group:
        for pipe in (process.stdout, process.stderr):
            group.create_task(_discard(cast("asyncio.StreamReader", pipe)))
    await process.wait()


async def _discard(pipe: asyncio.StreamReader) -> None:
    while await pipe.read(CHUNK_BYTES):
        pass


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)
