"""Start the control plane and say where it is."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.cluster.cache import locked

START_SECONDS = 60  # 2.5 s on a quiet machine, 8-10 s were seen on a loaded one
PARTS = ("--controllers", "--scheduler", "--kubelet")


@dataclass(frozen=True, slots=True)
class Running:
    """A control plane that answers."""

    server: str
    kubeconfig: str
    ca: str
    token: str
    pid: int

    @property
    def is_alive(self) -> bool:
        address = urlsplit(self.server)
        try:
            socket.create_connection((address.hostname or "", address.port or 0), timeout=5).close()
        except OSError:
            return False
        return True


def start(binary: Path, directory: Path, *, lifeline: int, arguments: tuple[str, ...] = PARTS) -> Running:
    """Start `binary` on the new folder `directory`; it ends, and takes its data with it, when `lifeline` does.

    `lifeline` is an open file, which becomes its standard input. Raises TimeoutError and ChildProcessError, with
    the end of its log.
    """
    directory.mkdir(parents=True)
    stages, log = directory / "stages", directory / "log"
    pid = _spawn(
        [str(binary), "--data", str(directory / "data"), "--lifeline", "--discard", *arguments], lifeline, stages, log
    )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        for line in stages.read_text().splitlines(keepends=True):
            if line.endswith("\n") and (stage := json.loads(line))["stage"] == "ready":
                return Running(**{name: stage[name] for name in Running.__slots__})
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            raise ChildProcessError(f"the control plane ended with status {code}: {_tail(log)}")
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise TimeoutError(f"the control plane was not ready within {START_SECONDS} s: {_tail(log)}")


def _spawn(argv: list[str], stdin: int, out: Path, err: Path) -> int:
    """Start a process that outlives us: `subprocess` would warn of one that is left running."""
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_DUP2, stdin, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(out), writing, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, str(err), writing, 0o600),
    ]
    out.touch()
    return os.posix_spawn(argv[0], argv, os.environ, file_actions=actions, setsid=True)


def shared(binary: Path, run: Path) -> Running:
    """Give the one control plane of the test run whose folder is `run`, starting it if nobody did so before.

    Its lifeline is the pipe `run`/lifeline, which the process that made the folder holds open for writing.
    """
    known = run / "control-plane.json"
    with locked(run / "control-plane"):
        if known.exists():
            running = Running(**json.loads(known.read_text()))
            if running.is_alive:
                return running
            raise ChildProcessError(
                f"the control plane ended in the middle of the run: {_tail(run / 'control-plane' / 'log')}"
            )
        lifeline = os.open(run / "lifeline", os.O_RDONLY)
        try:
            running = start(binary, run / "control-plane", lifeline=lifeline)
        finally:
            os.close(lifeline)
        known.write_text(json.dumps(asdict(running)))
        return running


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-3000:]
