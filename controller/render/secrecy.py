"""Where decrypted values may land: in the values of Secrets, and nowhere else. And what may be a Secret in git.

The render is done once more with marks in the places of the values. Marks go where the values go, through every patch,
generator and replacement, so that what is told is how it is, and never what the values are. Where a chart is
between, which marks would break, the values themselves are looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from controller.model import Behind, ConvergeError, FieldPath, Invalid, Position, Problem, format_path
from controller.render.encrypted import Decipherer, Look, holds_one_of, is_marked, places
from controller.render.needs import Needed
from controller.render.request import Draft, Read, RenderRequest
from controller.render.taking import Taking

VALUES = ("data", "stringData")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """The objects of a placement before the last touches, and what was read and asked for them."""

    drafts: list[Draft]
    locate: Callable[[Draft, tuple[str | int, ...]], Position]
    overlays: tuple[str, ...]
    reads: tuple[Read, ...]
    warnings: tuple[Problem, ...]
    idle: frozenset[Problem]
    behind: Behind
    asked: bool
    taking: Taking
    follows: tuple[str, ...] = ()  # versions of charts that ranges led to


def check_secrecy(
    request: RenderRequest, drafted: Drafted, decipherer: Decipherer, *, again: Callable[[Decipherer], Drafted]
) -> None:
    """Refuse decrypted values outside of Secrets, and plain Secrets where the environment wants them encrypted.

    `again` drafts by another decipherer. Raises Invalid, each problem with its file and line, and no value.
    """
    found = drafted
    look: Look = is_marked
    if decipherer.files:
        try:
            found = again(Decipherer(request.prepared, decipherer.credential, only_marks=True))
        except (Needed, ConvergeError):  # what a chart or a check makes of marks says nothing
            look = holds_one_of(decipherer.values())
    problems = list(_leaks(found, look)) if decipherer.files else []
    if request.decryption.only_encrypted:
        problems += _plain_secrets(found, look)
    if problems:
        raise Invalid(problems)


def _leaks(drafted: Drafted, look: Look) -> Iterator[Problem]:
    for draft in drafted.drafts:
        body = draft.value
        if _is_secret(body):
            body = {name: one for name, one in body.items() if name not in VALUES}
        told: set[FieldPath] = set()
        for path in places(body, look):
            if path not in told:
                told.add(path)
                where = drafted.locate(draft, tuple(one for one in path if isinstance(one, str | int)))
                what = "a value that was decrypted stands here, outside of a Secret's values"
                yield Problem(where, what, format_path(path), "Put it into a Secret, and refer to that.")


def _plain_secrets(drafted: Drafted, look: Look) -> Iterator[Problem]:
    for draft in drafted.drafts:
        if not _is_secret(draft.value):
            continue
        written = [(name, text) for name in VALUES for text in _texts(draft.value.get(name))]
        if written and not any(look(text) or drafted.taking.gave(text) for _, text in written):
            where = drafted.locate(draft, (written[0][0],))
            name = (draft.value.get("metadata") or {}).get("name", "")
            what = (
                f"the values of Secret {name} stand in git in the clear, and the environment says `secrets: encrypted`"
            )
            advice = "Encrypt the file with sops, or refer to a value that is kept elsewhere (an ExternalSecret)."
            yield Problem(where, what, written[0][0], advice)


def _is_secret(body: dict[str, Any]) -> bool:
    return body.get("kind") == "Secret" and body.get("apiVersion") == "v1"


def _texts(values: Any) -> Iterable[str]:
    """Give what is written as values; an empty one is a place that something else fills."""
    return [str(one) for one in values.values() if one not in (None, "")] if isinstance(values, dict) else []
