from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model import Health, SyncStatus
from controller.records import Badge, Colour, application_badge, summary_badge, tally
from controller.records.badges import LABEL, colour_of, endpoint, svg
from controller.records.widths import width

SVG = "{http://www.w3.org/2000/svg}"


def luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", [*(shade for one in Colour for shade in one.value), *LABEL])
def test_white_text_is_readable_on_every_colour(colour: str) -> None:
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5, "WCAG 2 AA for small text"


@pytest.mark.parametrize(
    ("sync", "health", "colour"),
    [
        ("Synced", "Healthy", Colour.GREEN),
        ("Synced", "Degraded", Colour.RED),
        ("Failed", "Healthy", Colour.RED),
        ("Drifted", "Healthy", Colour.ORANGE),
        ("Pending", "Progressing", Colour.ORANGE),
        ("Synced", "Missing", Colour.ORANGE),
        ("AwaitingApproval", "Healthy", Colour.AMBER),
        ("Syncing", "Progressing", Colour.BLUE),
        ("Synced", "Progressing", Colour.BLUE),
        ("Unknown", "Healthy", Colour.GREY),
        ("Synced", "Unknown", Colour.GREY),
        ("Suspended", "Suspended", Colour.GREY),
        ("Unknown", "Degraded", Colour.RED),
    ],
)
def test_a_colour_is_that_of_the_half_that_needs_more_attention(sync: str, health: str, colour: Colour) -> None:
    assert colour_of(SyncStatus(sync), Health(health)) is colour


@pytest.mark.parametrize("sync", SyncStatus)
@pytest.mark.parametrize("health", Health)
def test_only_what_is_synced_and_healthy_is_green(sync: SyncStatus, health: Health) -> None:
    is_green = colour_of(sync, health) is Colour.GREEN
    assert is_green == (sync is SyncStatus.SYNCED and health is Health.HEALTHY)


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.sampled_from(Colour),
)
def test_every_text_makes_a_picture_with_a_title(label: str, message: str, colour: Colour) -> None:
    root = ET.fromstring(svg(Badge(label, message, colour)))
    title = root.find(f"{SVG}title")
    assert title is not None
    assert (root.get("role"), root.get("aria-label")) == ("img", title.text)
    for text in root.iter(f"{SVG}text"):
        assert float(text.get("x", "")) + float(text.get("textLength", "")) <= float(root.get("width", ""))
    assert not list(root.iter(f"{SVG}script"))


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_is_as_wide_as_its_parts(one: str, other: str) -> None:
    assert abs(width(one) + width(other) - width(one + other)) <= 1


@pytest.mark.parametrize(
    ("text", "pixels"), [("", 0), ("iiii", 13), ("WWWW", 44), ("Synced", 41), ("生产", 22), ("e\u0301", 7)]
)
def test_widths_are_those_of_the_type(text: str, pixels: int) -> None:
    assert width(text) == pixels


def test_the_endpoint_is_what_shields_takes() -> None:
    found = json.loads(endpoint(Badge("prod/shop", "Failed", Colour.RED)))
    assert found == {
        "schemaVersion": 1,
        "label": "prod/shop",
        "message": "Failed",
        "color": "#cf222e",
        "isError": True,
        "cacheSeconds": 300,
    }


def app(sync: str, health: str, **attributes: Any) -> dict[str, Any]:
    observed = {"sync": sync, "health": health}
    return {"identity": {"key": "prod/shop"}, "observed": observed, "attributes": attributes, "lifecycle": "active"}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (app("Synced", "Healthy", version="3c9e1a2f" * 5), "Synced · Healthy · 3c9e1a2"),
        (app("Unknown", "Unknown"), "Unknown"),
        (
            app("Syncing", "Progressing", version="a" * 40, versions=["a" * 40, "b" * 40]),
            "Syncing · Progressing · 2 versions",
        ),
        ({**app("Synced", "Missing"), "lifecycle": "retired"}, "retired"),
    ],
)
def test_an_application_s_badge_says_sync_health_and_version(record: dict[str, Any], message: str) -> None:
    assert application_badge(record).message == message


def test_a_summary_counts_states_worst_first() -> None:
    states = [
        (SyncStatus.SYNCED, Health.HEALTHY),
        (SyncStatus.SYNCED, Health.HEALTHY),
        (SyncStatus.SYNCED, Health.DEGRADED),
        (SyncStatus.DRIFTED, Health.HEALTHY),
    ]
    badge = summary_badge("prod", states)
    assert (badge.message, badge.colour) == ("1 Degraded, 1 Drifted, 2 Synced", Colour.RED)


def test_a_summary_of_nothing_claims_nothing() -> None:
    assert summary_badge("prod", []) == Badge("prod", "no applications", Colour.GREY)


def placements(**states: str) -> list[dict[str, str]]:
    return [{"target": name, "sync": sync, "lifecycle": "active"} for name, sync in states.items()]


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ({}, ""),
        ({"hz": "Failed"}, ""),
        ({"hz": "Synced", "sh": "Synced"}, ""),
        ({**{f"t{number}": "Synced" for number in range(49)}, "hz-07": "Unknown"}, "49 of 50 Synced, hz-07 Unknown"),
        ({"a": "Synced", "b": "Failed", "c": "Pending"}, "1 of 3 Synced, b Failed, c Pending"),
        ({"a": "Synced", "b": "Pending", "c": "Pending", "d": "Failed"}, "1 of 4 Synced, 1 Failed, 2 Pending"),
    ],
)  # fmt: skip
def test_targets_that_differ_are_counted_and_named(states: dict[str, str], said: str) -> None:
    assert tally(placements(**states)) == said


def test_a_badge_of_many_targets_says_how_many_are_synced() -> None:
    record = {"identity": {"key": "prod/shop"}, "lifecycle": "active", "attributes": {"version": "0123456789"},
              "observed": {"sync": "Unknown", "health": "Unknown"}}  # fmt: skip
    badge = application_badge(record, placements(hz="Synced", sh="Unknown"))
    assert badge.message == "1 of 2 Synced, sh Unknown · 0123456"
    assert badge.colour is Colour.GREY
