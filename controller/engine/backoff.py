"""How long to wait before a placement is tried again. Pure: chance is an argument."""

from __future__ import annotations

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 300.0


def backoff_seconds(failures: int, *, chance: float, at_least_seconds: float = 0.0) -> float:
    """Give the wait after the `failures`th failure in a row (1, 2, …), with full jitter of its upper half.

    `chance` lies in [0, 1). Doubling from one second to five minutes; never before what the server asked for.
    """
    ceiling: float = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 16))
    return max(at_least_seconds, ceiling * (0.5 + 0.5 * chance))
