"""`pages/<environment>/<application>.md`: what people open on the forge about one application in one environment. Pure.

State per target, what it waits for, drift, topology, the last versions. Made from the records alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from controller.model import GroupRef
from controller.records.badges import VERSION_LENGTH
from controller.records.markdown import link, plain
from controller.records.paths import badge_path, status_path
from controller.records.topology import topology

Record = Mapping[str, Any]
UP: Final = "../.."
MOST_DRIFT: Final = 50


def page(group: GroupRef, status: Record, instances: Sequence[Record]) -> bytes:
    """Write a group's page. `instances` are those of one of its targets."""
    parts = (
        f"# {plain(str(group))}\n",
        f"![{plain(str(group))}]({UP}/{link(badge_path(group, 'svg'))})\n",
        *_table(
            ("Target", "Sync", "Health", "Version", "Since", "Why"), [_target(one) for one in status["placements"]]
        ),
        *_section("Waits", ("Target", "For", "Whom", "Since", "Until"), list(_waits(status))),
        *_section("Applied by hand", ("Target", "Version", "When", "By", "Why", "Despite"), list(_hands(status))),
        *_section("Drift", ("Target", "Object", "Field", "Git says", "It was", "By", "When", ""), list(_drift(status))),
        *_chart(instances),
        *_section("Versions", ("Version", "Since", "What", "By"), list(map(_version, status.get("versions", ())))),
        f"[All objects]({UP}/{link(status_path(group))}) · [overview]({UP}/README.md)\n",
    )
    return "\n".join(parts).encode()


def _section(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if rows:
        yield f"## {title}\n"
        yield from _table(heads, rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    lines = [" | ".join(heads), " | ".join("---" for _ in heads), *(" | ".join(row) for row in rows)]
    yield "\n".join([*(f"| {line} |" for line in lines), ""])


def _target(one: Record) -> tuple[str, ...]:
    applied = one.get("applied") or {}
    state = (one["sync"], one["health"]) if one["lifecycle"] == "active" else ("retired", "")
    return (
        plain(one["target"]),
        *state,
        _short(applied.get("application", "")),
        _moment(one["since"]),
        plain(one.get("reason", "")),
    )


def _waits(status: Record) -> Iterator[tuple[str, ...]]:
    for one in status["placements"]:
        for wait in one.get("waits", ()):
            whom = ", ".join(plain(each) for each in wait.get("whom", ()))
            until = _moment(wait["until"]) if "until" in wait else ""
            yield plain(one["target"]), plain(wait["what"]), whom, _moment(wait["since"]), until


def _hands(status: Record) -> Iterator[tuple[str, ...]]:
    for one in status["placements"]:
        if hand := one.get("byHand"):
            by, why, despite = plain(hand["by"]), plain(hand["why"]), plain(", ".join(hand.get("despite", ())))
            yield plain(one["target"]), _short(hand["application"]), _moment(hand["at"]), by, why, despite


def _drift(status: Record) -> Iterator[tuple[str, ...]]:
    found = [(one, drift) for one in status["placements"] for drift in one.get("drift", ())]
    for one, drift in found[:MOST_DRIFT]:
        where = f"{drift['kind']} {drift['namespace']}/" if drift.get("namespace") else f"{drift['kind']} "
        yield (
            plain(one["target"]),
            plain(f"{where}{drift['name']}"),
            plain(drift["field"]),
            _value(drift, "desired"),
            _value(drift, "live"),
            plain(drift.get("manager", "")),
            _moment(drift["time"]) if "time" in drift else "",
            "put back" if drift["corrected"] else "as it is",
        )


def _value(drift: Record, name: str) -> str:
    return plain(str(drift[name]), limit=60) if name in drift else "*nothing*"


def _chart(instances: Sequence[Record]) -> Iterator[str]:
    if chart := topology(instances):
        yield "## Topology\n"
        yield f"{chart}\n"


def _version(one: Record) -> tuple[str, ...]:
    author = plain(one.get("author", ""), limit=40)
    return _short(one["application"]), _moment(one["since"]), plain(one.get("subject", "")), author


def _short(commit: str) -> str:
    return f"`{commit[:VERSION_LENGTH]}`" if commit else ""


def _moment(time: str) -> str:
    return f"{time[:10]} {time[11:16]}"
