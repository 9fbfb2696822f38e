"""The index of a records branch: a SQLite file that is a cache, and says at which commit it stands."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import orjson

from controller.engine.query.facts import attributes, relations
from controller.engine.query.language import Query
from controller.engine.query.selecting import select
from controller.model import CommitId
from controller.records import parse_key

Record: TypeAlias = Mapping[str, Any]

VERSION: Final = "3"  # of the tables: raise it when they change
TOGETHER: Final = 500  # records that are added at once
SCHEMA: Final = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE instance(
    id INTEGER PRIMARY KEY, file TEXT NOT NULL UNIQUE, place TEXT NOT NULL,
    "key" TEXT NOT NULL, uuid TEXT NOT NULL, model TEXT NOT NULL, kind TEXT NOT NULL, "group" TEXT NOT NULL,
    name TEXT NOT NULL, environment TEXT NOT NULL, application TEXT NOT NULL, target TEXT NOT NULL,
    namespace TEXT NOT NULL, sync TEXT NOT NULL, health TEXT NOT NULL, lifecycle TEXT NOT NULL, since TEXT NOT NULL,
    drift TEXT NOT NULL, repository TEXT NOT NULL, path TEXT NOT NULL, "commit" TEXT NOT NULL, author TEXT NOT NULL,
    record BLOB NOT NULL);
CREATE TABLE attribute(instance INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, number REAL);
CREATE TABLE relation(
    instance INTEGER NOT NULL, type TEXT NOT NULL, place TEXT NOT NULL, kind TEXT NOT NULL, "group" TEXT NOT NULL,
    namespace TEXT NOT NULL, name TEXT NOT NULL);
"""
# One step per name through the index, where DISTINCT would go through all of its rows.
NAMES: Final = """
WITH RECURSIVE known(name) AS (
    SELECT min(name) FROM attribute
    UNION ALL SELECT (SELECT min(name) FROM attribute WHERE name > known.name) FROM known WHERE known.name IS NOT NULL)
SELECT name FROM known WHERE name IS NOT NULL
"""
INDEXES: Final = {
    "instance_place": "instance(place)",
    "instance_kind": "instance(kind COLLATE NOCASE, name)",
    "attribute_name": "attribute(name, value, number, instance)",  # all that a term asks for
    "attribute_instance": "attribute(instance)",
    "relation_place": "relation(place)",
    "relation_kind": "relation(kind COLLATE NOCASE, name)",
    "relation_instance": "relation(instance)",
}


class Index:
    """`with Index(path) as index`: instances at one commit. Raises OSError, sqlite3.Error for a file that is none."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, isolation_level=None, timeout=60.0, check_same_thread=False)
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = OFF")  # a cache: after a crash it is made anew
            if self._meta("version") != VERSION:
                self._make()
        except BaseException:
            self._database.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    @property
    def commit(self) -> CommitId | None:
        """The commit that it stands at; None for an index of nothing yet."""
        text = self._meta("commit")
        return CommitId(text) if text else None

    def update(self, files: Iterable[tuple[str, Record | None]], commit: CommitId) -> None:
        """Take files as they are at a commit, by path; None for what is gone. All of it or nothing."""
        self._take(files, commit, is_whole=False)

    def replace(self, files: Iterable[tuple[str, Record | None]], commit: CommitId) -> None:
        """Take all files as they are at a commit, and forget what was known."""
        self._take(files, commit, is_whole=True)

    def _take(self, files: Iterable[tuple[str, Record | None]], commit: CommitId, *, is_whole: bool) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            if is_whole:
                self._empty()
            number = self._last()
            for some in _together(files):
                if not is_whole:
                    for path, _ in some:
                        self._forget(path)
                new = [(path, record) for path, record in some if record is not None]
                self._add(new, number)
                number += len(new)
            for name, columns in INDEXES.items():
                self._database.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {columns}")
            self._database.execute("INSERT OR REPLACE INTO meta VALUES ('commit', ?)", (commit,))
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def find(self, query: Query) -> Iterator[Record]:
        """Give the records that a query takes, by key. Raises Stalled for a field that no instance has."""
        statement, values = select(query, self.attribute_names)
        for (record,) in self._database.execute(statement, values):
            yield orjson.loads(record)

    def attribute_names(self) -> frozenset[str]:
        return frozenset(name for (name,) in self._database.execute(NAMES))

    def copy_to(self, path: Path) -> None:
        """Make another index of the same content, for another commit."""
        other = sqlite3.connect(path)
        try:
            self._database.backup(other)
        finally:
            other.close()

    def _meta(self, name: str) -> str:
        try:
            found = self._database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        except sqlite3.OperationalError:  # no such table: it is new
            return ""
        return found[0] if found else ""

    def _make(self) -> None:
        for (name,) in self._database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            self._database.execute(f'DROP TABLE "{name}"')
        self._database.executescript(SCHEMA)
        self._database.execute("INSERT INTO meta VALUES ('version', ?)", (VERSION,))

    def _empty(self) -> None:
        """Forget everything; the indexes too, which are made faster at once than row by row."""
        for name in INDEXES:
            self._database.execute(f"DROP INDEX IF EXISTS {name}")
        for table in ("attribute", "relation", "instance"):
            self._database.execute(f"DELETE FROM {table}")  # noqa: S608 - three names

    def _forget(self, path: str) -> None:
        found = self._database.execute("SELECT id FROM instance WHERE file = ?", (path,)).fetchone()
        if found:
            for table in ("attribute", "relation"):
                self._database.execute(f"DELETE FROM {table} WHERE instance = ?", found)  # noqa: S608 - two names
            self._database.execute("DELETE FROM instance WHERE id = ?", found)

    def _last(self) -> int:
        (number,) = self._database.execute("SELECT coalesce(max(id), 0) FROM instance").fetchone()
        return int(number)

    def _add(self, files: Sequence[tuple[str, Record]], last: int) -> None:
        """Add records, numbered from the one after the last."""
        numbered = list(enumerate(files, start=last + 1))
        self._insert("instance", [(number, *_columns(path, record)) for number, (path, record) in numbered])
        self._insert("attribute", [(number, *one) for number, (_, record) in numbered for one in attributes(record)])
        self._insert(
            "relation",
            [
                (number, kind, to.place, to.kind, to.group, to.namespace, to.name)
                for number, (_, record) in numbered
                for kind, to in relations(record)
            ],
        )

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self._database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - three names


def _together(files: Iterable[tuple[str, Record | None]]) -> Iterator[list[tuple[str, Record | None]]]:
    rest = iter(files)
    while some := list(islice(rest, TOGETHER)):
        yield some


def _columns(path: str, record: Record) -> tuple[Any, ...]:
    """Give the columns of `instance` in their order, but for its number."""
    key = parse_key(record["identity"]["key"])
    observed, provenance = record["observed"], record.get("provenance", {})
    return (
        path,
        key.place,
        record["identity"]["key"],
        record["identity"]["id"],
        record["model"],
        key.kind,
        key.group,
        record["name"],
        key.environment,
        key.application,
        key.target,
        key.namespace,
        observed["sync"],
        observed["health"],
        record["lifecycle"],
        observed["since"],
        "\n".join(observed.get("drift", ())),
        *(provenance.get(name, "") for name in ("repository", "path", "commit", "author")),
        orjson.dumps(record),
    )
