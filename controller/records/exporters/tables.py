"""CSV: a table per model, a row per instance (RFC 4180, but lines end with LF, as git likes them)."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Final

from controller.documents import canonical
from controller.model import JsonValue
from controller.records.exporters.protocol import Exporter, Instance
from controller.records.exporters.settings import Settings
from controller.records.paths import model_segment

FIRST: Final = ("key", "id", "name", "environment", "application", "target", "namespace", "sync", "health", "since")
ORIGIN: Final = ("repository", "path", "line", "commit", "author")
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet takes a cell that begins so for a program


class Tables:
    def files(self, instances: Sequence[Instance]) -> Mapping[str, bytes]:
        models: dict[str, list[Instance]] = {}
        for one in instances:
            models.setdefault(one.model, []).append(one)
        return {f"{model_segment(model)}.csv": _table(members) for model, members in sorted(models.items())}


def _table(instances: Sequence[Instance]) -> bytes:
    names = sorted({name for one in instances for name in one.attributes} - {*FIRST, *ORIGIN})
    kinds = sorted({relation.type for one in instances for relation in one.relations})
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([*FIRST, *names, *kinds, *ORIGIN])
    for one in sorted(instances, key=lambda one: one.key):
        rows.writerow([_cell(value) for value in _values(one, names, kinds)])
    return text.getvalue().encode()


def _values(one: Instance, names: Sequence[str], kinds: Sequence[str]) -> list[JsonValue]:
    place = one.place
    where: list[JsonValue] = [place.environment, place.application, place.target, place.namespace]
    related: list[JsonValue] = [
        " ".join(sorted(each.target for each in one.relations if each.type == kind)) for kind in kinds
    ]
    return [
        *(one.key, one.id, one.name),
        *where,
        *(one.sync, one.health, one.since),
        *(one.attributes.get(name) for name in names),
        *related,
        *(one.provenance.get(name) for name in ORIGIN),
    ]


def _cell(value: JsonValue) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    text = value if isinstance(value, str) else canonical(value).decode()
    return f"'{text}" if text.startswith(FORMULA) else text


def exporter(settings: Mapping[str, JsonValue]) -> Exporter:
    Settings(settings).done()
    return Tables()
