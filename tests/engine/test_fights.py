from hypothesis import given
from hypothesis import strategies as st

from controller.engine.backoff import LONGEST_SECONDS, backoff_seconds
from controller.engine.fights import LONGEST_PAUSE_SECONDS, Fight, corrected


def test_a_single_correction_is_never_damped() -> None:
    assert not corrected(Fight(last=100.0), 100.0).is_damped(100.0)


def test_corrections_every_second_are_damped_soon() -> None:
    fight = Fight(last=0.0)
    for second in range(10):
        fight = corrected(fight, float(second))
    assert fight.is_damped(9.0)


def test_corrections_every_ten_minutes_are_never_damped() -> None:
    fight = Fight(last=0.0)
    for minute in range(0, 600, 10):
        fight = corrected(fight, minute * 60.0)
        assert not fight.is_damped(minute * 60.0)


def test_a_fight_that_goes_on_pauses_for_longer_and_never_beyond_the_longest() -> None:
    fight, now, pauses = Fight(last=0.0), 0.0, []
    for _ in range(60):
        fight = corrected(fight, now)
        if fight.is_damped(now):
            pauses.append(fight.until - now)
        now = max(now + 1.0, fight.until)
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


@given(failures=st.integers(1, 10_000), chance=st.floats(0, 0.999), least=st.floats(0, 1000))
def test_backoff_stays_within_its_bounds(failures: int, chance: float, least: float) -> None:
    seconds = backoff_seconds(failures, chance=chance, at_least_seconds=least)
    assert least <= seconds <= max(least, LONGEST_SECONDS)
    assert seconds >= 0.5
