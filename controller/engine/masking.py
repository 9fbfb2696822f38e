"""Takes decrypted values out of what an error says: a template or a tool may repeat what it was given. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace

from controller.model import Invalid, Stalled, Unequipped

MASK = "••••••"
SHORTEST = 4  # characters of a value: fewer would take words apart, and tell nothing


def masked(error: Stalled, values: Iterable[str]) -> Stalled:
    """Give an error without any of these values, in whatever spelling. The error itself where it holds none."""
    needles = sorted({spelling for one in values for spelling in _spellings(one)}, key=len, reverse=True)

    def clean(text: str) -> str:
        for needle in needles:
            text = text.replace(needle, MASK)
        return text

    if isinstance(error, Invalid):
        problems = [
            replace(one, what=clean(one.what), field=clean(one.field), advice=clean(one.advice))
            for one in error.problems
        ]
        return error if problems == list(error.problems) else Invalid(problems)
    text = clean(str(error))
    if text == str(error):
        return error
    return Unequipped(text) if isinstance(error, Unequipped) else Stalled(text)


def _spellings(value: str) -> Iterator[str]:
    for text in {value, *value.splitlines()}:
        if len(text.strip()) >= SHORTEST:
            encoded = base64.b64encode(text.encode()).decode()
            yield from (text, text.strip(), encoded, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
