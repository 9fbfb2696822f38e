"""A value that must never be printed."""

from __future__ import annotations

from typing import NoReturn, final


@final
class Secret:
    """Bytes that show themselves nowhere: not in `repr`, `str`, a format, a pickle, a traceback's locals or JSON.

    `reveal` is the only way to the value, so that one search finds every use.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes | str) -> None:
        self._value = value.encode() if isinstance(value, str) else value

    def reveal(self) -> bytes:
        return self._value

    def reveal_text(self) -> str:
        return self._value.decode()

    def __repr__(self) -> str:
        return "Secret(•••)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: hand the credential's name over instead")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)
