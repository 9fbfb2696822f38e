"""A long-lived child that answers on a pipe, such as `git cat-file --batch-command`.

Synchronous on purpose: its users read a value in the middle of a pure computation, in the event loop's thread or in a
worker process, and an answer comes within microseconds. Each exchange has a deadline; a child that misses it is killed,
because what it says later would answer another question.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from controller.model import Stalled, Transient

CHUNK_BYTES = 1 << 18
STDERR_TAIL_BYTES = 4096
PIPE_BYTES = 1 << 16  # that a pipe holds on Linux
WIDE_BYTES = 1 << 20  # that anybody may have it hold there


class PipeBroken(Transient):
    """The child ended, or missed its deadline: start another one. The message holds its last words."""


class Pipe:
    """One child and its two pipes; one user at a time (the caller holds a lock where there may be more).

    `send` queues bytes; `line` and `exactly` read, and write what is queued meanwhile, so that any number of questions
    may be sent before the first answer is read.
    """

    def __init__(self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], deadline_seconds: float) -> None:
        self._program = argv[0]
        self._deadline_seconds = deadline_seconds
        self._received = bytearray()
        self._outgoing = bytearray()
        self._is_open = True
        self._words = _anonymous_file()
        try:
            self._process = subprocess.Popen(
                argv,
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._words,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            self._words.close()
            if not cwd.is_dir():
                raise PipeBroken(f"{cwd}: the folder that {argv[0]} should run in is gone") from error
            if not isinstance(error, FileNotFoundError | PermissionError):
                raise Transient(f"{argv[0]} can't be started: {error.strerror}") from error
            raise Stalled(f"{argv[0]} can't be started ({error.strerror}): install it, or put it on PATH") from error
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._stdout = cast("IO[bytes]", self._process.stdout)
        os.set_blocking(self._stdin.fileno(), False)
        os.set_blocking(self._stdout.fileno(), False)

    @property
    def is_open(self) -> bool:
        return self._is_open

    def send(self, data: bytes) -> None:
        """Queue a question."""
        self._outgoing += data

    def line(self) -> bytes:
        """Read up to and without the next newline. Raises PipeBroken."""
        deadline = time.monotonic() + self._deadline_seconds
        searched = 0
        while (end := self._received.find(b"\n", searched)) < 0:
            searched = len(self._received)
            self._receive(deadline)
        found = bytes(self._received[:end])
        del self._received[: end + 1]
        return found

    def exactly(self, count: int) -> bytes:
        """Read so many bytes. Raises PipeBroken."""
        deadline = time.monotonic() + self._deadline_seconds
        while len(self._received) < count:
            self._receive(deadline)
        found = bytes(self._received[:count])
        del self._received[:count]
        return found

    def finish(self) -> tuple[int, bytes, str]:
        """Send what is queued, close the child's input and wait for its end. Gives exit status, last output, stderr.

        Raises PipeBroken at the deadline.
        """
        deadline = time.monotonic() + self._deadline_seconds
        is_more = True
        if len(self._outgoing) > PIPE_BYTES:
            _widen(self._stdin)
        while is_more:
            if not self._outgoing:
                self._stdin.close()
            is_more = self._pump(deadline)
        status = self._process.wait()
        words = self._last_words()
        self.close()
        return status, bytes(self._received), words

    def close(self) -> None:
        """End the child. Safe to call twice."""
        if not self._is_open:
            return
        self._is_open = False
        self._stdin.close()
        self._stdout.close()
        self._words.close()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _receive(self, deadline: float) -> None:
        if not self._is_open:
            raise PipeBroken(f"{self._program} is not running any more")
        if not self._pump(deadline):
            raise self._broken("ended")

    def _pump(self, deadline: float) -> bool:
        """Write and read once, whatever is possible. Gives whether more may come."""
        poll = select.poll()  # select() ends at descriptor 1023
        poll.register(self._stdout, select.POLLIN)
        if self._outgoing:
            poll.register(self._stdin, select.POLLOUT)
        ready = {descriptor for descriptor, _ in poll.poll(max(0.0, deadline - time.monotonic()) * 1000)}
        if not ready:
            raise self._broken(f"did not answer within {self._deadline_seconds:g} s")
        if self._outgoing and self._stdin.fileno() in ready:
            self._write()
        if self._stdout.fileno() not in ready:
            return True
        chunk = os.read(self._stdout.fileno(), CHUNK_BYTES)
        self._received += chunk
        return bool(chunk)

    def _write(self) -> None:
        try:
            with memoryview(self._outgoing) as outgoing:
                written = os.write(self._stdin.fileno(), outgoing)
        except BrokenPipeError:
            written = len(self._outgoing)  # it does not read any more; why, its output's end will tell
        del self._outgoing[:written]

    def _broken(self, what: str) -> PipeBroken:
        words = self._last_words()
        self.close()
        return PipeBroken(f"{self._program} {what}: {words}" if words else f"{self._program} {what}")

    def _last_words(self) -> str:
        size = self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, size - STDERR_TAIL_BYTES))
        return self._words.read().decode(errors="replace").strip()


def _widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold more, where the system can: who fills a narrow one is woken for every few kilobytes."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # the user's pipes hold as much as they may already
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, WIDE_BYTES)


def _anonymous_file() -> IO[bytes]:
    """Give a file without a name, in memory where the system can: a full disk must not keep a child from starting."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("stderr"), "w+b")
    return tempfile.TemporaryFile()
