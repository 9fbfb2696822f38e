"""How the C library keeps memory: what was freed goes back to the system, so that a burst leaves no mark.

Without this each thread allocates in an arena of its own, which it leaves half empty; the size from which on a block is
mapped by itself grows with the first large one that is freed; and what is free between two live blocks stays ours.
Only glibc knows these calls: elsewhere nothing is done.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Final

from controller.runtime.clock import Clock

# glibc malloc/malloc.h
M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
SETTINGS: Final = {M_ARENA_MAX: 1, M_MMAP_THRESHOLD: 128 << 10, M_TRIM_THRESHOLD: 512 << 10}
GIVING_BACK_SECONDS: Final = 10.0


def keep_small_heap() -> bool:
    """Have one arena, before threads begin; tell whether the C library took it."""
    library = _library()
    return library is not None and min(library.mallopt(*one) for one in SETTINGS.items()) == 1


async def stay_small(clock: Clock) -> None:
    """Return what is free to the system, for ever: some milliseconds each time, for a heap of 100 MB."""
    library = _library()
    while library is not None:
        await clock.sleep(GIVING_BACK_SECONDS)
        library.malloc_trim(0)


@cache
def _library() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None
