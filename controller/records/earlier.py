"""Records as they lie on the branch: taken when they are as we write them, and otherwise as if they were not there.

A record that was edited by hand or is damaged is so written anew with the next transition, and stops nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from controller.config import Validator
from controller.documents import Dialect, blob_id, decode, read, read_plainly
from controller.model import Invalid, JsonValue
from controller.records.files import Files, Layered
from controller.records.memory import memory, saying

Earlier: TypeAlias = Mapping[str, Any]
NOTHING: Earlier = MappingProxyType({})
RETENTION: Final = timedelta(days=90)  # that the records of what is gone stay
KINDS = ("Status", "Instance", "PlatformStatus", "Review")


@cache
def schemas() -> Mapping[str, dict[str, JsonValue]]:
    """Give the JSON Schema (draft 2020-12) of each kind of record. Nobody may change them."""
    return MappingProxyType({kind: _load(kind) for kind in KINDS})


def _load(kind: str) -> dict[str, JsonValue]:
    value = decode(resources.files(__package__).joinpath("schemas", f"{kind.lower()}.json").read_bytes())
    if not isinstance(value, dict):
        raise TypeError(f"the schema of {kind} is no mapping")
    return value


def relation_types() -> tuple[str, ...]:
    """Name the types of relations that an instance record may have, in the order of the schema."""
    schema: Any = schemas()["Instance"]
    types: list[str] = schema["properties"]["relations"]["items"]["properties"]["type"]["enum"]
    return tuple(types)


@cache
def _validator(kind: str) -> Validator:
    return Validator(schemas()[kind])


def earlier(files: Files, path: str, kind: str) -> Earlier:
    """Read a record, `NOTHING` where there is none that could be ours. One that is known by its id is not read."""
    if isinstance(files, Layered):
        name = files.blob_id(path)
        if not name:
            return NOTHING
        known = memory().recall(kind, name)
        if known is not None:
            return known
    data = files.read(path)
    return NOTHING if data is None else recorded(data, kind, path)


def recorded(data: bytes, kind: str, path: str = "") -> Earlier:
    """Read a record's bytes, `NOTHING` where they could not be ours. `path` is for errors alone."""
    name = blob_id(data)
    known = memory().recall(kind, name)
    if known is not None:
        return known
    found = _read(data, path, kind)
    if found is not NOTHING and (said := saying(found)) is not None:
        memory().keep(kind, name, said)
    return found


def _read(data: bytes, path: str, kind: str) -> Earlier:
    value = read_plainly(data)
    if value is None:
        try:
            documents = read(data, path=path, dialect=Dialect.KUBERNETES)
        except Invalid:
            return NOTHING
        value = documents[0].value if len(documents) == 1 else None
    return value if isinstance(value, dict) and not _validator(kind).flaws(value) else NOTHING


def since(before: Earlier, now: str, **state: JsonValue) -> str:
    """Give the time since when a state holds: the earlier record's, when the state is the same."""
    if before.get("since") and all(before.get(name) == value for name, value in state.items()):
        return str(before["since"])
    return now


def is_long_ago(time: str, now: str) -> bool:
    """Tell whether what is gone since a time has been so for so long that its records go: their git history stays."""
    return datetime.fromisoformat(time) + RETENTION < datetime.fromisoformat(now)
