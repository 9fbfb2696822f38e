"""Edits: transforms that look at one resource at a time, so that several of them share one walk.

Each walk over ten thousand resources fetches all of them from memory again, which takes longer than many an edit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from controller.render.kustomize.resource import Resource
from controller.render.kustomize.resources import Resources


def _nothing() -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Edit:
    """A change to every resource in turn, and what is to say or do behind the last: warnings, or a refusal."""

    change: Callable[[Resource], None]
    end: Callable[[], Sequence[str]] = _nothing


UNCHANGED: Final = Edit(lambda _: None)


def edit_all(items: Resources, edit: Edit) -> Sequence[str]:
    """Apply one edit alone. Gives its warnings."""
    for one in items:
        edit.change(one)
    items.ids_changed()
    return edit.end()
