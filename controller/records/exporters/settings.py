"""Reads an exporter's settings. What is wrong with them is a ValueError with the setting's name."""

from __future__ import annotations

from collections.abc import Mapping

from controller.model import JsonValue


class Settings:
    """Every setting is asked for once; `done` complains of those that nobody asked for."""

    def __init__(self, given: Mapping[str, JsonValue]) -> None:
        self._given = dict(given)

    def text(self, name: str, default: str) -> str:
        value = self._given.pop(name, default)
        if not isinstance(value, str) or not value:
            raise ValueError(f"{name} is no text")
        return value

    def number(self, name: str, default: int, *, most: int) -> int:
        value = self._given.pop(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise ValueError(f"{name} is no number from 1 to {most}")
        return value

    def texts(self, name: str, default: Mapping[str, str]) -> Mapping[str, str]:
        """Read a mapping of texts."""
        value = self._given.pop(name, dict(default))
        mapping = value if isinstance(value, dict) else {"": None}
        found = {key: one for key, one in mapping.items() if isinstance(one, str)}
        if len(found) < len(mapping):
            raise ValueError(f"{name} is no mapping of texts")
        return found

    def done(self) -> None:
        if self._given:
            raise ValueError(f"there is no setting {', '.join(sorted(self._given))}")
