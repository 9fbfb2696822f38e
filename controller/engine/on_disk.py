"""What a controller keeps on disk so that its next start is short: renders, and what records say.

Both are memos of pure functions, held by digests of all that they depend on, the build included: whatever moved between
stop and start is simply not found. They are written behind the work, in batches, and may be deleted at any time.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from controller.engine.kept_renders import FORMAT, KeptRenders
from controller.records import remember_on
from controller.runtime import Clock, Shelf

SAVE_SECONDS: Final = 5.0


class OnDisk:
    """Of one platform: its files are named after its mirror. `run` writes what is new, until `close`."""

    def __init__(self, folder: Path, name: str) -> None:
        self._renders = Shelf(folder / f"{name}-renders.db", FORMAT)
        self._records = Shelf(folder / f"{name}-records.db", "records 2")
        self.renders = KeptRenders(self._renders)

    async def run(self, clock: Clock) -> None:
        """Write what is new, for ever."""
        remember_on(self._records)
        while True:
            await clock.sleep(SAVE_SECONDS)
            for shelf in (self._renders, self._records):
                if shelf.has_news:
                    await asyncio.to_thread(shelf.save)

    def close(self) -> None:
        """Write what is left, and let go of the files."""
        remember_on(None)
        self._renders.close()
        self._records.close()
