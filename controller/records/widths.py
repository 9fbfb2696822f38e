"""How wide a text is, in pixels, in the badges' type (Verdana, 11 px, and what stands in for it)."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

FONT_PIXELS: Final = 11
_EM: Final = 2048  # units of the tables below: advance widths of Verdana's glyphs
_ASCII: Final = (
    720, 806, 940, 1676, 1302, 2204, 1488, 550, 930, 930, 1302, 1676, 745, 930, 745, 930,  # space to /
    1302, 1302, 1302, 1302, 1302, 1302, 1302, 1302, 1302, 1302, 930, 930, 1676, 1676, 1676, 1117,  # 0 to ?
    2048, 1400, 1404, 1430, 1578, 1295, 1177, 1588, 1539, 862, 931, 1419, 1140, 1726, 1532, 1612,  # @ to O
    1235, 1612, 1424, 1400, 1262, 1499, 1400, 2025, 1403, 1260, 1403, 930, 930, 930, 1676, 1302,  # P to _
    1302, 1230, 1276, 1067, 1276, 1220, 720, 1276, 1296, 562, 705, 1212, 562, 1992, 1296, 1243,  # ` to o
    1276, 1276, 874, 1067, 807, 1296, 1212, 1676, 1212, 1212, 1076, 1300, 930, 1300, 1676,  # p to ~
)  # fmt: skip
_OTHER: Final = {"·": 745, "…": 1676, "•": 1117, "–": 1302, "—": 2048}
_WIDE, _NARROW = 2048, 1302


@lru_cache(maxsize=4_096)
def width(text: str) -> int:
    """Give a text's width in whole pixels, rounded up."""
    return -(-sum(map(_units, text)) * FONT_PIXELS // _EM)


def _units(one: str) -> int:
    if " " <= one <= "~":
        return _ASCII[ord(one) - 32]
    if one in _OTHER:
        return _OTHER[one]
    if unicodedata.combining(one) or unicodedata.category(one) in ("Cf", "Mn", "Me"):
        return 0
    return _WIDE if unicodedata.east_asian_width(one) in ("W", "F") else _NARROW
