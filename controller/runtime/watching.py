"""Local folders that call back when something in them changes.

One watchdog observer for the process (each costs three threads). Watch a folder, not a file: a mounted ConfigMap
changes by a move of `..data` beside the files, which a watch on the file itself never sees.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from watchdog.events import FileSystemEvent, FileSystemEventHandler

from controller.model import Stalled

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

CHANGES = frozenset({"created", "modified", "moved", "deleted", "closed"})  # not "opened": reading is no change


class Watcher:
    """Use as `with Watcher() as watcher:` inside the event loop; callbacks run on that loop."""

    def __enter__(self) -> Self:
        from watchdog.observers import Observer  # noqa: PLC0415 - loads inotify: not for `converge --help`

        self._loop = asyncio.get_running_loop()
        self._observer: BaseObserver = Observer()
        self._observer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._observer.stop()
        self._observer.join(timeout=5.0)

    def watch(self, path: Path, callback: Callable[[], None], *, is_recursive: bool = False) -> Callable[[], None]:
        """Call back after changes in a folder: once for a burst. Gives a function that ends it.

        Raises Stalled where the folder isn't there or the machine's watches are used up; polling still works then.
        """
        handler = _Coalescing(self._loop, callback)
        try:
            watch = self._observer.schedule(handler, str(path), recursive=is_recursive)
        except OSError as error:
            raise Stalled(
                f"{path} can't be watched ({error.strerror}). Check that the folder exists and that "
                "fs.inotify.max_user_watches and max_user_instances are large enough"
            ) from error

        def end() -> None:
            handler.is_over = True
            self._observer.remove_handler_for_watch(handler, watch)

        return end


@dataclass(eq=False)
class _Coalescing(FileSystemEventHandler):
    """Carries events from the observer's thread to the loop, one call for all that came before it ran."""

    loop: asyncio.AbstractEventLoop
    callback: Callable[[], None]
    is_scheduled: bool = False
    is_over: bool = False

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in CHANGES and not self.is_scheduled and not self.loop.is_closed():
            self.is_scheduled = True
            self.loop.call_soon_threadsafe(self._run)

    def _run(self) -> None:
        self.is_scheduled = False
        if not self.is_over:
            self.callback()
