"""Worker processes that render while the event loop does what only it can do: talk.

They start when there is enough to do and end when there is nothing: an idle controller has none. A worker that dies or
takes too long is a hiccup of the one placement it rendered; the next one gets a new worker. Requests and answers cross
pipes between parent and child, and are written nowhere.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from controller.engine import render_child
from controller.engine.render_child import LENGTH, frame_of
from controller.model import ConvergeError, Transient
from controller.render import NOWHERE, Needed, Rendered, RenderRequest, Surroundings
from controller.runtime import bare_environment

PROGRAM = Path(render_child.__file__)


@dataclass(slots=True, eq=False)
class _Worker:
    process: asyncio.subprocess.Process
    transport: asyncio.SubprocessTransport  # closes the pipes, which the process itself does not offer
    told: Surroundings = NOWHERE  # the last ones that it got

    def is_gone(self) -> bool:
        """Tell whether it has ended, and close what is left of it."""
        if self.process.returncode is None:
            return False
        self.transport.close()
        return True


class RenderPool:
    """At most `size` workers. Its owner calls `close`; a pool that is closed starts no worker any more."""

    def __init__(self, *, size: int, deadline_seconds: float = 120.0, idle_seconds: float = 5.0) -> None:
        self._places = asyncio.Semaphore(size)
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._ended: set[_Worker] = set()  # killed, and not yet seen to be gone
        self._deadline_seconds = deadline_seconds
        self._idle_seconds = idle_seconds
        self._rest: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def workers(self) -> int:
        """How many workers there are now."""
        return len(self._idle) + len(self._busy)

    async def render(self, request: RenderRequest) -> Rendered:
        """Render in a worker. Raises what `render` raises, and Transient where the worker is lost or too slow.

        What is prepared crosses to it, so none of it may be a Secret.
        """
        async with self._places:
            worker = await self._take()
            try:
                async with asyncio.timeout(self._deadline_seconds):
                    answer = await _ask(worker, request)
            except (EOFError, ConnectionError) as error:
                self._end(worker)
                raise Transient(f"{request.placement}: the process that rendered it ended: out of memory?") from error
            except TimeoutError as error:
                self._end(worker)
                raise Transient(
                    f"{request.placement}: rendering took longer than {self._deadline_seconds:g} s"
                ) from error
            except BaseException:
                self._end(worker)  # what it does now nobody will read
                raise
            self._give_back(worker)
        if isinstance(answer, ConvergeError | Needed):
            raise answer
        if not isinstance(answer, Rendered):
            raise RuntimeError(f"a render crashed in its worker:\n{answer}")  # noqa: TRY004  it is a traceback
        return answer

    async def close(self) -> None:
        """End every worker, whatever it does, and wait until they are gone."""
        self._is_closed = True
        self._end_idle()
        for worker in list(self._busy):
            self._end(worker)
        for worker in self._ended:
            worker.transport.close()  # first: asyncio's wait() waits for the pipes too, also for one that nobody reads
            await worker.process.wait()
        self._ended.clear()

    async def _take(self) -> _Worker:
        if self._has_closed():
            raise Transient("the controller is stopping")
        if self._rest is not None:
            self._rest.cancel()
        self._ended = {one for one in self._ended if not one.is_gone()}
        while self._idle:
            worker = self._idle.pop()
            if worker.process.returncode is None:
                self._busy.add(worker)
                return worker
            self._end(worker)
        worker = await _start()
        self._busy.add(worker)
        if not self._has_closed():
            return worker
        self._end(worker)
        await worker.process.wait()
        worker.transport.close()
        raise Transient("the controller is stopping")

    def _has_closed(self) -> bool:
        """Tell whether the pool was closed meanwhile: an `await` lies between two looks."""
        return self._is_closed

    def _give_back(self, worker: _Worker) -> None:
        self._busy.discard(worker)
        self._idle.append(worker)
        if not self._busy:
            self._rest = asyncio.get_running_loop().call_later(self._idle_seconds, self._end_idle)

    def _end_idle(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        while self._idle:
            self._end(self._idle.pop())

    def _end(self, worker: _Worker) -> None:
        self._busy.discard(worker)
        self._ended.add(worker)
        with suppress(ProcessLookupError):
            worker.process.kill()


async def _start() -> _Worker:
    loop = asyncio.get_running_loop()
    try:
        transport, protocol = await loop.subprocess_exec(
            lambda: asyncio.subprocess.SubprocessStreamProtocol(limit=1 << 20, loop=loop),
            sys.executable,
            "-P",  # the program's folder is no place to import from: it has a `queue` of its own
            str(PROGRAM),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=None,
            env=bare_environment({"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}),
            start_new_session=True,
        )
    except OSError as error:
        raise Transient(f"no process to render in can be started: {error.strerror}") from error
    return _Worker(asyncio.subprocess.Process(transport, protocol, loop), transport)


async def _ask(worker: _Worker, request: RenderRequest) -> Any:
    stdin, stdout = worker.process.stdin, worker.process.stdout
    assert stdin is not None  # noqa: S101  both were asked for
    assert stdout is not None  # noqa: S101
    # They name every application of the platform, and are the same for all: sent with each, they would be most of it.
    is_known = worker.told is request.surroundings
    stdin.write(frame_of((replace(request, surroundings=NOWHERE), None if is_known else request.surroundings)))
    worker.told = request.surroundings
    await stdin.drain()
    head = await stdout.readexactly(LENGTH.size)
    return pickle.loads(await stdout.readexactly(LENGTH.unpack(head)[0]))  # noqa: S301  both ends are ours
