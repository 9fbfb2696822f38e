"""An application's objects and what they have to do with each other, as a Mermaid chart: forges draw those. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from controller.model import Health, SyncStatus
from controller.records.badges import Colour, colour_of
from controller.records.identity import parse_key

LONGEST: Final = 80  # characters of a name
MOST: Final = 60  # objects; a chart of more says nothing
_HIDDEN: Final = frozenset({"partOf", "runsOn"})  # to the application and the target: every object has those
_CLASSES: Final = {colour: colour.name.lower() for colour in Colour}
_UNFIT = re.compile(r"[^\w\-./:@ ]")
_STATEMENT = re.compile(r"direction\s")  # which Mermaid finds inside of quotes too

Record = Mapping[str, Any]


def topology(records: Sequence[Record]) -> str:
    """Give the chart of a placement's instances, as a Markdown block; "" where there is nothing to show."""
    active = sorted((one for one in records if one["lifecycle"] == "active"), key=lambda one: one["identity"]["key"])
    edges = sorted(_edges(active))
    ends = {end for source, _, target in edges for end in (source, target)}
    ranked = sorted(active, key=lambda one: (_place(one) not in ends, one["identity"]["key"]))
    shown = {_place(one): one for one in ranked[:MOST]}
    named = sorted({end for edge in edges for end in (edge[0], edge[2])} - shown.keys())[: MOST - len(shown)]
    names = {place: f"n{number}" for number, place in enumerate(sorted({*shown, *named}))}
    if not shown:
        return ""
    lines = ["```mermaid", "flowchart LR", *_nodes(names, shown)]
    lines += [
        f"  {names[source]} -->|{kind}| {names[target]}"
        for source, kind, target in edges
        if source in names and target in names
    ]
    lines += [f"  classDef {name} fill:{colour.value[0]},color:#fff" for colour, name in _CLASSES.items()]
    more = len(active) - len(shown)
    return "\n".join([*lines, "```", *([f"\n…and {more} objects more."] if more > 0 else [])])


def chart_text(text: str) -> str:
    """Write a text for a quoted label of a Mermaid chart: as entities (`#34;`) what could be anything else."""
    shown = "".join(one if one.isprintable() else "·" for one in text)
    escaped = _UNFIT.sub(lambda found: f"#{ord(found[0])};", shown)
    return escaped.replace(" ", "#32;") if _STATEMENT.search(escaped) else escaped


def _edges(records: Sequence[Record]) -> Iterator[tuple[str, str, str]]:
    for one in records:
        for relation in one["relations"]:
            target = parse_key(relation["target"])
            if relation["type"] not in _HIDDEN and target.name and target.target:
                yield _place(one), relation["type"], target.place


def _place(record: Record) -> str:
    return parse_key(record["identity"]["key"]).place


def _nodes(names: Mapping[str, str], shown: Mapping[str, Record]) -> Iterator[str]:
    for place, name in names.items():
        key = parse_key(place)
        label = f"{chart_text(key.kind[:LONGEST])}<br>{chart_text(key.name[:LONGEST])}"
        record = shown.get(place)
        if record is None:
            yield f'  {name}["{label}"]'
        else:
            state = SyncStatus(record["observed"]["sync"]), Health(record["observed"]["health"])
            yield f'  {name}["{label}"]:::{_CLASSES[colour_of(*state)]}'
