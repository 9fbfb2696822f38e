"""Takes secret values out of what a program said, however it wrote them. Pure.

Providers quote requests and answers in their errors, in which a value is escaped as JSON, part of a URL or of something
that was encoded whole; and what terraform says itself as JSON escapes it once more.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote, quote_plus

from controller.targets.terraform.comparing import Change

SHORTEST: Final = 4  # shorter values, such as a region's number, would be found everywhere
DOTS: Final = "•••".encode()
_MIDDLE: Final = 12  # base64's letters of a value's middle that are told from chance
_ESCAPED: Final = {"&": r"\u0026", "<": r"\u003c", ">": r"\u003e"}  # as Go writes JSON


def hide(data: bytes, values: Iterable[bytes]) -> bytes:
    """Put dots in the place of every value of some length, in each form that it may have."""
    forms = {form for value in values if len(value) >= SHORTEST for form in forms_of(value)}
    for form in sorted(forms, key=len, reverse=True):
        data = data.replace(form, DOTS)
    return data


def forms_of(value: bytes) -> Iterator[bytes]:
    """Give what a value looks like: as it is, as JSON, in a URL, as base64 and as hexadecimal digits."""
    yield value
    yield from (value.hex().encode(), value.hex().upper().encode())
    yield from _base64(value)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return
    once = _json(text)
    for form in {*once, *(twice for one in once for twice in _json(one))}:
        yield form.encode()
    for form in (quote(text), quote(text, safe=""), quote_plus(text)):
        yield from (form.encode(), _lower_digits(form).encode())


def _json(text: str) -> set[str]:
    plain = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    return plain | {"".join(_ESCAPED.get(one, one) for one in form) for form in plain}


def _base64(value: bytes) -> Iterator[bytes]:
    """Give a value's own encoding, and what is the same of it wherever it stands in something longer."""
    whole = base64.b64encode(value)
    yield from (whole, whole.rstrip(b"="), base64.urlsafe_b64encode(value), base64.b64encode(whole))
    for at in range(3):
        middle = base64.b64encode(b"\0" * at + value)[4 if at else 0 : -4]
        if len(middle) >= _MIDDLE:
            yield middle


def _lower_digits(text: str) -> str:
    return "".join(f"%{part[:2].lower()}{part[2:]}" if at else part for at, part in enumerate(text.split("%")))


def sensitive_values(changes: Iterable[Change]) -> frozenset[bytes]:
    """Give the texts of a plan that Terraform calls sensitive."""
    found: set[bytes] = set()
    for change in changes:
        _gather(change.before, change.before_sensitive, found)
        _gather(change.after, change.after_sensitive, found)
    return frozenset(found)


def _gather(value: Any, tree: Any, found: set[bytes]) -> None:
    if tree is False or tree is None:
        return
    if isinstance(value, str) and tree is True:
        found.add(value.encode())
    elif isinstance(value, dict):
        for name, one in value.items():
            _gather(one, tree if tree is True else tree.get(name) if isinstance(tree, dict) else None, found)
    elif isinstance(value, list):
        for at, one in enumerate(value):
            is_told = isinstance(tree, list) and at < len(tree)
            _gather(one, tree if tree is True else tree[at] if is_told else None, found)
