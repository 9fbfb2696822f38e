"""What was used lately, within so many bytes: what nobody asked for during two ages is forgotten.

A bound alone would let a cache grow through a whole day to the bound, with what yesterday's commits held.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """Values by git id. `size` gives about how many bytes one takes; the last one stays, however large it is."""

    def __init__(self, most_bytes: int, size: Callable[[Value], int]) -> None:
        self._most_bytes = most_bytes
        self._size = size
        self._young: dict[str, Value] = {}  # put or used in this age
        self._old: dict[str, Value] = {}  # in the age before
        self._bytes = 0

    def __contains__(self, oid: str) -> bool:
        return oid in self._young or oid in self._old

    def get(self, oid: str) -> Value | None:
        """Give a value that is still known, which keeps it for this age and the next."""
        known = self._young.get(oid)
        if known is None:
            known = self._old.pop(oid, None)
            if known is not None:
                self._young[oid] = known
        return known

    def put(self, oid: str, value: Value) -> None:
        """Keep a value; the oldest go for it."""
        if oid in self:
            return
        self._bytes += self._size(value)
        while self._bytes > self._most_bytes and (generation := self._old or self._young):
            self._bytes -= self._size(generation.pop(next(iter(generation))))
        self._young[oid] = value

    def age(self) -> None:
        """Begin another age: what the one before last knew and the last did not use is forgotten."""
        self._bytes -= sum(map(self._size, self._old.values()))
        self._old, self._young = self._young, {}

    def clear(self) -> None:
        """Forget everything."""
        self._old, self._young, self._bytes = {}, {}, 0
