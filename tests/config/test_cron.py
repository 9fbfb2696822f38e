from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.config import CronError, is_open, openings, parse_cron
from controller.model import Window

CASES = json.loads((Path(__file__).parent / "cases" / "cron.json").read_text())


@pytest.mark.parametrize(("text", "moments"), CASES["right"].items())
def test_an_expression_names_its_minutes(text: str, moments: list[str]) -> None:
    assert all(parse_cron(text).names(datetime.fromisoformat(one)) for one in moments)


@pytest.mark.parametrize(("text", "moments"), CASES["not_then"].items())
def test_an_expression_names_no_other_minutes(text: str, moments: list[str]) -> None:
    assert not any(parse_cron(text).names(datetime.fromisoformat(one)) for one in moments)


@pytest.mark.parametrize("text", CASES["wrong"])
def test_what_names_no_time_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(CronError) as caught:
        parse_cron(text)
    assert caught.value.advice


@given(st.text(max_size=20))
def test_no_text_ends_in_another_error(text: str) -> None:
    with suppress(CronError):
        parse_cron(text)


NIGHTS = Window("0 22 * * 1-5", 6 * 3600, "Asia/Shanghai", allow=True)


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2026-11-20T21:59:59", False),
        ("2026-11-20T22:00:00", True),
        ("2026-11-21T03:59:59", True),
        ("2026-11-21T04:00:00", False),
        ("2026-11-21T22:30:00", False),  # a Saturday
    ],
)
def test_a_window_is_open_from_its_cron_for_as_long_as_it_says(local: str, expected: bool) -> None:  # noqa: FBT001
    now = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC)
    assert is_open(NIGHTS, now) is expected


def test_a_minute_that_the_clock_change_skips_opens_nothing() -> None:
    window = Window("30 2 * * *", 60, "Europe/Berlin", allow=True)
    day = datetime(2026, 3, 29, tzinfo=UTC)
    assert list(openings(window, since=day - timedelta(hours=12), until=day + timedelta(hours=12))) == []


def test_a_minute_that_comes_twice_opens_once() -> None:
    window = Window("30 2 * * *", 60, "Europe/Berlin", allow=True)
    day = datetime(2026, 10, 25, tzinfo=UTC)
    found = list(openings(window, since=day - timedelta(hours=12), until=day + timedelta(hours=12)))
    assert found == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC)]


@given(st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2026, 12, 31)), st.integers(60, 86_400))  # noqa: DTZ001
def test_a_window_is_open_exactly_after_its_openings(moment: datetime, seconds: int) -> None:
    window = Window("*/37 3-20 * * 1,3", seconds, "America/New_York", allow=True)
    now = moment.replace(tzinfo=UTC)
    expected = any(
        parse_cron(window.cron).names((now - timedelta(minutes=ago)).astimezone(ZoneInfo(window.zone)))
        for ago in range(seconds // 60 + 1)
        if (now - timedelta(minutes=ago)).replace(second=0, microsecond=0) > now - timedelta(seconds=seconds)
    )
    assert is_open(window, now) is expected
