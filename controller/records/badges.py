"""Badges: an SVG that we draw ourselves, so that no third party is asked, and a shields endpoint beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Final
from xml.sax.saxutils import escape

from controller.documents import canonical
from controller.model import Health, SyncStatus
from controller.records.status import RETIRED
from controller.records.widths import FONT_PIXELS, width

HEIGHT: Final = 20
PADDING: Final = 6
LONGEST: Final = 80  # characters on either side
VERSION_LENGTH: Final = 7
PARTS: Final = ("sync", "health", "version")
DRAWN: Final = 512  # badges that are kept as they were drawn last
NO_VERSION: Final = "none"
NAMED: Final = 2  # targets that differ are named up to so many
CACHE_SECONDS: Final = 300  # the least that shields takes


class Colour(Enum):
    """What a state looks like on a light page and on a dark one. White text on each is readable (4.5 to 1 at least)."""

    RED = ("#cf222e", "#da3633")
    ORANGE = ("#bc4c00", "#bd561d")
    AMBER = ("#8f5f00", "#9e6a03")
    GREY = ("#646b73", "#656c76")
    BLUE = ("#0969da", "#1f6feb")
    GREEN = ("#1a7f37", "#238636")


LABEL: Final = ("#424a53", "#3d444d")
_SYNC = {
    SyncStatus.FAILED: Colour.RED,
    SyncStatus.UNKNOWN: Colour.GREY,
    SyncStatus.SUSPENDED: Colour.GREY,
    SyncStatus.AWAITING_APPROVAL: Colour.AMBER,
    SyncStatus.SYNCING: Colour.BLUE,
    SyncStatus.DRIFTED: Colour.ORANGE,
    SyncStatus.PENDING: Colour.ORANGE,
    SyncStatus.SYNCED: Colour.GREEN,
}
_HEALTH = {
    Health.DEGRADED: Colour.RED,
    Health.UNKNOWN: Colour.GREY,
    Health.MISSING: Colour.ORANGE,
    Health.TERMINATING: Colour.BLUE,
    Health.PROGRESSING: Colour.BLUE,
    Health.SUSPENDED: Colour.GREY,
    Health.HEALTHY: Colour.GREEN,
}
_WORST_FIRST = tuple(Colour)


@dataclass(frozen=True, slots=True)
class Badge:
    label: str
    message: str
    colour: Colour

    def files(self, path: str) -> Mapping[str, bytes]:
        """Give the badge in both forms, by path."""
        return {f"{path}.svg": svg(self), f"{path}.json": endpoint(self)}


@lru_cache(maxsize=len(SyncStatus) * len(Health))
def colour_of(sync: SyncStatus, health: Health) -> Colour:
    """Give the colour of a state: of its two halves, the one that needs more attention."""
    return min(_SYNC[sync], _HEALTH[health], key=_WORST_FIRST.index)


def application_badge(record: Mapping[str, Any], placements: Sequence[Mapping[str, Any]] = ()) -> Badge:
    """Make the badge of an application in an environment from its instance record: sync, health, version.

    Of several placements, as its status has them, that differ it says how many are Synced, and which are not.
    """
    label = record["identity"]["key"]
    if record["lifecycle"] == RETIRED:
        return Badge(label, "retired", Colour.GREY)
    sync, health = SyncStatus(record["observed"]["sync"]), Health(record["observed"]["health"])
    words = [str(sync), *([] if str(health) == str(sync) else [str(health)])]
    if differing := tally(placements):
        words = [differing]
    return Badge(label, " · ".join((*words, *version_of(record))), colour_of(sync, health))


def part_badges(record: Mapping[str, Any]) -> Mapping[str, Badge]:
    """Make the badges of an application that tell one thing each: that of the version moves with the version alone."""
    if record["lifecycle"] == RETIRED:
        return {name: Badge(name, "retired", Colour.GREY) for name in PARTS}
    sync, health = SyncStatus(record["observed"]["sync"]), Health(record["observed"]["health"])
    version = " ".join(version_of(record)) or NO_VERSION
    return {
        "sync": Badge("sync", sync, _SYNC[sync]),
        "health": Badge("health", health, _HEALTH[health]),
        "version": Badge("version", version, Colour.BLUE if version != NO_VERSION else Colour.GREY),
    }


def tally(placements: Iterable[Mapping[str, Any]]) -> str:
    """Say how many placements of an application are Synced and what the others are; "" where all are the same."""
    active = [one for one in placements if one["lifecycle"] != RETIRED]
    others = [one for one in active if one["sync"] != SyncStatus.SYNCED]
    if len({one["sync"] for one in active}) < 2:
        return ""
    named = [f"{one['target']} {one['sync']}" for one in others]
    if len(others) > NAMED:
        counts = Counter(one["sync"] for one in others)
        named = [f"{counts[state]} {state}" for state in SyncStatus if counts[state]]
    return ", ".join((f"{len(active) - len(others)} of {len(active)} Synced", *named))


def version_of(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the short commit that runs; of targets that run several, how many."""
    attributes = record["attributes"]
    if attributes.get("versions"):
        return (f"{len(attributes['versions'])} versions",)
    return (attributes["version"][:VERSION_LENGTH],) if attributes.get("version") else ()


def summary_badge(label: str, states: Iterable[tuple[SyncStatus, Health]]) -> Badge:
    """Make the badge of an environment or of the fleet: how many applications are in which state, worst first."""
    counts: dict[str, int] = {}
    worst = Colour.GREEN
    for (sync, health), count in sorted(Counter(states).items(), key=lambda one: _rank(one[0])):
        word = str(sync) if sync is not SyncStatus.SYNCED or health is Health.HEALTHY else str(health)
        counts[word] = counts.get(word, 0) + count
        worst = min(worst, colour_of(sync, health), key=_WORST_FIRST.index)
    message = ", ".join(f"{count} {word}" for word, count in counts.items())
    return Badge(label, message or "no applications", worst if counts else Colour.GREY)


@lru_cache(maxsize=len(SyncStatus) * len(Health))
def _rank(state: tuple[SyncStatus, Health]) -> tuple[int, int, int]:
    sync, health = state
    return _WORST_FIRST.index(colour_of(sync, health)), tuple(SyncStatus).index(sync), tuple(Health).index(health)


@lru_cache(maxsize=DRAWN)
def endpoint(badge: Badge) -> bytes:
    """Write what shields.io reads at an `endpoint` URL."""
    light, _ = badge.colour.value
    return canonical(
        {
            "schemaVersion": 1,
            "label": _shortened(badge.label),
            "message": _shortened(badge.message),
            "color": light,
            "isError": badge.colour is Colour.RED,
            "cacheSeconds": CACHE_SECONDS,
        }
    )


@lru_cache(maxsize=DRAWN)
def svg(badge: Badge) -> bytes:
    """Draw a badge. `textLength` keeps every text inside of its box, whatever type the reader has."""
    label, message = _shortened(badge.label), _shortened(badge.message)
    left, right = width(label), width(message)
    middle, total = left + 2 * PADDING, left + right + 4 * PADDING
    title = escape(f"{label}: {message}", {'"': "&quot;"})
    light, dark = badge.colour.value
    lines = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="{HEIGHT}" role="img" aria-label="{title}">',
        f"<title>{title}</title>",
        "<style>",
        f".l{{fill:{LABEL[0]}}}.m{{fill:{light}}}text{{fill:#fff}}",
        f"@media(prefers-color-scheme:dark){{.l{{fill:{LABEL[1]}}}.m{{fill:{dark}}}}}",
        "</style>",
        f'<clipPath id="c"><rect width="{total}" height="{HEIGHT}" rx="4"/></clipPath>',
        '<g clip-path="url(#c)">',
        f'<rect class="l" width="{middle}" height="{HEIGHT}"/>',
        f'<rect class="m" x="{middle}" width="{total - middle}" height="{HEIGHT}"/>',
        "</g>",
        f'<g font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="{FONT_PIXELS}" aria-hidden="true">',
        _text(label, PADDING, left),
        _text(message, middle + PADDING, right),
        "</g></svg>",
    )
    return ("\n".join(lines) + "\n").encode()


def _text(text: str, left: int, pixels: int) -> str:
    return f'<text x="{left}" y="14" textLength="{pixels}" lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'


def _shortened(text: str) -> str:
    """Give a text of one line that XML can hold and a badge has room for."""
    plain = "".join(one if one.isprintable() else " " for one in text)
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}…"
