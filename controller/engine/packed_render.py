"""A render at rest: packed, since a fleet keeps one of each placement and looks into few of them at a time.

Unpacking takes some 0.1 ms. It is done by a run, which works on the objects, and never to tell whether a render holds:
what that takes (shape, cover) stands beside it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Final, Self

import msgspec

from controller.model import Digest
from controller.render import Read, Rendered

PACKING: Final = 1  # of zlib: the fastest


def _as_text(value: object) -> str:
    """Give the plain text of what is more than that while it is rendered (msgspec refuses subclasses of `str`)."""
    if not isinstance(value, str):
        raise NotImplementedError(f"a {type(value).__name__} can't be packed")
    return str.__str__(value)


_ENCODER: Final = msgspec.msgpack.Encoder(enc_hook=_as_text)
_RENDERED: Final = msgspec.msgpack.Decoder(Rendered)
_READS: Final = msgspec.msgpack.Decoder(tuple[Read, ...])


@dataclass(frozen=True, slots=True)
class PackedRender:
    """All of a render; `said` is it without its reads."""

    said: bytes
    packed_reads: bytes
    surroundings: Digest | None
    whole: Rendered | None = None  # where it can't be packed: it read a file whose name is no UTF-8

    @classmethod
    def of(cls, rendered: Rendered) -> Self:
        try:
            return cls(_packed(replace(rendered, reads=())), _packed(rendered.reads), rendered.surroundings)
        except UnicodeEncodeError:
            return cls(b"", b"", rendered.surroundings, rendered)

    def reads(self) -> tuple[Read, ...]:
        return self.whole.reads if self.whole is not None else _READS.decode(zlib.decompress(self.packed_reads))

    def rendered(self) -> Rendered:
        return self.whole if self.whole is not None else replace(unpacked(self.said), reads=self.reads())


def unpacked(said: bytes) -> Rendered:
    """Give a render without its reads. Raises zlib.error and msgspec.MsgspecError where the bytes are spoiled."""
    return _RENDERED.decode(zlib.decompress(said))


def _packed(value: object) -> bytes:
    return zlib.compress(_ENCODER.encode(value), PACKING)
