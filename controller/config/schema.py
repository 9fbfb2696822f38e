"""The JSON Schemas that ship with the package: the one source of what an interface file may say."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from controller.documents import decode
from controller.model import JsonValue

KINDS = ("Platform", "Environment", "Application", "HealthRule", "Model")


@cache
def schemas() -> Mapping[str, dict[str, JsonValue]]:
    """Give the JSON Schema (draft 2020-12) of each kind of interface file. Nobody may change them."""
    return MappingProxyType({kind: _load(kind) for kind in KINDS})


def _load(kind: str) -> dict[str, JsonValue]:
    value = decode(resources.files(__package__).joinpath("schemas", f"{kind.lower()}.json").read_bytes())
    if not isinstance(value, dict):
        raise TypeError(f"the schema of {kind} is no mapping")
    return value
