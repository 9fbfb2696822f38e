"""Instances as people and other programs read them: a table, JSON, YAML, or a graph of their relations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from rich.cells import cell_len

from controller.records import chart_text, parse_key

Record = Mapping[str, Any]

COLUMNS = ("kind", "name", "where", "sync", "health", "since")
KEY_PARTS = {"environment": 0, "application": 1, "target": 2, "namespace": 3}


def show(found: Sequence[Record], form: str, columns: Sequence[str]) -> Iterable[str]:
    """Give lines. `columns` are fields or attributes, for a table."""
    match form:
        case "json":
            return [orjson.dumps(found, option=orjson.OPT_INDENT_2).decode()]
        case "yaml":
            from controller.documents import write  # noqa: PLC0415

            return ["---\n" + write(dict(one)).decode().rstrip("\n") for one in found]
        case "dot":
            return _dot(found)
        case "mermaid":
            return _mermaid(found)
        case _:
            return _table(found, columns or COLUMNS)


def _table(found: Sequence[Record], columns: Sequence[str]) -> Iterator[str]:
    rows = [[_cell(one, column) for column in columns] for one in found]
    if not rows:
        return
    widths = [max(map(cell_len, column)) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        line = "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        yield line.rstrip()


def _cell(record: Record, column: str) -> str:
    key = record["identity"]["key"]
    if column == "kind":
        return str(record["model"]).partition(".")[0]
    if column == "where":
        return "/".join(key.split("/")[: 4 if len(key.split("/")) > 4 else -1])
    if column in KEY_PARTS:
        parts = key.split("/")
        return parts[KEY_PARTS[column]] if KEY_PARTS[column] < len(parts) else ""
    for source in (record, record["identity"], record["observed"], record.get("provenance", {}), record["attributes"]):
        for name in (column, f"{column}s"):
            if name in source:
                return _text(source[name])
    return ""


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_text(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return str(value)


def _edges(found: Sequence[Record]) -> Iterator[tuple[str, str, str]]:
    """Give each relation once; an object that the application only names is the one that another application has."""
    keys = {one["identity"]["key"] for one in found}
    by_place = {parse_key(key).place: key for key in sorted(keys)}
    for one in found:
        for relation in one["relations"]:
            target = relation["target"]
            yield one["identity"]["key"], relation["type"], by_place.get(parse_key(target).place, target)


def _label(key: str) -> str:
    parts = parse_key(key)
    whole = "/".join(filter(None, (parts.environment, parts.application, parts.target)))
    return whole if parts.model in ("Environment", "Application", "Target") else f"{parts.kind} {parts.name}"


def _nodes(found: Sequence[Record]) -> list[str]:
    edges = list(_edges(found))
    return sorted(
        {one["identity"]["key"] for one in found} | {end for source, _, target in edges for end in (source, target)}
    )


def _dot(found: Sequence[Record]) -> Iterator[str]:
    yield "digraph converge {"
    yield "  rankdir=LR; node [shape=box];"
    for key in _nodes(found):
        yield f"  {_quoted(key)} [label={_quoted(_label(key))}];"
    for source, kind, target in _edges(found):
        yield f"  {_quoted(source)} -> {_quoted(target)} [label={_quoted(kind)}];"
    yield "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _mermaid(found: Sequence[Record]) -> Iterator[str]:
    names = {key: f"n{number}" for number, key in enumerate(_nodes(found))}
    yield "flowchart LR"
    for key, name in names.items():
        yield f'  {name}["{chart_text(_label(key))}"]'
    for source, kind, target in _edges(found):
        yield f"  {names[source]} -->|{kind}| {names[target]}"
