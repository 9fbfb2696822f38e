"""When a workspace is looked at again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controller.targets.terraform.cloud import SHORTEST_SECONDS, SLOWEST, pause_after

SECONDS = st.floats(min_value=0, max_value=1e5)
CHANCE = st.floats(min_value=0, max_value=1, exclude_max=True)


@given(SECONDS, SECONDS, CHANCE)
def test_a_pause_is_the_interval_jittered_by_a_tenth_and_three_times_what_the_look_took(
    took: float, interval: float, chance: float
) -> None:
    pause = pause_after(took, interval, chance=chance)
    middle = interval + SLOWEST * took
    assert pause >= SHORTEST_SECONDS
    assert pause == SHORTEST_SECONDS or 0.9 * middle <= pause <= 1.1 * middle * (1 + 1e-9)


def test_workspaces_that_were_looked_at_together_part() -> None:
    pauses = [pause_after(0.5, 600, chance=number / 100) for number in range(100)]
    assert max(pauses) - min(pauses) > 100
